"""Reads dates and times in the ways that shops write them."""

from __future__ import annotations

import re
import warnings
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from bundlegym.data.config import ReadOptions
from bundlegym.errors import UserError

#: A UTC offset behind a time of day.
OFFSET = (
    r"^(.*(?::\d{2}(?:[.,]\d+)?|T\d{4,6}))( ?[AaPp][Mm])? ?"
    r"(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)(?: ?(?:UTC|GMT))?$"
)
CLOCK = r"(?:,?[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?: ?([AaPp])\.?[Mm]\.?)?)?"
YEAR_FIRST = rf"^(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){CLOCK}$"
YEAR_LAST = rf"^(\d{{1,2}})([-/.])(\d{{1,2}})[-/.](\d{{4}}|\d{{2}}){CLOCK}$"
COMPACT = rf"^((?:19|20)\d{{2}})(\d{{2}})(\d{{2}}){CLOCK}$"
COMPACT_CLOCK = r"^((?:19|20)\d{2})(\d{2})(\d{2})T?(\d{2})(\d{2})?(\d{2})?$"
NUMBER = r"^\d+(?:[.,]\d+)?$"
WITH_MONTH_NAME = r"^[\w ,.:/+-]*(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[\w ,.:/+-]*$"
#: Units of seconds since 1970, by the number of digits.
EPOCHS = {10: "s", 13: "ms", 16: "us", 19: "ns"}
EXCEL_DAYS = (20_000, 80_000)
EXCEL_ORIGIN = pd.Timestamp("1899-12-30")
#: Two digits of a year from here on are of the last century.
PIVOT = 69


def read_times(values: pd.Series, options: ReadOptions) -> tuple[pd.Series, dict[str, str]]:
    """Datetimes of texts, NaT where a text is no date; and what was inferred.

    Offsets are cut off, or, with `options.zone`, the times are moved to that zone.

    Raises:
        ValueError: days and months cannot be told apart.
    """
    notes: dict[str, str] = {}
    zone = known_zone(options.zone)
    text = values.str.replace(r"\[[\w/+-]+\]$", "", regex=True)
    parts = text.str.extract(OFFSET)
    offset = parts[2].map(_minutes, na_action="ignore").astype("float64")
    clock = parts[0] + parts[1].fillna("")
    text = text.where(offset.isna(), clock)
    if options.date_format:
        times, utc = _stated(text, options.date_format)
        offset = offset.mask(utc, 0.0)
    else:
        times, epoch = _found(text, options, notes)
        offset = offset.mask(epoch, 0.0)
    has_offset = (offset.notna() & times.notna()).to_numpy()
    if has_offset.any():
        example = values[has_offset].iloc[0]
        if zone is None:
            notes["time zone"] = (
                f"times such as {example} count from UTC or carry an offset, and are read as they stand, so "
                "that an evening may count as the next day; --zone moves them to the shop's zone"
            )
        else:
            universal = times - pd.to_timedelta(offset.fillna(0.0), unit="m")
            times = times.mask(has_offset, to_zone(universal.dt.tz_localize("UTC"), zone))
            notes["time zone"] = f"times such as {example} are moved to {options.zone}"
    elif zone is not None and times.notna().any():
        notes["time zone"] = f"times have no offset and are taken to be in {options.zone} already"
    return times, notes


def to_zone(times: pd.Series, zone: ZoneInfo) -> pd.Series:
    """Times with a zone as the clock of `zone` shows them."""
    return times.dt.tz_convert(zone).dt.tz_localize(None)


def known_zone(name: str) -> ZoneInfo | None:
    """None where no name is given; UserError where there is no such zone."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UserError(f"--zone: '{name}' is no time zone such as Europe/London") from error


def _minutes(offset: str) -> float:
    if offset in ("Z", "UTC", "GMT"):
        return 0.0
    digits = offset[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return float(-minutes if offset[0] == "-" else minutes)


def _stated(text: pd.Series, form: str) -> tuple[pd.Series, np.ndarray]:
    """Times in the form that was stated, and whether they count from UTC."""
    units = {"epoch": "s", "epoch-ms": "ms"}
    if form in units or form == "excel":
        numbers = pd.to_numeric(text.str.replace(",", "."), errors="coerce")
        times = _excel(numbers) if form == "excel" else _epoch(numbers, units[form])
        return times, np.full(len(text), form != "excel")
    try:
        times = pd.to_datetime(text, format=form, errors="coerce")
    except (ValueError, re.error) as error:
        raise UserError(f"--date-format: '{form}' is no form of strptime ({error})") from error
    if times.dt.tz is not None:
        raise UserError("--date-format: leave out %z and %Z; offsets are understood by themselves")
    return times.astype("datetime64[us]"), np.zeros(len(text), dtype=bool)


def _found(text: pd.Series, options: ReadOptions, notes: dict[str, str]) -> tuple[pd.Series, np.ndarray]:
    """Times in whichever forms the texts have, and where they are epochs."""
    times = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    epoch = np.zeros(len(text), dtype=bool)
    examples: list[str] = []

    def take(found: pd.Series) -> None:
        nonlocal times
        new = found.notna() & times.isna()
        if new.any():
            examples.append(str(text[new].iloc[0]))
            times = times.where(~new, found)

    take(_assemble(text.str.extract(YEAR_FIRST), 0, 1, 2, 3))
    filled = text != ""
    if (times.isna() & filled).any():
        take(_year_last(text.str.extract(YEAR_LAST), text, options, notes))
    if (times.isna() & filled).any():
        take(_assemble(text.str.extract(COMPACT), 0, 1, 2, 3))
    if (left := times.isna() & text.str.fullmatch(COMPACT_CLOCK)).any():
        take(_assemble(text[left].str.extract(COMPACT_CLOCK), 0, 1, 2, 3).reindex(text.index))
    if (left := times.isna() & text.str.fullmatch(NUMBER)).any():
        numbers = pd.to_numeric(text[left].str.replace(",", "."), errors="coerce")
        found, is_epoch = _numeric(numbers, notes)
        epoch[np.flatnonzero(left)] = is_epoch
        take(found.reindex(text.index))
    if (left := times.isna() & text.str.contains(WITH_MONTH_NAME, case=False, regex=True)).any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            named = pd.to_datetime(text[left], format="mixed", errors="coerce", dayfirst=True, utc=True)
        take(named.dt.tz_localize(None).astype("datetime64[us]").reindex(text.index))
    if len(examples) > 1:
        notes["date forms"] = f"dates are written in more than one form: {', '.join(examples)}"
    return times, epoch


def _assemble(parts: pd.DataFrame, year: int, month: int, day: int, hour: int) -> pd.Series:
    """Datetimes from columns of digits; hour, minute, second, fraction and half of the day from `hour` on."""
    number = {name: pd.to_numeric(parts[at], errors="coerce") for name, at in
              (("year", year), ("month", month), ("day", day))}  # fmt: skip
    days = pd.to_datetime(pd.DataFrame(number), errors="coerce").astype("datetime64[us]")
    clock = [pd.to_numeric(parts[hour + i], errors="coerce").fillna(0) for i in range(3)]
    seconds = clock[0] * 3600 + clock[1] * 60 + clock[2]
    possible = (clock[0] < 24) & (clock[1] < 60) & (clock[2] < 61)
    micro = pd.Series(0.0, index=parts.index)
    if hour + 4 in parts:
        half = parts[hour + 4].str.lower()
        seconds += (half.eq("p") & (clock[0] < 12)) * 43200.0 - (half.eq("a") & (clock[0] == 12)) * 43200.0
        possible &= half.isna() | clock[0].between(1, 12)
        micro = pd.to_numeric(parts[hour + 3].str.ljust(9, "0"), errors="coerce").fillna(0) // 1000
    total = (seconds.astype("int64") * 1_000_000 + micro.astype("int64")).astype("timedelta64[us]")
    return (days + total).where(possible)


def _year_last(
    parts: pd.DataFrame, text: pd.Series, options: ReadOptions, notes: dict[str, str]
) -> pd.Series:
    """Days before months or after them, as stated, as the only way, as most need, or else as dots mean it."""
    found = parts[0].notna()
    if not found.any():
        return pd.Series(pd.NaT, index=parts.index, dtype="datetime64[us]")
    year = pd.to_numeric(parts[3], errors="coerce")
    short = parts[3].str.len() == 2
    parts = parts.assign(year=year + np.where(short.fillna(False), np.where(year < PIVOT, 2000, 1900), 0))
    parts.columns = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    day_first, month_first = _assemble(parts, 9, 2, 0, 4), _assemble(parts, 9, 0, 2, 4)
    example = text[found].iloc[0]
    if short.any():
        notes["two-digit years"] = f"{PIVOT} to 99 are of the last century, 00 to {PIVOT - 1} of this one"
    if options.day_first or options.month_first:
        return day_first if options.day_first else month_first
    first, second = (pd.to_numeric(parts[at], errors="coerce") for at in (0, 2))
    days, months = int((first > 12).sum()), int((second > 12).sum())
    if not days and not months and not day_first.equals(month_first):
        if not parts.loc[found, 1].eq(".").all():
            raise ValueError(
                f"'{example}' may put the day or the month first; say --day-first or --month-first"
            )
        days = 1
    which, other = ("day", "--month-first") if days >= months else ("month", "--day-first")
    notes["date"] = f"in dates such as {example} the {which} comes first; {other} overrules"
    return day_first if days >= months else month_first


def _numeric(numbers: pd.Series, notes: dict[str, str]) -> tuple[pd.Series, np.ndarray]:
    """Times from epochs or Excel's days, by the size of the middle number; and where they are epochs."""
    middle = float(numbers.median())
    if EXCEL_DAYS[0] <= middle < EXCEL_DAYS[1]:
        example = f"{numbers.iloc[0]:g}"
        notes["date"] = f"dates such as {example} are days of Excel since 1900; --date-format overrules"
        return _excel(numbers), np.zeros(len(numbers), dtype=bool)
    unit = EPOCHS.get(len(str(int(middle))))
    if unit is None:
        missing = pd.Series(pd.NaT, index=numbers.index, dtype="datetime64[us]")
        return missing, np.zeros(len(numbers), dtype=bool)
    notes["date"] = (
        f"dates such as {numbers.iloc[0]:.0f} are {unit} since 1970 in UTC; --date-format overrules"
    )
    times = _epoch(numbers, unit)
    return times, times.notna().to_numpy()


def _excel(numbers: pd.Series) -> pd.Series:
    days = numbers.where(numbers.between(1, 100_000))
    seconds = (days * 86400).round()
    return (EXCEL_ORIGIN + pd.to_timedelta(seconds, unit="s")).astype("datetime64[us]")


def _epoch(numbers: pd.Series, unit: str) -> pd.Series:
    scale = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[unit]
    micro = (numbers * scale).where(lambda values: values.abs() < 4e15)
    return pd.to_datetime(micro, unit="us", errors="coerce").astype("datetime64[us]")
