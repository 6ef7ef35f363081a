"""Tables of later days that follow a log: what they repeat of days that are there already."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.errors import UserError

#: Why a line is left out.
REPEATED = "line that an earlier table has"


def repeated(lines: pd.DataFrame, number: str, label: str) -> np.ndarray:
    """(n,) bool: lines of a later table from days up to the last one of the tables before it.

    Args:
        lines: with `time`; the column `number` holds 0 in lines of the log, and in those of later tables 1, 2
            and so on. All other columns say what a line is.
        label: of the log, for messages.

    Raises:
        UserError: such a line is not in the tables before: the two contradict each other.
    """
    found = np.zeros(len(lines), dtype=bool)
    of, day = lines[number].to_numpy(), lines["time"].to_numpy().astype("datetime64[D]")
    for table in np.unique(of[of > 0]):
        before = (of < table) & ~found
        if not before.any():
            continue
        last = day[before].max()
        again = (of == table) & (day <= last)
        if not again.any():
            continue
        same_days = before & (day >= day[again].min())
        new = _not_among(lines[again].drop(columns=number), lines[same_days].drop(columns=number))
        if len(new):
            line = new.iloc[0]
            raise UserError(
                f"table {table} of later days: {len(new):,} of its lines are from days that {label} has "
                f"already, up to {last}, and are not the same there; the first is of item '{line['item']}' "
                f"on {line['time']:%Y-%m-%d}; give only days after {last}"
            )
        found |= again
    return found


def _not_among(some: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Rows of `some` that `known` has not, or not as often."""
    columns = list(some.columns)
    numbered = [rows.assign(again=rows.groupby(columns, dropna=False).cumcount()) for rows in (some, known)]
    both = numbered[0].merge(numbered[1], how="left", indicator=True)
    return both[both["_merge"] == "left_only"]
