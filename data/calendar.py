"""How the days and weeks that a shop numbers, in its log and in the tables beside it, are dates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data.side_tables import WHEN, SideTable
from bundlegym.data.weeks import first_monday, week_of
from bundlegym.errors import UserError

#: Days since the first Monday of what has no date.
NOWHERE = -(10**6)
#: What a log that numbers its days, or its weeks, or has dates, calls its time.
_DATES, _DAYS, _WEEKS = "dates", "numbers of days", "no days"


@dataclass(frozen=True)
class Calendar:
    """The calendar of a log.

    Attributes:
        first, last: the log's first and last day.
        kind: dates; numbers of days; or no days, where it has weeks or the order of baskets alone.
        day_zero: the date of its day number 0, where it numbers its days.
        weeks: its own number of a week -> calendar week from 0, where it numbers its weeks; else empty.
    """

    first: pd.Timestamp
    last: pd.Timestamp
    kind: str
    day_zero: pd.Timestamp | None
    weeks: dict[int, int]

    @property
    def monday(self) -> pd.Timestamp:
        """The first day of calendar week 0."""
        return self.first - pd.Timedelta(days=self.first.weekday())

    @property
    def n_weeks(self) -> int:
        return (self.last - self.monday).days // 7 + 1

    def days(self, table: SideTable, ours: str) -> pd.Series:
        """The dates of a column that says when, in the rows that are left; NaT for weeks not in the log.

        Raises:
            UserError: the log cannot say which date is meant.
        """
        found = self._distinct(table, ours).to_numpy()
        return pd.Series(found[table.columns[ours].codes[table.sieve.keep]])

    def offsets(self, table: SideTable, ours: str) -> np.ndarray:
        """(n,) int32, the same as days since the first Monday; `NOWHERE` for NaT."""
        days = (self._distinct(table, ours) - self.monday).dt.days
        found = days.where(days.abs() < -NOWHERE).fillna(NOWHERE).to_numpy(np.int32)
        return found[table.columns[ours].codes[table.sieve.keep]]

    def _distinct(self, table: SideTable, ours: str) -> pd.Series:
        """The date of each distinct text of a column that says when."""
        column = table.columns[ours]
        used = np.zeros(len(column.values), dtype=bool)
        used[column.codes[table.sieve.keep]] = True
        values = column.values.where(used)
        if ours == "week" or (ours == "day" and self.kind == _DAYS) or self.kind == _DAYS:
            self._check_whole(values, table, ours)
        if ours == "week":
            return self._mondays(values, table)
        if self.kind == _DAYS:
            assert self.day_zero is not None
            # Numbers that are far from all days of the log would not be dates.
            near = values.abs() < 100_000
            return self.day_zero + pd.to_timedelta(values.where(near), unit="D")
        if ours == "day":
            raise UserError(
                f"{table.label}: the log has {self.kind}, so the column '{column.name}' of numbers of days "
                "cannot be placed; " + ("map a date as time" if self.kind == _DATES else "map week instead")
            )
        if self.kind == _WEEKS:
            raise UserError(
                f"{table.label}: the log has no dates, so the column '{column.name}' of dates cannot be "
                "placed; map week, in the table and in the log"
            )
        return values.dt.normalize()

    def _check_whole(self, values: pd.Series, table: SideTable, ours: str) -> None:
        broken = (values % 1 > 0).to_numpy()
        if broken.any():
            raise UserError(
                f"{table.label}: column '{table.columns[ours].name}' must hold whole numbers of "
                f"{'weeks' if ours == 'week' else 'days'} as the log counts them, but has "
                f"{values[broken].iloc[0]:g}"
            )

    def _mondays(self, numbers: pd.Series, table: SideTable) -> pd.Series:
        if self.weeks:
            week = numbers.map(self.weeks)
        else:
            week = (numbers - 1).where(numbers.between(1, self.n_weeks))
            table.sieve.notes["week"] = (
                "the log has no numbers of weeks of its own; week 1 is taken as that of its first line "
                f"({self.first.date()}); --map week=NAME says otherwise"
            )
        return self.monday + pd.to_timedelta(week * 7, unit="D")


def calendar_of(lines: pd.DataFrame, dated: bool) -> Calendar:
    """The calendar of lines with `time`, and `day`, `week` as far as the log has them."""
    times = lines["time"]
    numbered = not dated and "day" in lines
    day_zero = None
    if numbered:
        day_zero = times.iloc[0] - pd.Timedelta(days=float(lines["day"].iloc[0]))
    weeks: dict[int, int] = {}
    if "week" in lines:
        known = lines["week"].notna()
        own = lines.loc[known, "week"].astype("int64")
        counts = pd.DataFrame({"own": own, "week": week_of(times[known], first_monday(times))}).value_counts()
        most = counts.reset_index().drop_duplicates("own")
        weeks = dict(zip(most["own"].tolist(), most["week"].tolist(), strict=True))
    kind = _DATES if dated else _DAYS if numbered else _WEEKS
    return Calendar(times.min().normalize(), times.max().normalize(), kind, day_zero, weeks)


def one_when(table: SideTable, needed: bool) -> str:
    """The one column of `table` that says when; "" where it has none and `needed` does not ask for it.

    Raises:
        UserError: there is none, or several.
    """
    found = [ours for ours in WHEN if ours in table.columns]
    if len(found) > 1 or (needed and not found):
        names = ", ".join(found) or "none"
        raise UserError(f"{table.label}: one column must say when: {', '.join(WHEN)}; it has {names}")
    return found[0] if found else ""


def inside(days: pd.Series, calendar: Calendar) -> np.ndarray:
    """(n,) bool, days in the weeks of the log."""
    end = calendar.monday + pd.Timedelta(weeks=calendar.n_weeks)
    return ((days >= calendar.monday) & (days < end)).to_numpy()
