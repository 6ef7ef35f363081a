"""Derives columns that a log lacks. Each function gives the column and a sentence on what it assumes."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Where a log has no dates its first week begins here, a Monday; the date itself means nothing.
ORIGIN = pd.Timestamp("2001-01-01")
#: Days between two visits of a shopper where the log knows only their order.
VISIT_INTERVAL = 7


def derive_time(lines: pd.DataFrame) -> tuple[pd.Series, str]:
    """Time from `week` or `day`, numbers that count up, else from the order of the `basket`s in the file.

    Without weeks, a shopper's visits are put a week apart in file order, the last ones all in the log's last
    week, so that a split by weeks keeps everybody's last visits for tests.
    """
    if "day" in lines:
        days = lines["day"] - np.floor(lines["day"].min())
        sentence = "the log numbers its days; the first one is taken as a Monday"
        if "week" in lines and (late := _days_before(days, lines["week"])):
            days = days + late
            weekday = (ORIGIN + pd.Timedelta(days=late)).day_name()
            sentence = (
                f"the log numbers its days; the first one is taken as a {weekday}, so that the log's own "
                "weeks begin on a Monday"
            )
    elif "week" in lines:
        days = (lines["week"] - np.floor(lines["week"].min())) * 7
        sentence = "the log has weeks but no dates; a week's visits are all put on its Monday"
    else:
        visits = lines[["shopper", "basket"]].drop_duplicates()
        from_last = visits.groupby("shopper").cumcount(ascending=False)
        visits = visits.assign(days=(from_last.max() - from_last) * VISIT_INTERVAL)
        days = lines[["shopper", "basket"]].merge(visits, how="left")["days"].set_axis(lines.index)
        sentence = (
            f"the log has no dates; each shopper's baskets are taken as visits {VISIT_INTERVAL} days apart "
            "in file order, the last ones all in the same week, so that prices by week and intervals between "
            "visits mean nothing"
        )
    return ORIGIN + pd.to_timedelta(days, unit="D"), sentence


def _days_before(days: pd.Series, week: pd.Series) -> int:
    """How many days of the first week lie before day 0 where calendar weeks are most like `week`."""
    pairs = pd.DataFrame({"day": days, "week": week}).drop_duplicates()

    def alike(late: int) -> int:
        return int(pairs.groupby([(pairs["day"] + late) // 7, "week"]).size().groupby(level=0).max().sum())

    return max(range(7), key=alike)


def derive_basket(lines: pd.DataFrame) -> tuple[pd.Series, str]:
    """A number for each shopper and calendar day."""
    basket = lines.groupby(["shopper", lines["time"].dt.normalize()]).ngroup()
    return basket, "the log has no baskets; what a shopper bought on one day is taken as one basket"
