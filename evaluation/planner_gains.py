"""What a planner's offers are expected to earn: estimated anew on fresh draws, by whoever judges.

A plan's own estimate is that of the best of many and of what passed a test; a figure to report needs draws on
which nothing was chosen. Each visit is the first of an episode, so that whoever judges knows the shopper by
the log, as the planner does.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bundlegym.agents.planner import OpenVisits, Plan, Planner, items_of
from bundlegym.agents.planner.simulated_gains import simulated_gains
from bundlegym.envs import BundleCore
from bundlegym.user_models.rng.counter import Draws

#: Of the fresh draws; neither simulations nor planners start from it.
_SEED = 5_270_498_306_774_157


@dataclass(frozen=True)
class Planned:
    """Offers to M shoppers at the door and what they are worth.

    Attributes:
        plan: as the planner made it. items: (M, B) codes, -1 for none. discount: (M,).
        gain: (M, D) incremental margin of each visit under D fresh draws.
        milliseconds: a plan took.
    """

    plan: Plan
    items: Tensor
    discount: Tensor
    gain: Tensor
    milliseconds: float


def with_fresh_luck(core: BundleCore, slots: Tensor) -> OpenVisits:
    """The visits now open in `slots` (R,), with the user model that reacts in the core; the fresh draws are
    `draws.others(range(1, ...))`."""
    state = {name: value[slots] for name, value in core.state.items()}
    luck = Draws(_SEED, core.episode, core.visit).of(slots)
    return OpenVisits(core.user_model, core.market, state, core.records.day[slots], luck)


def plan_first_visits(core: BundleCore, planner: Planner, draws: int = 128) -> Planned:
    """Plan the first visit of an episode in each slot; whoever reacts in the core judges the plans."""
    core.reset()
    planner.plan(core, core.rows[:1])  # what is compiled at first use does not count
    start = time.perf_counter()
    plan = planner.plan(core, core.rows)
    taken = 1000 * (time.perf_counter() - start) / core.n
    items, discount = items_of(core.candidates, plan.picks), core.discounts[plan.level]
    gain = torch.zeros(core.n, draws, device=core.device)
    at = (items[:, 0] >= 0).nonzero()[:, 0]
    gain[at] = simulated_gains(
        with_fresh_luck(core, at), items[at][:, None], discount[at][:, None], range(1, draws + 1)
    )[:, 0]
    return Planned(plan, items, discount, gain, taken)


def summary_of(planned: Planned) -> dict[str, Any]:
    """In JSON's own types: the mean gain over all visits, 0 where nothing is offered, and the parts of it at
    full price and at a discount, each with its 95 % interval; shares of all visits by discount and size."""
    gain = planned.gain.mean(1).double().cpu().numpy()
    size = (planned.items >= 0).sum(1).cpu().numpy()
    discount = planned.discount.double().cpu().numpy().round(4)
    made = size > 0
    return {
        "visits": len(gain),
        "gain": _interval(gain),
        "gain_at_full_price": _interval(np.where(discount == 0, gain, 0.0)),
        "gain_at_a_discount": _interval(np.where(discount > 0, gain, 0.0)),
        "offered": float(made.mean()),
        "discounts": {f"{d:g}": float((made & (discount == d)).mean()) for d in np.unique(discount[made])},
        "sizes": {str(s): float((size == s).mean()) for s in np.unique(size[made])},
        "milliseconds": planned.milliseconds,
    }


def summary_words(summary: dict[str, Any]) -> str:
    """Two lines."""
    levels = ", ".join(
        f"{share:.1%} at {f'{float(d):.0%} off' if float(d) else 'full price'}"
        for d, share in summary["discounts"].items()
    )
    sizes = ", ".join(f"{share:.1%} of {size}" for size, share in summary["sizes"].items())
    parts = (
        f"{in_words(summary['gain_at_full_price'])} of it at full price, "
        f"{in_words(summary['gain_at_a_discount'])} at a discount"
    )
    return (
        f"expected gain a visit {in_words(summary['gain'])}; {parts}\n"
        f"offers at {summary['offered']:.1%} of {summary['visits']} visits"
        + (f": {levels}; {sizes} items" if levels else "")
        + f"; {summary['milliseconds']:.1f} ms a plan"
    )


def in_words(figure: dict[str, float]) -> str:
    """A mean with its interval."""
    return f"{figure['mean']:+.4f} [{figure['low']:+.4f}, {figure['high']:+.4f}]"


def _interval(values: np.ndarray) -> dict[str, float]:
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    mean = float(values.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}
