"""The calendar: weeks start on Monday, and days count from the Monday of the first week."""

from __future__ import annotations

import numpy as np
import pandas as pd


def day_numbers(times: pd.Series) -> np.ndarray:
    """(n,) int32, days from the first of 1970 to each of `times`."""
    return times.to_numpy().astype("datetime64[D]").astype(np.int32)


def first_monday(times: pd.Series) -> pd.Timestamp:
    """Monday, 0 o'clock, of the week in which the earliest of `times` lies: day 0 of week 0."""
    first = times.min().normalize()
    return first - pd.Timedelta(days=first.weekday())


def days_since(times: pd.Series, origin: pd.Timestamp) -> pd.Series:
    """Whole calendar days from `origin` to each of `times`, as int64."""
    days = times.to_numpy().astype("datetime64[D]") - origin.to_datetime64().astype("datetime64[D]")
    return pd.Series(days.astype(np.int64), index=times.index)


def week_of(times: pd.Series, origin: pd.Timestamp) -> pd.Series:
    """0-based calendar week of each of `times`, as int64."""
    return days_since(times, origin) // 7
