"""Reads dates and times in the ways that shops write them."""

from __future__ import annotations

import re
import warnings

import pandas as pd
from pandas.tseries.api import guess_datetime_format

#: A UTC offset behind a time of day.
OFFSET = r"(:\d{2}(?:\.\d+)?) ?(?:Z|[+-]\d{2}:?\d{2})$"
HALF_OF_DAY = re.compile(r"( ?)[AP]M$", re.IGNORECASE)


def parse_times(values: pd.Series) -> pd.Series:
    """Datetimes on the clock as written (offsets are cut off, not converted); NaT where a value is no date.

    Numbers are read as YYYYMMDD, text as ISO 8601 or else in the one form of the first value.

    Raises:
        ValueError: days and months cannot be told apart.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.tz_localize(None)
    if pd.api.types.is_numeric_dtype(values):
        text = values.astype("str").str.removesuffix(".0")
        return pd.to_datetime(text, format="%Y%m%d", errors="coerce")
    text = values.astype("str").str.replace(OFFSET, r"\1", regex=True)
    times = pd.to_datetime(text, format="ISO8601", errors="coerce")
    return _in_one_form(text) if times.isna().all() else times


def _in_one_form(text: pd.Series) -> pd.Series:
    """Datetimes in the form of the first value, all NaT where it shows none.

    Whether days or months come first is what every value agrees with, or else what most do.
    """
    first = next(iter(text.dropna()), "")
    forms = sorted({form for day_first in (False, True) if (form := _form(first, day_first))})
    readings = [pd.to_datetime(text, format=form, errors="coerce") for form in forms]
    if not readings:
        return pd.Series(pd.NaT, index=text.index)
    complete = [times for times in readings if times.notna().all()]
    if len(complete) > 1 and not complete[0].equals(complete[1]):
        raise ValueError(f"{first!r} may put the day or the month first")
    return min(readings, key=lambda times: times.isna().sum())


def _form(example: str, day_first: bool) -> str | None:
    """The strptime form of `example`; pandas guesses it for all but 12-hour clocks."""
    half = HALF_OF_DAY.search(example)
    plain = HALF_OF_DAY.sub("", example)
    with warnings.catch_warnings():
        # It warns where the example contradicts `day_first`, which is just what is being tried out.
        warnings.simplefilter("ignore", UserWarning)
        form = guess_datetime_format(plain, dayfirst=day_first)
    if form is None or half is None:
        return form
    return form.replace("%H", "%I") + half[1] + "%p"
