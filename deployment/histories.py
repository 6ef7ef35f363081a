"""What shoppers bought, as tables that a shop has: histories of new shoppers, and ids in a log's codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data.ids import read_ids
from bundlegym.errors import UserError
from bundlegym.recommenders.shopper_tables import Purchases

#: Of a history; `basket` tells visits apart where a time does not, `quantity` below 1 is a return and left
#: out, and what was paid is not asked for: whether it was a deal is known from the shop's own prices.
NEEDED = ("item", "time")
#: A table by columns.
History = pd.DataFrame | Mapping[str, Sequence[Any]]
_ISO = len("2024-05-17T12:34:56")


def ids_of(values: Iterable[object]) -> list[str]:
    """Ids as the log has them: text, 17850.0 as 17850 where all are whole numbers.

    Raises:
        UserError: a spreadsheet has rounded them.
    """
    texts = pd.Series([str(value).strip() for value in values], dtype=object)
    try:
        return read_ids(texts)[0].tolist()
    except ValueError as error:
        raise UserError(f"ids: {error}") from error


def codes_of(values: Sequence[object], known: Mapping[str, int]) -> np.ndarray:
    """(n,) int64 codes of ids, -1 where an id is not among the `known`."""
    codes = [known.get(str(value).strip(), -1) for value in values]
    if -1 in codes:  # they may be written otherwise
        codes = [known.get(text, -1) for text in ids_of(values)]
    return np.array(codes, dtype=np.int64)


def read_history(
    history: History, items: Mapping[str, int], start: pd.Timestamp
) -> tuple[Purchases, tuple[str, ...]]:
    """One shopper's lines in codes, and the items that are none of the catalogue's, each once.

    Args:
        history: columns item and time, and any of basket, quantity and price_paid; it may have no rows.
        items: codes of the catalogue by id.
        start: the first day of the log's week 0.

    Raises:
        UserError: a column is missing, or a time or quantity cannot be read.
    """
    table: dict[str, list[Any]] = {str(name): list(column) for name, column in history.items()}
    n = max(map(len, table.values()), default=0)
    if n and (missing := [name for name in NEEDED if name not in table]):
        raise UserError(
            f"history: no column {', '.join(missing)}; it needs {', '.join(NEEDED)}, and may have "
            "basket, quantity and price_paid"
        )
    if not n:
        none = np.zeros(0, dtype=np.int64)
        return Purchases(none, none, none, none), ()
    day = _days(table["time"], start)
    codes = codes_of(table["item"], items)
    unknown = dict.fromkeys(str(i).strip() for i, code in zip(table["item"], codes, strict=True) if code < 0)
    keep = (codes >= 0) & (_numbers(table.get("quantity", [1] * n)) > 0)
    visits: dict[str, int] = {}
    visit = [visits.setdefault(str(of), len(visits)) for of in table.get("basket", table["time"])]
    lines = {
        (of, code): when
        for of, code, when, here in zip(visit, codes.tolist(), day.tolist(), keep, strict=True)
        if here
    }
    columns = np.array([(*key, when) for key, when in lines.items()], dtype=np.int64).reshape(-1, 3)
    return Purchases(np.zeros(len(lines), dtype=np.int64), *columns.T), tuple(unknown)


def _numbers(values: list[Any]) -> np.ndarray:
    """(n,) float."""
    try:
        numbers = np.array(values, dtype=float)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"history: a quantity is no number ({error})") from error
    if np.isnan(numbers).any():
        raise UserError("history: a quantity is missing")
    return numbers


def _days(times: list[Any], start: pd.Timestamp) -> np.ndarray:
    """(n,) int64 days since `start`."""
    if any(isinstance(time, (int, float, np.number)) for time in times):
        raise UserError(
            "history: time holds numbers, or nothing; give dates, such as 2024-05-17, in every row"
        )
    return (_dates(times) - np.datetime64(start, "D")).astype(np.int64)


def _dates(times: list[Any]) -> np.ndarray:
    """(n,) datetime64[D], in the clock of the text where it names a zone."""
    if all(isinstance(time, str) and 0 < len(time) <= _ISO for time in times):
        try:
            dates = np.array(times, dtype="datetime64[s]").astype("datetime64[D]")
            if not np.isnat(dates).any():
                return dates
        except ValueError:
            pass  # not as ISO 8601 has it
    try:
        read = pd.to_datetime(pd.Series(times), errors="raise")
        missing = bool(read.isna().any())
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"history: a time cannot be read ({error}); a date is 2024-05-17") from error
    if missing:
        raise UserError("history: a time is missing; give a date, such as 2024-05-17, in every row")
    local = read.dt.tz_localize(None) if read.dt.tz is not None else read
    return local.to_numpy(dtype="datetime64[D]")


def day_of(text: str, start: pd.Timestamp) -> int:
    """Days from `start` to a date.

    Raises:
        UserError: it is none.
    """
    try:
        return int((pd.Timestamp(text).normalize() - start).days)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"--day {text}: not a date, such as 2024-05-17") from error
