"""What shoppers bought, as tables that a shop has: histories of new shoppers, and ids in a log's codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bundlegym.data.ids import read_ids
from bundlegym.data.weeks import days_since
from bundlegym.errors import UserError
from bundlegym.recommenders.shopper_tables import Purchases

#: Of a history; `basket` tells visits apart where a time does not, `quantity` below 1 is a return and left
#: out, and what was paid is not asked for: whether it was a deal is known from the shop's own prices.
NEEDED, KNOWN = ("item", "time"), ("item", "time", "basket", "quantity", "price_paid")


def ids_of(values: Sequence[object] | pd.Series) -> pd.Series:
    """Ids as the log has them: text, 17850.0 as 17850 where all are whole numbers."""
    texts = pd.Series(list(values), dtype=object).astype(str).str.strip()
    try:
        return read_ids(texts)[0].reset_index(drop=True)
    except ValueError as error:
        raise UserError(f"ids: {error}") from error


def codes_of(values: Sequence[object] | pd.Series, known: pd.Index) -> np.ndarray:
    """(n,) int64 codes of ids, -1 where an id is not among the `known`."""
    return known.get_indexer(pd.Index(ids_of(values))).astype(np.int64)


def read_history(
    history: pd.DataFrame, items: pd.Index, start: pd.Timestamp
) -> tuple[Purchases, tuple[str, ...]]:
    """One shopper's lines in codes, and the items that are none of the catalogue's, each once.

    Args:
        history: columns `NEEDED`, and any of `KNOWN`; it may have no rows.
        items: ids of the catalogue in code order.
        start: the first day of the log's week 0.

    Raises:
        UserError: a column is missing, or a time or quantity cannot be read.
    """
    missing = [name for name in NEEDED if name not in history]
    if missing and len(history):
        raise UserError(
            f"history: no column {', '.join(missing)}; it needs {', '.join(NEEDED)}, and may have "
            "basket, quantity and price_paid"
        )
    if not len(history):
        none = np.zeros(0, dtype=np.int64)
        return Purchases(none, none, none, none), ()
    time = _times(history["time"])
    ids, codes = ids_of(history["item"]), codes_of(history["item"], items)
    unknown = tuple(dict.fromkeys(ids[codes < 0]))
    keep = codes >= 0
    if "quantity" in history:
        quantity = pd.to_numeric(history["quantity"], errors="coerce").to_numpy(dtype=float)
        if np.isnan(quantity).any():
            raise UserError("history: a quantity is no number")
        keep &= quantity > 0
    visit = pd.factorize(history["basket"].astype(str) if "basket" in history else time)[0].astype(np.int64)
    day = days_since(time, start).to_numpy(np.int64)
    lines = pd.DataFrame({"visit": visit, "item": codes, "day": day})[keep].drop_duplicates(["visit", "item"])
    columns = (lines[name].to_numpy(np.int64) for name in ("visit", "item", "day"))
    return Purchases(np.zeros(len(lines), dtype=np.int64), *columns), unknown


def _times(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        raise UserError("history: time holds numbers; give dates, such as 2024-05-17")
    try:
        times = pd.to_datetime(values, errors="raise").reset_index(drop=True)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"history: a time cannot be read ({error}); a date is 2024-05-17") from error
    if times.isna().any():
        raise UserError("history: a time is missing; give a date, such as 2024-05-17, in every row")
    return times.dt.tz_localize(None) if times.dt.tz is not None else times


def day_of(text: str, start: pd.Timestamp) -> int:
    """Days from `start` to a date.

    Raises:
        UserError: it is none.
    """
    try:
        return int((pd.Timestamp(text).normalize() - start).days)
    except (ValueError, TypeError) as error:
        raise UserError(f"--day {text}: not a date, such as 2024-05-17") from error
