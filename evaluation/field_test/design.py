"""The design of a field experiment: what a log's own weeks say of the gain that a test would show.

Half of the households, or another share, are drawn at random and offered; the outcome is a household's margin
a week. How much it varies is read off windows of the log's past: each is a stretch of as many weeks as the
test is to last, with the weeks before it to adjust for (`difference`). Eligible is who bought anything in
these weeks before. No user model has a say in this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from bundlegym.envs.base import GAIN
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.outcomes import Visits
from bundlegym.evaluation.field_test.power import households_needed, power, smallest_gain
from bundlegym.evaluation.verdict import DEPLOYABLE, is_blind, is_judge

#: Lengths that a plan tells of.
WEEKS = (1, 2, 4, 8, 12)


@dataclass(frozen=True)
class Design:
    """How a test is set up.

    Attributes:
        share: of the households that is offered.
        power: chance with which the gain is to be found.
        alpha: level of the two-sided test.
    """

    share: float = 0.5
    power: float = 0.8
    alpha: float = 0.05

    def __post_init__(self) -> None:
        for name in ("share", "power", "alpha"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"--{name}: {getattr(self, name)} is not between 0 and 1")
        if self.power <= self.alpha:
            raise UserError(f"--power: {self.power} must be above --alpha {self.alpha}")

    def offered(self, households: int) -> int:
        """How many of them are offered, at least two in each arm."""
        return int(np.clip(round(self.share * households), 2, households - 2))


@dataclass(frozen=True)
class Gain:
    """What a policy is expected to earn more than no offers, a visit.

    Attributes:
        policy: which.
        judge: who says so.
        exposure: what being offered is assumed to do by itself; None where nothing is said of it.
        mean, low, high: incremental margin a visit and its 95 % interval.
        kind: of the policy, as in the run's tables.
    """

    policy: str
    judge: str
    exposure: float | None
    mean: float
    low: float
    high: float
    kind: str = ""


@dataclass(frozen=True)
class Window:
    """E eligible households in a stretch of a log.

    Attributes:
        margin, before: (E,) margin a week in the window, and in the weeks before it.
        visits: a household a week.
        shopper: (E,) codes.
    """

    margin: np.ndarray
    before: np.ndarray
    visits: float
    shopper: np.ndarray


@dataclass(frozen=True)
class Spread:
    """How much households vary in tests of some length.

    Attributes:
        weeks, weeks_before: lengths of a window and of what it is adjusted for.
        windows: of the log that this is read off, the last ones, which do not overlap.
        households: eligible in the last window.
        visits, margin: a household a week, mean of all windows.
        sd, sd_adjusted: of a household's margin a week, plain and adjusted for the weeks before.
        correlation: of the two.
        skewness: of the margin.
        sd_worst: the adjusted one of the window in which it is greatest: seasons differ.
    """

    weeks: int
    weeks_before: int
    windows: int
    households: int
    visits: float
    margin: float
    sd: float
    sd_adjusted: float
    correlation: float
    skewness: float
    sd_worst: float


def eligible(visits: Visits, day: int, weeks: int) -> np.ndarray:
    """Codes of the households that bought anything in so many weeks before `day`."""
    return np.flatnonzero(visits.counts(day - 7 * weeks, day) > 0)


def window(visits: Visits, start: int, weeks: int, before: int) -> Window:
    """Of so many weeks from day `start`, adjusted for the weeks `before` it."""
    who, end = eligible(visits, start, before), start + 7 * weeks
    return Window(
        visits.margins(start, end)[who] / weeks,
        visits.margins(start - 7 * before, start)[who] / before,
        float(visits.counts(start, end)[who].mean() / weeks) if len(who) else 0.0,
        who,
    )


def windows(visits: Visits, weeks: int, before: int) -> list[Window]:
    """Those of a log, the last one first; `before` is cut to what the log holds before the first of them."""
    room = (visits.end - visits.first) // 7
    before = min(before, room - weeks)
    if before < 1:
        return []
    count = 1 + (room - weeks - before) // weeks
    every = (window(visits, visits.end - 7 * weeks * (k + 1), weeks, before) for k in range(count))
    return [one for one in every if len(one.margin) >= 4]


def spread(visits: Visits, weeks: int, before: int) -> Spread | None:
    """None where the log is too short."""
    found = windows(visits, weeks, before)
    return spread_of(found, weeks, min(before, (visits.end - visits.first) // 7 - weeks)) if found else None


def spread_of(found: Sequence[Window], weeks: int, before: int) -> Spread:
    """The spread that windows of so many `weeks`, and weeks `before` them, show together."""
    moments = np.array([np.cov(one.margin, one.before) for one in found])
    mean, each = moments.mean(0), [_adjusted(one) for one in moments]
    unit = math.sqrt(mean[0, 0] * mean[1, 1])
    correlation = float(mean[0, 1] / unit) if unit > 0 else 0.0
    return Spread(
        weeks,
        before,
        len(found),
        len(found[0].margin),
        float(np.mean([one.visits for one in found])),
        float(np.mean([one.margin.mean() for one in found])),
        math.sqrt(mean[0, 0]),
        _adjusted(mean),
        correlation,
        float(np.mean([stats.skew(one.margin) for one in found])),
        max(each),
    )


def _adjusted(moments: np.ndarray) -> float:
    """Standard deviation of a margin beside the weeks before, of the covariances (2, 2) of both."""
    (own, shared), (_, past) = moments
    return math.sqrt(max(own - shared**2 / past, 0.0)) if past > 0 else math.sqrt(own)


def smallest(spread: Spread, test: Design, sd: float) -> float:
    """The gain a household a week that a test with all eligible households would show, where outcomes have
    the standard deviation `sd`."""
    offered = test.offered(spread.households)
    return smallest_gain(sd, spread.households - offered, offered, target=test.power, alpha=test.alpha)


def chance(gain: float, spread: Spread, test: Design) -> float:
    """That a test with all eligible households, adjusted, shows a `gain` a household a week."""
    offered = test.offered(spread.households)
    return power(gain, spread.sd_adjusted, spread.households - offered, offered, test.alpha)


def needed(gain: float, spread: Spread, test: Design, *, adjusted: bool) -> int | None:
    """Households in both arms that show a `gain` a household a week; None where no number does."""
    sd = spread.sd_adjusted if adjusted else spread.sd
    return households_needed(gain, sd, share=test.share, target=test.power, alpha=test.alpha)


def expected_gains(results: dict[str, Any]) -> list[Gain]:
    """Of a run's `results.json`, one an assumption: the deployable policy whose gain by the judge who gives
    it least is greatest, with that gain. Judges who cannot see what a policy does (`verdict.is_blind`) have
    no say on it; where no judge has, the model that agents trained on speaks."""
    every = [row for row in results["rows"] + results["judges"] if row["kind"] in DEPLOYABLE]
    found = []
    for exposure in dict.fromkeys(row.get("offer_exposure", 0.0) for row in every):
        rows = [row for row in every if row.get("offer_exposure", 0.0) == exposure]
        rows = [row for row in rows if is_judge(row["user_model"]) and not is_blind(row)] or rows
        least: dict[str, dict[str, Any]] = {}
        for row in rows:
            before = least.setdefault(row["policy"], row)
            if row[GAIN]["mean"] < before[GAIN]["mean"]:
                least[row["policy"]] = row
        best = max(least.values(), key=lambda row: row[GAIN]["mean"])
        found.append(Gain(best["policy"], best["user_model"], exposure, **best[GAIN], kind=best["kind"]))
    return found


def lengths(weeks: int) -> Sequence[int]:
    """The lengths that a plan tells of, with the one asked for (0 for none)."""
    return sorted({*WEEKS, *([weeks] if weeks else [])})
