"""Scoring policies: the same shoppers, days and luck for all, means with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from bundlegym.agents.base import Policy
from bundlegym.envs.base import METRICS, OF_OFFERS
from bundlegym.envs.core import BundleCore
from bundlegym.errors import UserError

#: 97.5 % points of Student's t for 1, 2, ... degrees of freedom; the normal's from 30 on.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11,
      2.10, 2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05)  # fmt: skip

#: How far margin shares are moved to see what gains owe to them: five points of the week's list price.
MARGIN_SHIFT = 0.05
#: The incremental margin a visit where margins are that much lower, and higher.
AT_LOWER_MARGINS = "incremental_margin_at_lower_margins"
AT_HIGHER_MARGINS = "incremental_margin_at_higher_margins"
#: Incremental margin as a share of the twin's margin.
SHARE = "incremental_margin_share"
#: The share of offers at full price, and that of visits at which the largest discount is offered.
FULL_PRICE, DEEPEST = "full_price_rate", "deepest_discount_rate"
_SHIFTS = {AT_LOWER_MARGINS: -MARGIN_SHIFT, AT_HIGHER_MARGINS: MARGIN_SHIFT}


def play(core: BundleCore, policy: Policy, seed: int) -> dict[str, np.ndarray]:
    """One episode in each slot: (N, 2) float64 by metric, the sum over visits and how many counted; beside
    `METRICS`, `FULL_PRICE` and `DEEPEST`.

    Visits at which a metric is undefined (the size of no offer) do not count for it. All others do, so that
    a number that is not finite shows in the sum.
    """
    core.reseed(seed)
    core.reset()
    totals = {name: np.zeros((core.n, 2)) for name in METRICS}
    totals |= {name: np.zeros((core.n, 2)) for name in (FULL_PRICE, DEEPEST)}
    deepest = max(core.config.discounts)
    live = torch.ones(core.n, dtype=torch.bool, device=core.device)
    while bool(live.any()):
        result = core.step(policy(core))
        if result.record is not None:
            slot = result.record.slot
            counted = live[slot].cpu().numpy()
            where = slot.cpu().numpy()
            offered = result.record.size.cpu().numpy() > 0
            for name, value in result.record.metrics().items():
                number = value.double().cpu().numpy()
                known = counted & offered if name in OF_OFFERS else counted
                totals[name][where[known], 0] += number[known]
                totals[name][where[known], 1] += 1
            level = result.record.offer.discount.cpu().numpy()
            _count(totals[FULL_PRICE], where, level == 0, counted & offered)
            _count(totals[DEEPEST], where, offered & (level > 0) & np.isclose(level, deepest), counted)
            live &= ~(result.terminated | result.truncated)
    return totals


def _count(total: np.ndarray, slot: np.ndarray, true: np.ndarray, known: np.ndarray) -> None:
    """Add to (N, 2) what is true (M,) of the visits in the slots (M,) that are known (M,)."""
    total[slot[known], 0] += true[known]
    total[slot[known], 1] += 1


def estimate(plays: Sequence[dict[str, np.ndarray]]) -> dict[str, dict[str, float | None]]:
    """Mean and 95 % interval by metric over episodes and, where there are several plays, over seeds.

    Each mean is a ratio over visits, its variance clustered by episode; with S > 1 plays (one trained agent
    each) the variance between seeds is added and Student's t with S - 1 degrees of freedom used.

    Beside what `play` counts stand the incremental margin as a `SHARE` of the twin's margin, and if each
    margin share were `MARGIN_SHIFT` lower, or higher: from the same visits, in which shoppers do not know
    costs; the policies stay as they are.
    """
    plays = [{**play, **_derived(play)} for play in plays]
    rows: dict[str, dict[str, float | None]] = {}
    for name in plays[0]:
        sums = np.stack([play[name] for play in plays])  # (S, N, 2)
        if (sums[:, :, 1].sum(1) <= 0).any():
            rows[name] = {"mean": None, "low": None, "high": None}
            continue
        rows[name] = {**interval(*ratio(sums))}
    return {name: {k: None if v is None else float(v) for k, v in row.items()} for name, row in rows.items()}


def ratio(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (S,) of S plays, and (N,) how far each episode draws their mean from itself, times N.

    Args:
        sums: (S, N, 2) sum over an episode's visits, and how many visits count.
    """
    visits = sums[:, :, 1].sum(1)
    means = sums[:, :, 0].sum(1) / visits
    residual = (sums[:, :, 0] - means[:, None] * sums[:, :, 1]) / visits[:, None] * sums.shape[1]
    return means, residual.mean(0)


def interval(means: np.ndarray, influence: np.ndarray) -> dict[str, float]:
    """Mean and 95 % interval from what `ratio` gives."""
    mean, half = (
        float(means.mean()),
        t_factor(len(means)) * math.sqrt(episode_variance(influence) + seed_variance(means)),
    )
    return {"mean": mean, "low": mean - half, "high": mean + half}


def episode_variance(influence: np.ndarray) -> float:
    """Variance of a mean from that of its episodes."""
    return float(influence.var(ddof=1) / len(influence)) if len(influence) > 1 else 0.0


def seed_variance(means: np.ndarray) -> float:
    """Variance of a mean over seeds from that between seeds; 0 of one seed, which cannot tell."""
    return float(means.var(ddof=1) / len(means)) if len(means) > 1 else 0.0


def t_factor(seeds: int) -> float:
    """Standard errors in half of a 95 % interval."""
    return _T[seeds - 2] if 1 < seeds <= len(_T) + 1 else 1.96


def _derived(play: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(N, 2) what follows from the metrics of a play, by name: incremental margins under other margins, and
    as a share of what the twin earns."""
    gain, listed = (play[f"incremental_{what}_per_visit"] for what in ("margin", "list_value"))
    found = {name: gain + np.array([shift, 0.0]) * listed for name, shift in _SHIFTS.items()}
    twin = play["margin_per_visit"][:, 0] - gain[:, 0]
    return found | {SHARE: np.stack([gain[:, 0], twin], 1)}


def check_figures(what: str, figures: dict[str, dict[str, float | None]]) -> None:
    """Raise a `UserError` that begins with `what` where a figure of `estimate` is not finite: a table with it
    would look like any other."""
    for name, row in figures.items():
        if any(value is not None and not math.isfinite(value) for value in row.values()):
            raise UserError(
                f"{what}: {name} is not a finite number; the user model answers with prices or quantities "
                "that are none"
            )
