"""Anybody's log: a table whose columns are mapped to the names of `Log`.

One way: text as it stands (`tables`), columns as understood (`columns`), rows that are sales (`lines`), and
what the log lacks derived (`fill`). Each inference is told in the log's `assumptions`, each row that is left
out is counted in `Log.dropped`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bundlegym.data.base import Log
from bundlegym.data.calendar import calendar_of
from bundlegym.data.columns import Column, understand
from bundlegym.data.columns_file import ColumnsFile, read_columns_file, with_file_options
from bundlegym.data.config import ReadOptions
from bundlegym.data.fill import derive_basket, derive_time
from bundlegym.data.item_vectors import read_item_vectors
from bundlegym.data.later_days import REPEATED, repeated
from bundlegym.data.lines import (
    EVENT_NAMES,
    Sieve,
    find_guests,
    gaps,
    looks_like_events,
    looks_like_statuses,
    part_receipts,
    rises_with_quantity,
    sift_dates,
    sift_rows,
)
from bundlegym.data.mapping import (
    ITEM_COLUMNS,
    LINE_COLUMNS,
    check_mapping,
    full_mapping,
    header_words,
    in_names,
    located,
)
from bundlegym.data.records import read_records
from bundlegym.data.regular_price import derive_list_price
from bundlegym.data.row_blocks import move_rows
from bundlegym.data.schema import check_log
from bundlegym.data.side_tables import TableSource, file_options, with_pairs
from bundlegym.data.tables import TABLE_NUMBER, Table, distinct, open_table, release
from bundlegym.errors import UserError

#: The columns of a `Log`'s transactions, in their order.
_KEPT = (
    "shopper",
    "item",
    "basket",
    "store",
    "time",
    "quantity",
    "price_paid",
    "list_price",
    "coupon_discount",
    "line_discount",
)


#: Those of them that are ids: categoricals, since each id is on many lines.
_IDS = ("shopper", "item", "basket", "store")


def load_log(
    path: Path | str,
    columns: Mapping[str, str] | None = None,
    *,
    columns_file: Path | None = None,
    items_path: Path | None = None,
    tables: Mapping[str, Path | str | TableSource] | None = None,
    later: Sequence[Path | str] = (),
    name: str | None = None,
    options: ReadOptions | None = None,
) -> Log:
    """Read a log from a table, one row an item bought: text, Parquet, a workbook, packed or a folder of them.

    Needed are `shopper`, `item`, `price_paid` (or `price`; per unit) or `amount` (of the line), and one of
    `time`, `week`, `day`, `basket`. A column that is not mapped is looked for under its own name. What is
    missing is derived, and the log's `assumptions` say how: quantity is 1; the list price is the highest
    weekly median price paid for the item within four weeks; a basket is what a shopper bought on one day; see
    `fill.derive_time` for time. Ids are text. `week` and `day` are used only where there is no `time`.

    Args:
        path: the transactions. Item columns (`name`, `department`, `category`, `subcategory`, `brand`,
            `unit_cost`) may stand here too; an item's first row counts.
        columns: our name -> the file's name; wins over `columns_file`. `promotions.item` is the column `item`
            of the table `promotions`.
        columns_file: a TOML file of such pairs, of `[options]`, which count where `options` has none, and of
            tables beside the log (`side_tables`).
        items_path: a table with a row an item, under the same mapping.
        tables: name -> file, or file and mapping, of tables beside the log; wins over `columns_file`.
        later: tables of later days, of the same columns; what they repeat of earlier ones is left out.
        name: what to call the log; the file's name by default.
        options: how to read what the file does not say about itself.

    Raises:
        UserError: a file or column is missing or unreadable, a mapping names what is not there, or what a
            column means cannot be known; the message names the option that decides.
    """
    path = Path(path)
    options = options or ReadOptions()
    stated = read_columns_file(columns_file) if columns_file is not None else ColumnsFile({}, {}, {})
    options = with_file_options(options, stated.options)
    pairs = {**stated.pairs, **(columns or {})}
    mapping = full_mapping({ours: theirs for ours, theirs in pairs.items() if "." not in ours})
    beside = {ours: theirs for ours, theirs in pairs.items() if "." in ours}
    sources = with_pairs(stated.tables, tables or {}, beside)
    if items_path and "items" in sources:
        raise UserError("the items are given twice: by --items-file and as the table items")
    wanted = header_words(mapping)
    table = open_table(path, options, wanted, [Path(file) for file in later])
    of_items = sources.get("items", TableSource(str(items_path)) if items_path else None)
    items_table = _open_items(of_items, path, options, wanted) if of_items else None
    found = [table, *([items_table] if items_table else [])]
    check_mapping(mapping, {part.label: part.names for part in found})

    lines, sieve, dated = _read_lines(table, mapping, options, keep_weeks=bool(set(sources) - {"items"}))
    notes = {**table.notes, **sieve.notes}
    calendar = calendar_of(lines, dated)
    _fill(lines, notes, options)
    kept = {column: _without_unused(lines.pop(column)) for column in _KEPT if column in lines}
    transactions = pd.DataFrame(kept, copy=False)
    items = _read_items(table, items_table, of_items, mapping, options, notes)
    if items_table is not None and items is not None:
        notes["table items"] = f"{items_table.label}: {len(items):,} items"
    records = read_records(sources, path, options, transactions, calendar)
    notes |= {f"table {name}": sentence for name, sentence in records.told.items()} | records.notes
    log = Log(
        name=name or path.name,
        transactions=transactions,
        items=items,
        shoppers=records.shoppers,
        promotions=records.promotions,
        campaigns=records.campaigns,
        costs=records.costs,
        vectors=read_item_vectors(options.item_vectors, path),
        notes=records.remarks,
        assumptions=notes,
        dropped=sieve.dropped,
    )
    check_log(log, str(path))
    return log


def _read_lines(
    table: Table, mapping: Mapping[str, str], options: ReadOptions, *, keep_weeks: bool
) -> tuple[pd.DataFrame, Sieve, bool]:
    """The rows that are sales, under our names, with one price a unit; and whether they have dates.

    Args:
        keep_weeks: read the log's own weeks beside its dates, since other tables may count in them.
    """
    where = located(mapping, LINE_COLUMNS, table.names)
    _require(where, table)
    not_read: list[str] = []
    if dated := "time" in where:
        spare = ("day",) if keep_weeks else ("week", "day")
        not_read = [ours for ours in spare if ours in where]
        where = {ours: theirs for ours, theirs in where.items() if ours not in spare}
    where |= _unmapped(table, where, options)
    raw, left_out = table.read({*where.values(), TABLE_NUMBER})
    number = raw.pop(TABLE_NUMBER).to_numpy()
    if not len(number):
        raise UserError(f"{table.label}: it has no rows")
    columns, notes = understand(raw, where, options, table.label)
    notes |= {ours: f"not read, since the log has dates ({where['time']})" for ours in not_read}
    sieve = Sieve(np.ones(len(next(iter(columns.values())).codes), dtype=bool), dict(left_out), notes)
    sift_rows(columns, sieve, options, table.label)
    _require_rows(sieve, table)
    kept = {
        ours: _rows(ours, columns.pop(ours), sieve.keep)
        for ours in list(columns)
        if ours not in ("event", "status")
    }
    lines = pd.DataFrame(kept | {TABLE_NUMBER: number[sieve.keep]}, copy=False)
    del kept, number
    release()
    if "time" in lines:
        out, reason, sentence = sift_dates(lines["time"], options)
        lines = _leave_out(lines, out, reason, sieve)
        if sentence:
            sieve.notes["far dates"] = sentence
    else:
        lines["time"], sieve.notes["time"] = derive_time(lines)
    _require_rows(sieve, table)
    lines = _leave_out(lines, repeated(lines, TABLE_NUMBER, table.label), REPEATED, sieve)
    lines = _without_guests(lines.drop(columns=TABLE_NUMBER), options, sieve)
    _require_rows(sieve, table)
    return _with_unit_prices(lines, options, sieve.notes), sieve, dated


def _rows(ours: str, column: Column, keep: np.ndarray) -> pd.Series:
    """The rows `keep` (n,) bool of a column, in as few bytes as they are the same."""
    release()
    if ours in _IDS:
        return column.ids(keep)
    return column.pieces(keep) if ours == "quantity" else column.rows(keep)


def _unmapped(table: Table, where: Mapping[str, str], options: ReadOptions) -> dict[str, str]:
    """Columns nobody mapped that say which lines are sales: events, and statuses of orders."""
    found: dict[str, str] = {}
    for name in table.names:
        lower = name.lower()
        event = lower in EVENT_NAMES and options.events != ("all",) and "event" not in where
        status = "status" in lower and options.statuses != ("all",) and "status" not in where
        if name in where.values() or not (event or status):
            continue
        texts, _ = distinct(table.read([name])[0][name])
        if event and looks_like_events(texts):
            found.setdefault("event", name)
        elif status and looks_like_statuses(texts):
            found.setdefault("status", name)
    return found


def _leave_out(lines: pd.DataFrame, out: np.ndarray, reason: str, sieve: Sieve) -> pd.DataFrame:
    """`lines` without those that are `out` (n,) bool, which are counted."""
    if not out.any():
        return lines
    sieve.dropped[reason] = sieve.dropped.get(reason, 0) + int(out.sum())
    return move_rows(lines, ~out)


def _without_guests(lines: pd.DataFrame, options: ReadOptions, sieve: Sieve) -> pd.DataFrame:
    """Lines of guests left out, or each of their baskets made a shopper."""
    named = (lines["shopper"] != "").to_numpy()
    ids, sentence = find_guests(lines if named.all() else lines[named], options)
    if sentence:
        sieve.notes["guests"] = sentence
    guest = (lines["shopper"].isin(ids) | (lines["shopper"] == "")).to_numpy()
    if not options.keep_guests:
        return _leave_out(lines, guest, "guest", sieve)
    if guest.any():
        of = (lines["basket"] if "basket" in lines else lines["time"]).astype("str")
        lines["shopper"] = lines["shopper"].astype("str").mask(guest, "guest " + of).astype("category")
        sieve.notes["guests"] = (
            f"{guest.sum():,} lines of guests; each of their baskets is a shopper of one visit"
        )
    return lines


def _with_unit_prices(lines: pd.DataFrame, options: ReadOptions, notes: dict[str, str]) -> pd.DataFrame:
    """Lines with `quantity` and prices of one unit; whatever is negative makes the line a return."""
    if "quantity" not in lines:
        lines["quantity"] = np.int32(1)
        notes["quantity"] = "the log has no quantities; every line is taken as one piece"
    price = "amount" if "amount" in lines else "price_paid"
    totals = {price} if price == "amount" else set()
    if price == "price_paid" and options.line_totals != "no":
        if options.line_totals == "yes":
            totals.add(price)
        elif rises_with_quantity(lines[price], lines["quantity"], lines["item"]):
            totals.add(price)
            notes["line totals"] = (
                "price_paid rises in proportion to quantity, so it is read as the total of a line (map it as "
                "amount to say so); --line-totals no overrules"
            )
        if totals and "list_price" in lines:
            if rises_with_quantity(lines["list_price"].fillna(0.0), lines["quantity"], lines["item"]):
                totals.add("list_price")
        if totals and "coupon_discount" in lines:
            totals.add("coupon_discount")
    elif "coupon_discount" in lines and price == "amount":
        totals.add("coupon_discount")
    if totals:
        weighed = ((lines["quantity"] == 0) & (lines[price] != 0)).to_numpy()
        if weighed.any():
            lines["quantity"] = lines["quantity"].where(~weighed, 1)
            notes["weighed sales"] = (
                f"{weighed.sum():,} lines have a quantity of 0 and an amount; each is taken as one piece"
            )
    size = lines["quantity"].abs()
    pieces = size.where(size > 0, 1)
    for name in totals:
        lines[name] = lines[name] / pieces
    lines = lines.rename(columns={"amount": "price_paid"})
    back = ((lines["quantity"] < 0) | (lines["price_paid"] < 0)).to_numpy()
    if back.any():
        lines["quantity"] = size.where(~back, -size)
    lines["price_paid"] = lines["price_paid"].abs()
    if "coupon_discount" in lines:
        lines["coupon_discount"] = lines["coupon_discount"].abs().fillna(0.0)
    if "discount_amount" in lines:
        off = lines.pop("discount_amount").abs().fillna(0.0) / pieces
        lines["list_price"] = lines["price_paid"] + lines.get("coupon_discount", 0.0) + off
    if "list_price" in lines:
        unknown = lines["list_price"].isna()
        if unknown.any():
            notes["list price"] = f"{unknown.sum():,} lines have no list price; it is taken as the price paid"
        lines["list_price"] = lines["list_price"].abs().fillna(lines["price_paid"])
    return lines


def _fill(lines: pd.DataFrame, notes: dict[str, str], options: ReadOptions) -> None:
    """Add to `lines` what they lack, and to `notes` what is assumed by that."""
    if text := gaps(lines["time"]):
        notes["gap"] = text
    if "store" in lines:
        notes["store"] = (
            f"{lines['store'].nunique():,} stores; "
            + ("a receipt number counts within its store, and " if "basket" in lines else "")
            + "nothing else reads the store of a line"
        )
    if "basket" in lines:
        if "store" in lines:
            receipt = lines["store"].astype("str") + " " + lines["basket"].astype("str")
            lines["basket"] = receipt.astype("category")
        lines["basket"], parted = part_receipts(lines, options.basket_hours)
        if parted:
            notes["receipts"] = (
                f"{parted:,} baskets have lines more than {options.basket_hours:g} hours apart; their "
                "numbers start anew, and they are taken as several visits; --basket-hours overrules"
            )
    else:
        lines["basket"], notes["basket"] = derive_basket(lines)
    if "list_price" not in lines:
        found, notes["list_price"] = derive_list_price(lines)
        for name in ("list_price", "line_discount"):
            lines[name] = found[name]


def _without_unused(values: pd.Series) -> pd.Series:
    """The values; a categorical knows only categories that are there."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values
    full = len(values.cat.codes.unique()) == len(values.cat.categories)
    return values if full else values.cat.remove_unused_categories()


def _require(where: Mapping[str, str], table: Table) -> None:
    missing = [column for column in ("shopper", "item") if column not in where]
    if not {"price_paid", "amount"} & set(where):
        missing.append("price_paid")
    if not {"time", "week", "day", "basket"} & set(where):
        missing.append("time")
    if missing:
        hints = ""
        if "price_paid" in missing:
            hints += " ('amount' will do where prices are totals of lines)"
        if "time" in missing:
            hints += " ('week', 'day' or 'basket' will do for time)"
        taken = ", ".join(f"{theirs} for {ours}" for ours, theirs in where.items())
        raise UserError(
            f"{table.label}: no column for {', '.join(missing)}; it has: {', '.join(table.names)}"
            f"{f' (taken are {taken})' if taken else ''}. Say which "
            f"is, as in --map {missing[0]}=NAME{hints}; bundlegym inspect proposes what it can tell"
        )


def _require_rows(sieve: Sieve, table: Table) -> None:
    total = sum(sieve.dropped.values())
    if total == len(sieve.keep) + sum(
        c for r, c in sieve.dropped.items() if r == "line with too many fields"
    ):
        told = ", ".join(f"{reason}: {count:,}" for reason, count in sieve.dropped.items())
        raise UserError(f"{table.label}: no line is left ({told})")


def _read_items(
    table: Table,
    items_table: Table | None,
    source: TableSource | None,
    mapping: Mapping[str, str],
    options: ReadOptions,
    notes: dict[str, str],
) -> pd.DataFrame | None:
    if items_table is None or source is None:
        if len(located(mapping, ITEM_COLUMNS, table.names)) == 1 and not options.text:
            return None
        items = _items_of(table, mapping, options, notes, options.text)
        return items.drop_duplicates("item", ignore_index=True)
    # An items file may call its key 'item' though the log's is mapped to another name.
    own = {key: value for key, value in mapping.items() if key != "item" or value in items_table.names}
    own |= source.pairs
    if "item" not in located(own, ITEM_COLUMNS, items_table.names):
        raise UserError(f"{items_table.label}: no column 'item'; it has: {', '.join(items_table.names)}")
    return _items_of(items_table, own, file_options(source, options), notes, options.text)


def _open_items(source: TableSource, log: Path, options: ReadOptions, wanted: set[str]) -> Table:
    """The items' own table, whose mapping is that of the log where it has none of its own."""
    names = {*wanted, *source.pairs.values()}
    table = open_table(source.path(log), file_options(source, options), names)
    check_mapping(source.pairs, {table.label: table.names})
    return table


def _items_of(
    table: Table,
    mapping: Mapping[str, str],
    options: ReadOptions,
    notes: dict[str, str],
    text: Sequence[str],
) -> pd.DataFrame:
    """A row an item: what is known under our names, and the columns `text` under their own."""
    where = located(mapping, ITEM_COLUMNS, table.names)
    for name in text:
        if name not in ITEM_COLUMNS:
            if (theirs := in_names(name, table.names)) is None:
                have = ", ".join(table.names)
                raise UserError(f"{table.label}: no column '{name}' (--text); it has: {have}")
            where[name] = theirs
    columns, found = understand(table.read(set(where.values()))[0], where, options, table.label)
    notes |= {f"items, {key}": text for key, text in found.items() if not key.startswith("item,")}
    item = columns["item"]
    # One row an item, found by code, so that long logs are not expanded for their items.
    keep = np.zeros(len(item.codes), dtype=bool)
    known = np.flatnonzero(~item.missing[item.codes])
    ids = pd.Index(item.values).factorize()[0][item.codes]
    if "name" in columns:
        known = known[_by_name(ids[known], columns["name"], known)]
    keep[known[pd.Series(ids[known]).drop_duplicates().index]] = True
    if "unit_cost" in columns:
        _check_costs(columns["unit_cost"], keep, table)
    return pd.DataFrame({ours: column.rows(keep) for ours, column in columns.items()})


def _by_name(ids: np.ndarray, name: Column, rows: np.ndarray) -> np.ndarray:
    """(R,) order of `rows` in which an item's most frequent name comes first: what a clerk wrote instead on
    single lines ("damaged", "mailout") is no name. Rows without a name come last, equals as they stand."""
    codes = name.codes[rows]
    pair = pd.factorize(ids * len(name.values) + codes)[0]
    count = np.where(name.missing[codes], 0, np.bincount(pair)[pair])
    return np.argsort(-count, kind="stable")


def _check_costs(column: Column, keep: np.ndarray, table: Table) -> None:
    bad = column.bad[column.codes] & keep
    if bad.any():
        row = int(bad.argmax())
        raise UserError(
            f"{table.label}: column '{column.name}' {column.rule}, but {int(bad.sum()):,} rows do not; the "
            f"first is data row {row + 1}: '{column.texts.iloc[column.codes[row]]}'"
        )
