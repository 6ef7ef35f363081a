"""What was displayed and mailed: from a shop's table to shares of stores by item and week."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data.calendar import NOWHERE, Calendar, one_when
from bundlegym.data.columns import Column
from bundlegym.data.ids import NOTHING
from bundlegym.data.numbers import decimal_sign, strip_numbers, to_numbers
from bundlegym.data.side_tables import SideTable
from bundlegym.errors import UserError

#: Codes that say that an item is not displayed, or not mailed, in lower case.
NO_CODES = frozenset((*NOTHING, "0", "no", "none", "false", "nein", "non", "-"))
#: Letters that mean yes and no, where there are no others: F is a place in a mailer, too.
LETTERS = frozenset(("t", "f", "y", "n", "j", "s", "o"))
#: Rows times days beyond which a table of days is not spread out.
MOST_DAYS = 100_000_000


def promotion_shares(
    table: SideTable, calendar: Calendar, items: pd.Index, decimal: str
) -> tuple[pd.DataFrame, list[str]]:
    """`item`, `week` (from 1, the calendar week of the log's first line), `display`, `mailer` in 0..1; and
    what was inferred.

    With stores, a share is that of the stores that the table has in the week, since such tables list only
    what is promoted somewhere. A promotion of some days of a week counts by its days.

    Args:
        items: ids of the items that the log sells.

    Raises:
        UserError: a column cannot be understood, or no row is of an item and week of the log.
    """
    ways = [ours for ours in ("display", "mailer") if ours in table.columns]
    if not ways:
        raise UserError(
            f"{table.label}: no column for display or mailer; say which is, as in --map "
            "promotions.display=NAME"
        )
    told = [f"no column for {w}; taken as none" for w in ("display", "mailer") if w not in ways]
    by_store = "store" in table.columns
    keep = table.sieve.keep
    values: dict[str, np.ndarray] = {}
    for ours in ways:
        column = table.columns[ours]
        shares, sentence = _shares(column, by_store, decimal, table)
        values[ours] = shares.astype(np.float32)[column.codes[keep]]
        told += [sentence] if sentence else []
    item = items.get_indexer(pd.Index(table.columns["item"].values))[table.columns["item"].codes[keep]]
    item = item.astype(np.int32)
    store, n_stores = _stores(table.columns.get("store"), keep)
    first, length, whole = _spans(table, calendar, told)
    told += _unplaced(table, item >= 0, first, length, calendar)
    # A row that is a week counts as one, any other by its days.
    unit = 1 if whole else 7
    rows, at = _spread(first, length, calendar.n_weeks, unit, table)
    # How many stores the table has in each week, whatever the item.
    pairs = np.unique((at // unit).astype(np.int64) * n_stores + store[rows])
    stores_in_week = np.bincount(pairs // n_stores, minlength=calendar.n_weeks)
    stores_in_week = stores_in_week if by_store else np.ones(calendar.n_weeks, dtype=np.int64)
    known = item[rows] >= 0
    rows, at = rows[known], at[known]
    key = (at.astype(np.int64) * n_stores + store[rows]) * len(items) + item[rows]
    order = np.argsort(key, kind="stable")
    key, rows = key[order], rows[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    if again := len(key) - len(starts):
        told.append(
            f"{again:,} rows repeat an item, {'store and ' if by_store else ''}{'week' if whole else 'day'}; "
            "the greatest share counts"
        )
    key = key[starts]
    week = key // (n_stores * len(items)) // unit
    cell = week * len(items) + key % len(items)
    tables: dict[str, np.ndarray] = {
        name: np.zeros((calendar.n_weeks, len(items))) for name in ("display", "mailer")
    }
    for way, shares in values.items():
        most = np.maximum.reduceat(shares[rows], starts) / (unit * stores_in_week[week])
        total = np.bincount(cell, most, calendar.n_weeks * len(items))
        tables[way] = total.reshape(calendar.n_weeks, len(items)).clip(0, 1)
    week, place = np.nonzero((tables["display"] > 0) | (tables["mailer"] > 0))
    if by_store:
        counts = stores_in_week[stores_in_week > 0]
        told.append(
            f"shares are of the {counts.min():,} to {counts.max():,} stores that the table has in a week"
        )
    frame = pd.DataFrame({"item": items.to_numpy()[place], "week": week + 1})
    for way, shares in tables.items():
        frame[way] = shares[week, place].astype(np.float32)
    told.append(
        f"{len(np.unique(place)):,} items are promoted in {len(np.unique(week)):,} of {calendar.n_weeks:,} "
        "weeks of the log"
    )
    return frame, told


def _shares(column: Column, by_store: bool, decimal: str, table: SideTable) -> tuple[np.ndarray, str]:
    """(D,) share in 0..1 that each distinct text means, and what was inferred."""
    texts = column.texts.astype("str")
    stripped = strip_numbers(texts.str.removesuffix("%"))
    try:
        sign = decimal or decimal_sign([stripped])[0]
    except ValueError as error:
        raise UserError(f"{table.label}: column '{column.name}' must hold shares, but {error}") from error
    numbers = to_numbers(stripped, sign).to_numpy()
    filled = ~column.missing
    low = texts.str.lower()
    percent = texts.str.endswith("%").to_numpy() & filled
    if percent.any():
        numbers = np.where(percent, numbers / 100, numbers)
    words = filled & np.isnan(numbers)
    whole = ~words & filled & (numbers % 1 == 0) & (numbers >= 0) & ~percent
    outside = filled & ~words & ~((numbers >= 0) & (numbers <= 1))
    fractions = filled & ~words & ~whole
    codes = words.any() or (by_store and (outside & whole).any())
    if codes and fractions.any():
        bad = fractions
    elif codes:
        no = low.isin(NO_CODES).to_numpy() | ~filled
        if low[filled & ~no].isin(LETTERS).all():
            no |= low.isin(("f", "n")).to_numpy()
        yes = ", ".join(dict.fromkeys(texts[~no].head(12)))
        none = ", ".join(dict.fromkeys(texts[no & filled])) or "nothing there"
        return (~no).astype(np.float64), f"in column '{column.name}' {none} means no, and {yes} means yes"
    else:
        bad = outside
    if bad.any():
        example = texts[bad].iloc[0]
        raise UserError(
            f"{table.label}: column '{column.name}' must hold shares of stores in 0..1, or codes of which "
            f"0, no or none means no, but has {example}"
            + ("" if by_store else "; map the store where a row is one store's")
        )
    return np.where(filled, numbers, 0.0), ""


def _spans(table: SideTable, calendar: Calendar, told: list[str]) -> tuple[np.ndarray, np.ndarray, bool]:
    """(n,) first day of each row since the log's first Monday, how many days it lasts (0 where it has no
    place), and whether every row is a calendar week."""
    when = one_when(table, needed=True)
    first = calendar.offsets(table, when)
    placed = first != NOWHERE
    if (when == "first_day") != ("last_day" in table.columns):
        raise UserError(f"{table.label}: first_day and last_day go together")
    if when == "first_day":
        last = calendar.offsets(table, "last_day")
        placed &= last != NOWHERE
        early = placed & (last < first)
        if early.any():
            day = calendar.monday + pd.Timedelta(days=int(first[early.argmax()]))
            raise UserError(
                f"{table.label}: column '{table.columns['last_day'].name}' must not be before the first day, "
                f"but {int(early.sum()):,} rows are; the first is of {day.date()}"
            )
        return first, np.where(placed, last - first + 1, 0), False
    if when == "week":
        return first, np.where(placed, 7, 0), True
    weekdays = np.unique(first[placed] % 7)
    if len(weekdays) == 1:
        weekday = (calendar.monday + pd.Timedelta(days=int(weekdays[0]))).day_name()
        told.append(
            f"its dates are all of a {weekday}; each stands for the seven days from it (first_day and "
            "last_day say otherwise)"
        )
        return first, np.where(placed, 7, 0), bool(weekdays[0] == 0)
    told.append("its dates are of any day of a week; each stands for its day alone")
    return first, placed.astype(np.int32), False


def _spread(
    first: np.ndarray, length: np.ndarray, n_weeks: int, unit: int, table: SideTable
) -> tuple[np.ndarray, np.ndarray]:
    """The row and the day (or the week, where `unit` is 1) of each row's days in the log."""
    end = np.minimum(first + length, 7 * n_weeks)
    first = np.maximum(first, 0)
    length = np.maximum(end - first, 0)
    if unit == 1:
        rows = np.flatnonzero(length).astype(np.int32)
        return rows, first[rows] // 7
    if length.sum() > MOST_DAYS:
        raise UserError(f"{table.label}: {length.sum():,} days of promotions are too many; give a row a week")
    rows = np.repeat(np.arange(len(first), dtype=np.int32), length)
    before = np.repeat(np.cumsum(length) - length, length)
    return rows, first[rows] + (np.arange(len(rows)) - before).astype(np.int32)


def _stores(column: Column | None, keep: np.ndarray) -> tuple[np.ndarray, int]:
    """(n,) code of each row's store, and how many there are; one for all where none is known."""
    if column is None:
        return np.zeros(int(keep.sum()), dtype=np.int32), 1
    codes, found = pd.factorize(column.values)
    return codes.astype(np.int32)[column.codes[keep]], len(found)


def _unplaced(
    table: SideTable, known: np.ndarray, first: np.ndarray, length: np.ndarray, calendar: Calendar
) -> list[str]:
    """Sentences on rows of items and weeks that the log has not.

    Raises:
        UserError: no row is left.
    """
    out = (length == 0) | (first + length <= 0) | (first >= 7 * calendar.n_weeks)
    if out.all():
        raise UserError(
            f"{table.label}: no row is of a week of the log, which goes from {calendar.first.date()} to "
            f"{calendar.last.date()}; check the column that says when"
            + (f", or map the log's own week (it has {calendar.n_weeks})" if "week" in table.columns else "")
        )
    if not (known & ~out).any():
        example = table.columns["item"].rows(table.sieve.keep).iloc[0]
        raise UserError(
            f"{table.label}: column '{table.columns['item'].name}' must name items of the log, but no row "
            f"of its weeks does; the first is '{example}'"
        )
    return [
        f"{int(rows.sum()):,} rows are of {what}"
        for rows, what in ((out, "no week of the log"), (~known & ~out, "no item of the log"))
        if rows.any()
    ]
