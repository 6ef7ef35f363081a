"""What each mechanism of `ChoiceShopper` is worth: fidelity without it, on validation weeks.

The model is fitted on the training weeks without each mechanism in turn, and measured on known shoppers in
the validation weeks. The whole model is fitted with several seeds: what a mechanism costs counts where it is
beyond their spread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.data import Dataset
from bundlegym.data.files import write_json
from bundlegym.errors import UserError
from bundlegym.evaluation.fidelity.distributions import RETAILSYNTH
from bundlegym.evaluation.fidelity.measure import measure
from bundlegym.evaluation.fidelity.rates import RATES
from bundlegym.terminal import say
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.estimation.mechanisms import MECHANISMS


def ablate(
    dataset: Dataset,
    names: Sequence[str] = (),
    *,
    seeds: int = 3,
    kept: Path | None = None,
    progress: Callable[[str], None] = say,
) -> list[dict[str, Any]]:
    """A row a fit: the whole model with each seed, then the model without each mechanism.

    Args:
        names: of `MECHANISMS`; by default all that do something where nobody is made an offer.
        seeds: of the whole model.
        kept: JSON file of rows, which are not made again.

    Raises:
        UserError: the file holds something else.
    """
    names = names or [name for name, mechanism in MECHANISMS.items() if not mechanism.offers_only]
    rows = _read(kept, dataset.name)
    done = {(row["without"], row["seed"]) for row in rows}
    for without, seed in [("", seed) for seed in range(seeds)] + [(name, 0) for name in names]:
        if (without, seed) in done:
            continue
        progress(f"ablation: {f'without {without}' if without else 'whole model'}, seed {seed}")
        rows.append(_row(dataset, without, seed, progress))
        if kept is not None:
            write_json(kept, {"ablation_of": dataset.name, "rows": rows})
    return rows


def _read(kept: Path | None, log: str) -> list[dict[str, Any]]:
    if kept is None or not kept.exists():
        return []
    content = json.loads(kept.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("ablation_of") != log:
        raise UserError(f"{kept}: holds no ablation of {log}; give --json another file")
    return content["rows"]


def _row(dataset: Dataset, without: str, seed: int, progress: Callable[[str], None]) -> dict[str, Any]:
    split, start = dataset.split, time.process_time()
    left_out = (without,) if without else ()
    model = ChoiceShopper.fit(dataset, seed=seed, without=left_out, progress=progress)
    seconds = time.process_time() - start
    shoppers = np.flatnonzero(~split.held_out)
    figures = measure(
        model,
        dataset,
        weeks=split.validation_weeks,
        shoppers=shoppers,
        seed=seed,
        weeks_before=False,
        progress=progress,
    ).figures
    ks = figures["ks_complement"]
    return {
        "without": without,
        "seed": seed,
        "nll": figures["nll_per_item"]["choice"],
        **{f"ks {name}": ks[name] for name in RETAILSYNTH},
        "lift": figures["co_purchase_lift"]["worst_decile"],
        "lift of items": figures["co_purchase_lift_items"]["worst_decile"],
        **{f"auc {name}": part["auc"] for name, part in figures["two_sample"].items()},
        **{f"rate {name}": figures["base_rates"][name]["ratio"] for name in RATES},
        "calibration": figures["calibration_error"],
        "cpu_s": seconds,
        "lines": MECHANISMS[without].lines if without else 0,
    }


def as_text(rows: list[dict[str, Any]]) -> str:
    """The rows as a table: the whole model's mean and spread, then what each mechanism's absence adds to
    the figures of the same seed; a star where that is beyond two standard deviations of the seeds."""
    whole = [row for row in rows if not row["without"]]
    figures = [name for name in rows[0] if name not in ("without", "seed", "lines")]
    mean = {name: float(np.mean([row[name] for row in whole])) for name in figures}
    lowest = min(mean[name] for name in figures if name.startswith("ks "))
    heads = ["nats an item", "mean KS", "lift", "lift of items", "AUC", "rates", "CPU s"]
    lines = [
        f"{'':32}" + "".join(f"{head:>15}" for head in heads) + f"{'lines':>8}",
        _line("whole model", _summary(mean), "{:.4f}"),
        _line("  spread of seeds", _spreads(whole), "{:.4f}"),
    ]
    noise, same_seed = _spreads(whole), {row["seed"]: _summary(row) for row in whole}
    for row in rows:
        if row["without"]:
            base = same_seed[row["seed"]]
            apart = [one - two for one, two in zip(_summary(row), base, strict=True)]
            beyond = [abs(a) > 2 * s for a, s in zip(apart, noise, strict=True)]
            text = _line(f"without {row['without']}", apart, "{:+.4f}", beyond)
            lines.append(f"{text}{row['lines']:>8}")
    lines.append(
        f"AUC: the larger of baskets and shopper-weeks. Rates: mean distance of the log ratios of "
        f"{', '.join(RATES)} from 0. The lowest KS-complement of the whole model is {lowest:.3f}. "
        "* beyond two standard deviations of the seeds."
    )
    return "\n".join(lines)


def _summary(row: dict[str, Any]) -> list[float]:
    ks = [value for name, value in row.items() if name.startswith("ks ")]
    auc = [value for name, value in row.items() if name.startswith("auc ")]
    rates = [
        abs(np.log(value)) for name, value in row.items() if name.startswith("rate ") and 0 < value < np.inf
    ]
    return [
        row["nll"], float(np.nanmean(ks)), row["lift"], row["lift of items"], max(auc), float(np.mean(rates)),
        row["cpu_s"],
    ]  # fmt: skip


def _spreads(whole: list[dict[str, Any]]) -> list[float]:
    if len(whole) < 2:
        return [0.0] * len(_summary(whole[0]))
    return [float(value) for value in np.std([_summary(row) for row in whole], axis=0, ddof=1)]


def _line(label: str, values: list[float], form: str, marked: Sequence[bool] = ()) -> str:
    flags = list(marked) or [False] * len(values)
    cells = (f"{form.format(v) + ('*' if m else ' '):>15}" for v, m in zip(values, flags, strict=True))
    return f"{label:32}" + "".join(cells)
