"""How far the assumptions about offers carry: one simple policy under a range of each knob.

The policy offers, at every visit of held-out shoppers in the test weeks, the two items that the shopper buys
most at 10 % off. Nothing is learned or chosen, so that only the assumption differs between two rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.agents.heuristics import SCORES, fill_by
from bundlegym.data import Dataset
from bundlegym.envs import BundleCore, EnvConfig, build_market
from bundlegym.envs.base import GAIN
from bundlegym.evaluation.rollout import estimate, play
from bundlegym.terminal import say
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.parameters import ChoiceParameters

#: Values of each knob; the others stay at their defaults.
KNOBS: dict[str, tuple[float, ...]] = {
    "offer_exposure": (0.0, 0.5, 1.0),
    "bundle_pull": (0.0, 0.25, 0.5, 1.0),
}
_FIGURES = ("acceptance_rate", "cherry_pick_rate", GAIN)
_CONFIG = EnvConfig(max_size=2, discounts=(0.1,))
_SEED = 4_000_037


def sweep(
    dataset: Dataset,
    *,
    episodes: int = 1024,
    seed: int = 0,
    cache: Path | None = None,
    progress: Callable[[str], None] = say,
) -> list[dict[str, Any]]:
    """A row a value of each knob: `knob`, `value`, `source` and the figures with 95 % intervals, as seen by
    the `ChoiceShopper` that fidelity is measured on."""
    split = dataset.split
    weeks = (split.train_weeks[0], split.test_weeks[0])
    model = ChoiceShopper.fit(dataset, weeks=weeks, seed=seed, cache=cache, progress=progress)
    market, shoppers = build_market(dataset), np.flatnonzero(split.held_out)
    policy = fill_by(SCORES["most_bought"], 0)
    rows = []
    settings = [(knob, value, "") for knob, values in KNOBS.items() for value in values]
    if (most := like_a_coupon(model.params)) is not None:
        settings.append(("offer_exposure", most, "at most a coupon"))
    for knob, value, source in sorted(settings, key=lambda row: (list(KNOBS).index(row[0]), row[1])):
        progress(f"sweep: {knob} {value:g}")
        assumed: Any = {knob: value}
        core = BundleCore(
            market, ChoiceShopper(model.params, **assumed), _CONFIG,
            n=episodes, shoppers=shoppers, weeks=split.test_weeks, seed=seed,
        )  # fmt: skip
        found = estimate([play(core, policy, _SEED)])
        row = {"knob": knob, "value": value, "source": source}
        rows.append(row | {name: found[name] for name in _FIGURES})
    return rows


def like_a_coupon(params: ChoiceParameters) -> float | None:
    """`offer_exposure` under which an offer adds to the log rate of what the shopper buys most as much as a
    coupon of the log may add at most, two standard errors above the estimate: of all that a log records, a
    coupon comes nearest to an offer made to one shopper. None where the log has no coupons, or no mailer
    effect to count in."""
    effect, error = params.coupons.coupon_effect.tolist()
    mailer = float(params.coefficients.mailer * params.coefficients.promotion_sensitivity[-1])
    most = effect + 2 * error
    return most / mailer if mailer > 0 and 0 < most < float("inf") else None


def as_text(rows: list[dict[str, Any]]) -> str:
    """The rows as a table for people."""
    lines = [
        "Assumptions: what the shopper buys most, two items at 10 % off, to held-out shoppers in test weeks",
        f"{'':44}{'taken':>10}{'cherry-picked':>16}   incremental margin a visit [95 %]",
    ]
    for row in rows:
        taken, picked, gain = (row[name] for name in _FIGURES)
        source = f" ({row['source']})" if row["source"] else ""
        lines.append(
            f"  {row['knob']} {row['value']:.3g}{source}".ljust(44)
            + f"{taken['mean']:>10.3f}{picked['mean']:>16.3f}"
            f"   {gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
        )
    return "\n".join(lines)
