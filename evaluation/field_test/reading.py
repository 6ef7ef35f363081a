"""What a field experiment has shown: both arms as they were drawn, whatever became of the offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.difference import Difference, difference
from bundlegym.evaluation.field_test.outcomes import Visits, date_of
from bundlegym.evaluation.field_test.tables import read_arms

#: A split of households less likely than this is taken for a fault (Fabijan et al. 2019, "Diagnosing Sample
#: Ratio Mismatch in Online Controlled Experiments", KDD).
_MISMATCH = 0.0005


def read(
    dataset: Dataset,
    arms: Path,
    start: int,
    weeks: int,
    *,
    before: int = 12,
    share: float = 0.5,
    alpha: float = 0.05,
) -> dict[str, Any]:
    """In JSON's own types.

    All households of the file are compared by the arm that they were drawn into (intention to treat); one
    who bought nothing has the margin 0.

    Args:
        dataset: a log with the weeks before, and those of the test.
        arms: file with `shopper` and `arm`, as `plan.assignment` gives it.
        start: first day of the test.
        weeks: that it lasted.
        before: weeks before it to adjust for; cut to what the log holds.
        share: of the households that was to be offered.

    Raises:
        UserError: the log ends before the test does, or holds no week before it; or as in `read_arms`.
    """
    visits, end = Visits.of(dataset), start + 7 * weeks
    if end > visits.end + 6:
        raise UserError(
            f"{dataset.name} ends on {date_of(dataset, visits.end - 1)}, before the {weeks} week(s) from "
            f"{date_of(dataset, start)} are over; give fewer --weeks"
        )
    before = min(before, (start - visits.first) // 7)
    if before < 1:
        raise UserError(f"{dataset.name} holds no whole week before {date_of(dataset, start)} to adjust for")
    table, code = read_arms(arms, dataset)
    offered, known = table["offered"].to_numpy(), code >= 0

    def of(first: int, last: int, count: int) -> np.ndarray:
        return np.where(known, visits.margins(first, last)[code], 0.0) / count

    margin, past = of(start, end, weeks), of(start - 7 * before, start, before)
    if min(offered.sum(), (~offered).sum()) < 2:
        raise UserError(f"{arms}: each arm needs at least two households")
    seen = known & (visits.counts(start - 7 * before, start)[code] > 0)
    control = float(margin[~offered].mean())
    return {
        "log": dataset.name,
        "start": date_of(dataset, start),
        "weeks": weeks,
        "weeks_before": before,
        "alpha": alpha,
        "households": {"offers": int(offered.sum()), "control": int((~offered).sum())},
        "not_in_log": int((~known).sum()),
        "margin_of_control": control,
        "plain": _figures(difference(margin, offered), alpha),
        "adjusted": _figures(difference(margin, offered, past), alpha),
        "before": _figures(difference(past, offered), alpha),
        "sample_ratio": {
            "share": share,
            "assigned": _ratio(offered, np.ones_like(known), share),
            "seen_before": _ratio(offered, seen, share),
        },
        "notes": list(dataset.notes),
    }


def _figures(found: Difference, alpha: float) -> dict[str, float]:
    low, high = found.interval(alpha)
    return {
        "mean": float(found.gain),
        "low": float(low),
        "high": float(high),
        "error": float(found.error),
        "p": float(found.p_value()),
    }


def _ratio(offered: np.ndarray, among: np.ndarray, share: float) -> dict[str, float]:
    """How many of `among` (N,) bool are offered, and how likely a split so far from `share` is by chance."""
    n, k = int(among.sum()), int((offered & among).sum())
    return {"households": n, "offered": k, "p": float(stats.binomtest(k, n, share).pvalue) if n else 1.0}


def as_text(content: dict[str, Any]) -> str:
    """For people."""
    households, level = content["households"], f"{1 - content['alpha']:.0%}"
    parts = [
        f"{content['log']}: {content['weeks']} week(s) from {content['start']}, {households['offers']:,} "
        f"households offered, {households['control']:,} not; margin a household a week, {level} intervals"
        + (f"\n{content['not_in_log']:,} of them are not in the log: margin 0" * bool(content["not_in_log"]))
    ]
    for name, title in (
        ("adjusted", f"gain, adjusted for the {content['weeks_before']} weeks before"),
        ("plain", "gain, plain"),
        ("before", "difference in the weeks before, which chance alone made"),
    ):
        row, control = content[name], content["margin_of_control"]
        share = f", {row['mean'] / control:+.1%} of the margin without offers" if control > 0 else ""
        parts.append(
            f"{title}: {row['mean']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}], p {row['p']:.3f}"
            + share * (name != "before")
        )
    parts.append(_verdict(content))
    parts += [_ratio_words(content["sample_ratio"], which) for which in ("assigned", "seen_before")]
    return "\n".join([*parts, *(f"Note: {note}" for note in content["notes"])])


def _verdict(content: dict[str, Any]) -> str:
    row = content["adjusted"]
    if row["low"] > 0:
        return "The offers earn more than no offers."
    if row["high"] < 0:
        return "The offers earn less than no offers."
    return "The test does not tell the gain from zero; the interval says what it still allows."


def _ratio_words(ratios: dict[str, Any], which: str) -> str:
    row = ratios[which]
    what = {"assigned": "assigned", "seen_before": "who bought in the weeks before"}[which]
    told = f"sample ratio, households {what}: {row['offered']:,} of {row['households']:,} offered"
    if row["p"] < _MISMATCH:
        return (
            f"{told}. MISMATCH: a share of {ratios['share']:.0%} would not give this (p {row['p']:.1g}); "
            "find out who is missing before you believe any figure"
        )
    return f"{told}, as a share of {ratios['share']:.0%} gives (p {row['p']:.2f})"
