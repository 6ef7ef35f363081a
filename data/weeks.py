"""The calendar: weeks start on Monday, and days count from the Monday of the first week."""

from __future__ import annotations

import pandas as pd


def first_monday(times: pd.Series) -> pd.Timestamp:
    """Monday, 0 o'clock, of the week in which the earliest of `times` lies: day 0 of week 0."""
    first = times.min().normalize()
    return first - pd.Timedelta(days=first.weekday())


def days_since(times: pd.Series, origin: pd.Timestamp) -> pd.Series:
    """Whole calendar days from `origin` to each of `times`, as int64."""
    return (times.dt.normalize() - origin).dt.days.astype("int64")


def week_of(times: pd.Series, origin: pd.Timestamp) -> pd.Series:
    """0-based calendar week of each of `times`, as int64."""
    return days_since(times, origin) // 7
