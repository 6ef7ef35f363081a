"""The command behind `evaluate.py --fidelity`: fit, measure on held-out weeks for two groups of shoppers,
tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.data import Dataset, visit_rows
from bundlegym.errors import UserError
from bundlegym.evaluation.fidelity import likelihood
from bundlegym.evaluation.fidelity.bounds import BOUNDS
from bundlegym.evaluation.fidelity.distributions import RETAILSYNTH
from bundlegym.evaluation.fidelity.measure import Fidelity, measure
from bundlegym.evaluation.fidelity.response import ANSWERS, COMPARED
from bundlegym.terminal import say
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.registry import fit_family

_NOISE = {True: "beyond noise", False: "within noise", None: "not known"}
_LEAST_VISITS, _LEAST_SHOPPERS = 50, 10


def fidelity(
    name: str,
    dataset: Dataset,
    *,
    model: UserModel | None = None,
    seed: int = 0,
    cache: Path | None = None,
    progress: Callable[[str], None] = say,
) -> dict[str, Fidelity]:
    """Fit a user model on all weeks before the test weeks, and measure it in the test weeks: on the shoppers
    whom coefficients and averages were learned from (`known`), and on those held out from them (`held_out`).

    Args:
        name: of a family, or what to call `model`.
        model: one that is fitted already, in place of a family.

    Raises:
        UserError: the log holds too little to fit on, or to compare anything with; before the fit.
    """
    split = dataset.split
    weeks = (split.train_weeks[0], split.test_weeks[0])
    check_comparable(dataset, split.test_weeks)
    if model is None:
        model = fit_family(name, dataset, weeks=weeks, seed=seed, cache=cache, progress=progress)
    results = compare(name, model, dataset, split.test_weeks, seed=seed, progress=progress)
    for group, mask in (("known", ~split.held_out), ("held_out", split.held_out)):
        rows = visit_rows(dataset, split.test_weeks, mask)
        rivals = likelihood.rival_nll(dataset, weeks, ~split.held_out, rows)
        results[group].figures["nll_per_item"].update(rivals)
    return results


def compare(
    name: str,
    model: UserModel,
    dataset: Dataset,
    weeks: tuple[int, int],
    *,
    seed: int = 0,
    progress: Callable[[str], None] = say,
) -> dict[str, Fidelity]:
    """Measure a fitted model in `weeks` after those of its fit, on `known` and `held_out` shoppers.

    Raises:
        UserError: the log holds too few visits of either to compare anything with.
    """
    check_comparable(dataset, weeks)
    results = {}
    for group, held_out in (("known", False), ("held_out", True)):
        progress(f"fidelity: shoppers {group.replace('_', ' ')}")
        mask = dataset.split.held_out == held_out
        shoppers = np.flatnonzero(mask)
        results[group] = measure(
            model, dataset, name=name, weeks=weeks, shoppers=shoppers, seed=seed, progress=progress
        )
    return results


def check_comparable(dataset: Dataset, weeks: tuple[int, int]) -> None:
    """Raise a `UserError` where `weeks` hold too few visits of known or of held-out shoppers to compare
    anything with."""
    for group, mask in (("known", ~dataset.split.held_out), ("held out", dataset.split.held_out)):
        rows = visit_rows(dataset, weeks, mask)
        visits, who = len(rows), dataset.visits["shopper"].iloc[rows].nunique()
        if visits < _LEAST_VISITS or who < _LEAST_SHOPPERS:
            raise UserError(
                f"{dataset.name}: weeks {weeks[0]}-{weeks[1] - 1} hold {visits} visits of {who} "
                f"{group} shoppers; fidelity needs {_LEAST_VISITS} of {_LEAST_SHOPPERS}"
            )


def as_json(name: str, dataset: Dataset, results: dict[str, Fidelity]) -> dict[str, Any]:
    """The figures of known shoppers at the top, those of held-out shoppers under `held_out`; what a log is
    too small to tell is None."""
    content = {
        "log": dataset.name,
        "user_model": name,
        "notes": list(dataset.notes),
        **results["known"].figures,
    }
    text = json.dumps({**content, "held_out": results["held_out"].figures}, default=float)
    return json.loads(text, parse_constant=lambda _: None)


def as_text(content: dict[str, Any], *, brief: bool = False) -> str:
    """The figures as a table for people: known and held-out shoppers side by side, and what was aimed at;
    `brief` leaves out what has no aim."""
    both = (content, content["held_out"])
    first, end = content["weeks"]
    lines = [
        f"Fidelity of '{content['user_model']}' on {content['log']}, weeks {first}-{end - 1}, which the "
        f"fit has not seen; {both[0]['shoppers']:,} known and {both[1]['shoppers']:,} held-out shoppers",
        "",
        f"{'':36}{'known':>10}{'held out':>10}   aim",
    ]

    def row(label: str, values: tuple[float, ...], aim: str = "", form: str = "{:.3f}") -> None:
        if brief and not aim:
            return
        shown = "".join(f"{form.format(v) if v is not None else '-':>10}" for v in values)
        lines.append(f"{label:36}{shown}   {aim}".rstrip())

    lines.append(
        "KS-complement (at the right: of one simulation with another; of as many real weeks before; "
        "RetailSynth's own, in sample)"
    )
    for key, theirs in RETAILSYNTH.items():
        values = tuple(part["ks_complement"][key] for part in both)
        limits = "; ".join(
            _pair(part.get(f"ks_complement_of_{limit}", {}).get(key) for part in both)
            for limit in ("luck", "drift")
        )
        row(f"  {key}", values, f">= {BOUNDS.ks}   {limits}; {theirs:.3f}")
    for key in content["ks_complement_more"]:
        row(f"  {key}", tuple(part["ks_complement_more"][key] for part in both))
    lines.append(
        "Base rates, simulated / real (at the right: 95 % intervals over shoppers; as many real weeks before "
        "/ real)"
    )
    for key in content["base_rates"]:
        rates = [part["base_rates"][key] for part in both]
        drift = _pair(rate.get("ratio_of_drift") for rate in rates)
        aim = f"1 +- {BOUNDS.base_rate}   {_intervals(rates)}; {drift}"
        row(f"  {key}", tuple(rate["ratio"] for rate in rates), aim)
    if "coupons" in content:
        lines.append("Share of lines that a running campaign has coupons for")
        for key in ("holders", "others"):
            for side in ("real", "simulated"):
                row(f"  of {key}, {side}", tuple(part["coupons"][side][key] for part in both), form="{:.4f}")
    for key, label in (("co_purchase_lift", "categories"), ("co_purchase_lift_items", "items")):
        lines.append(f"Co-purchase lift of {label} (at the right: of one simulation with another)")
        row("  median, real", tuple(part[key]["real_median"] for part in both))
        row("  median, simulated", tuple(part[key]["simulated_median"] for part in both))
        row(
            "  worst decile off by",
            tuple(part[key]["worst_decile"] for part in both),
            f"<= {BOUNDS.lift}   {_pair(part[key]['worst_decile_of_luck'] for part in both)}",
        )
        row("  correlation over pairs, of logs", tuple(part[key]["correlation"] for part in both))
    lines.append("Calibration of purchase probabilities (at the right: of a perfect model, by luck)")
    row(
        "  expected error",
        tuple(p["calibration_error"] for p in both),
        f"<= {BOUNDS.calibration}   {_pair(p.get('calibration_error_of_luck') for p in both)}",
        "{:.4f}",
    )
    row(
        "  the same weighted by purchase", tuple(p["calibration"]["by_purchase"] for p in both), form="{:.4f}"
    )
    lines.append(
        "Response to what is off the list price, to display and to mailer (at the right: 95 % intervals)"
    )
    for key in ANSWERS:
        for side in ("real", "simulated"):
            aim = (
                "{1} to {0}".format(*BOUNDS.elasticity) if key == "elasticity" and side == "simulated" else ""
            )
            row(f"  {key}, {side}", tuple(part["response"][side][key] for part in both), aim, "{:.2f}")
        if key in COMPARED and not brief:
            apart = [part["response"]["differences"][key] for part in both]
            verdict = "; ".join(_NOISE[one["beyond_noise"]] for one in apart)
            shown = tuple(one["difference"] for one in apart)
            row(f"  {key}, simulated - real", shown, f"{_intervals(apart)}; {verdict}", "{:.2f}")
    offered = tuple(part["response"]["offer_elasticity"] for part in both)
    row("  elasticity_of_lines, offered item", offered, form="{:.2f}")
    lines.append("Two-sample AUC of gradient boosting (0.5: cannot be told apart; 95 % intervals)")
    for key in content["two_sample"]:
        told = [part["two_sample"][key] for part in both]
        row(f"  {key}", tuple(part["auc"] for part in told), f"<= {BOUNDS.auc:.2f}   {_intervals(told)}")
        row("    of as many weeks before, real", tuple(part.get("auc_of_drift") for part in told))
        if not brief:
            lines.append(f"    known, told by {_told_by(told[0]['told_by'])}")
            lines.append(f"    weeks before, by {_told_by(told[0].get('told_by_of_drift', {}))}")
    lines.append("Negative log-likelihood per purchased item, nats")
    for key in content["nll_per_item"]:
        row(f"  {key}", tuple(part["nll_per_item"][key] for part in both))
    if brief:  # no heading without a row below it
        pairs = zip(lines[2:], [*lines[3:], "end"], strict=True)
        kept = [line for line, below in pairs if line.startswith(" ") or below.startswith(" ")]
        return "\n".join([lines[0], *kept])
    return "\n".join(lines + [""] + [f"Note: {note}" for note in content["notes"]])


def _told_by(lost: dict[str, float]) -> str:
    """Features that tell two samples apart, each with the AUC that is lost without it."""
    return ", ".join(f"{name} {much:.3f}" for name, much in lost.items()) or "-"


def _pair(figures: Iterable[float | None]) -> str:
    return " ".join("-" if figure is None else f"{figure:.3f}" for figure in figures)


def _intervals(figures: list[dict[str, Any]]) -> str:
    """The intervals of figures with `low` and `high`, in words."""
    known = [(f["low"], f["high"]) for f in figures]
    return " ".join("-" if None in pair else "[{:.3f}, {:.3f}]".format(*pair) for pair in known)
