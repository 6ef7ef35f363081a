"""Anybody's log: a CSV or Parquet file whose columns are mapped to the names of `Log`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bundlegym.data.base import Log
from bundlegym.data.files import column_names, read_table
from bundlegym.data.fill import derive_basket, derive_list_price, derive_time
from bundlegym.data.schema import check_log
from bundlegym.data.times import parse_times
from bundlegym.errors import UserError

NUMBER_COLUMNS = ("price_paid", "list_price", "quantity", "coupon_discount", "week", "unit_cost")
LINE_COLUMNS = (
    "shopper", "item", "basket", "store", "time", "week", "quantity", "price_paid", "list_price",
    "coupon_discount",
)  # fmt: skip
ITEM_COLUMNS = ("item", "name", "department", "category", "subcategory", "brand", "unit_cost")
#: Other names under which a column may be asked for.
ALIASES = {"price": "price_paid"}


def load_log(
    path: Path | str,
    columns: Mapping[str, str] | None = None,
    *,
    columns_file: Path | None = None,
    items_path: Path | None = None,
    name: str | None = None,
) -> Log:
    """Read a log from a CSV, TSV or Parquet file, one row an item bought.

    Needed are `shopper`, `item`, `price_paid` (or `price`; per unit) and one of `time`, `week`, `basket`.
    A column that is not mapped is looked for under its own name. What is missing is derived, and the log's
    `assumptions` say how: quantity is 1; the list price is the highest weekly median price paid for the item
    within four weeks; a basket is what a shopper bought on one day; see `fill.derive_time` for time. Ids are
    read as text. `week` is used only where there is no `time`.

    Args:
        path: the transactions. Item columns (`name`, `department`, `category`, `subcategory`, `brand`,
            `unit_cost`) may stand here too; an item's first row counts.
        columns: our name -> the file's name; wins over `columns_file`.
        columns_file: a TOML file of such pairs.
        items_path: a file with a row an item, under the same mapping.
        name: what to call the log; the file's name by default.

    Raises:
        UserError: a file or column is missing or unreadable, or a mapping names what is not there.
    """
    path = Path(path)
    mapping = _full_mapping(columns, columns_file)
    in_log = column_names(path)
    in_items = column_names(Path(items_path)) if items_path else []
    _check_mapping(mapping, {path: in_log, **({Path(items_path): in_items} if items_path else {})})

    lines = _read(path, mapping, LINE_COLUMNS, in_log)
    _require(lines, in_log, path)
    assumptions: dict[str, str] = {}
    if "quantity" not in lines:
        lines["quantity"] = 1
        assumptions["quantity"] = "the log has no quantities; every line is taken as one piece"
    if "time" not in lines:
        lines["time"], assumptions["time"] = derive_time(lines)
    if "basket" not in lines:
        lines["basket"], assumptions["basket"] = derive_basket(lines)
    if "list_price" not in lines:
        lines["list_price"], assumptions["list_price"] = derive_list_price(lines)
    log = Log(
        name=name or path.name,
        transactions=lines.drop(columns="week", errors="ignore"),
        items=_read_items(path, in_log, items_path, in_items, mapping),
        assumptions=assumptions,
    )
    check_log(log, str(path))
    return log


def read_columns_file(path: Path) -> dict[str, str]:
    """Our name -> the file's name, from a TOML file; UserError where it is missing or not such a file."""
    try:
        pairs = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"columns file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"columns file {path}: not a TOML file ({error})") from error
    for ours, theirs in pairs.items():
        if not isinstance(theirs, str):
            raise UserError(
                f"columns file {path}: '{ours}' must be a column's name in quotes, but is {theirs!r}"
            )
    return pairs


def _full_mapping(columns: Mapping[str, str] | None, columns_file: Path | None) -> dict[str, str]:
    pairs = {**(read_columns_file(columns_file) if columns_file else {}), **(columns or {})}
    mapping = {ALIASES.get(ours, ours): theirs for ours, theirs in pairs.items()}
    known = sorted({*LINE_COLUMNS, *ITEM_COLUMNS, *ALIASES})
    for ours in mapping:
        if ours not in known:
            raise UserError(f"column mapping: '{ours}' is no column of ours; known are: {', '.join(known)}")
    return mapping


def _check_mapping(mapping: Mapping[str, str], found: Mapping[Path, list[str]]) -> None:
    for ours, theirs in mapping.items():
        if not any(theirs in names for names in found.values()):
            have = "; ".join(f"{path} has: {', '.join(names)}" for path, names in found.items())
            raise UserError(f"column mapping: no column '{theirs}' (mapped to '{ours}'); {have}")


def _located(mapping: Mapping[str, str], wanted: tuple[str, ...], names: list[str]) -> dict[str, str]:
    """Our name -> the file's name, for those of `wanted` that the file has."""
    own = {**{target: alias for alias, target in ALIASES.items() if alias in names}, **{n: n for n in names}}
    chosen = {ours: mapping.get(ours, own.get(ours)) for ours in wanted}
    return {ours: theirs for ours, theirs in chosen.items() if theirs in names}


def _require(lines: pd.DataFrame, names: list[str], path: Path) -> None:
    missing = [column for column in ("shopper", "item", "price_paid") if column not in lines]
    if not {"time", "week", "basket"} & set(lines):
        missing.append("time")
    if missing:
        raise UserError(
            f"{path}: no column for {', '.join(missing)}; it has: {', '.join(names)}. Map yours, for example "
            f"{missing[0]}={names[0] if names else 'your_column'}"
            + (" ('week' or 'basket' will do for time)" if "time" in missing else "")
        )


def _read_items(
    path: Path, in_log: list[str], items_path: Path | None, in_items: list[str], mapping: Mapping[str, str]
) -> pd.DataFrame | None:
    if items_path:
        # An items file may call its key 'item' though the log's is mapped to another name.
        own = {key: value for key, value in mapping.items() if key != "item" or value in in_items}
        items = _read(Path(items_path), own, ITEM_COLUMNS, in_items)
        if "item" not in items:
            raise UserError(f"{items_path}: no column 'item'; it has: {', '.join(in_items)}")
        return items
    if len(_located(mapping, ITEM_COLUMNS, in_log)) == 1:
        return None
    return _read(path, mapping, ITEM_COLUMNS, in_log).drop_duplicates("item", ignore_index=True)


def _read(path: Path, mapping: Mapping[str, str], wanted: tuple[str, ...], names: list[str]) -> pd.DataFrame:
    """The columns of `wanted` that the file has, under our names and in the types of a `Log`."""
    located = _located(mapping, wanted, names)
    text = [theirs for ours, theirs in located.items() if ours not in (*NUMBER_COLUMNS, "time")]
    raw = read_table(path, sorted(set(located.values())), text)
    table = pd.DataFrame({ours: raw[theirs] for ours, theirs in located.items()})
    if table.empty and located:
        raise UserError(f"{path}: it has no rows")
    for ours, theirs in located.items():
        if ours in NUMBER_COLUMNS:
            table[ours] = _numbers(table[ours], theirs, path, may_be_empty=ours == "unit_cost")
        elif ours == "time":
            table[ours] = _times(table[ours], theirs, path)
        else:
            table[ours] = table[ours].astype("str")
    return table


def _numbers(values: pd.Series, column: str, path: Path, *, may_be_empty: bool) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    bad = numbers.isna() & (values.notna() if may_be_empty else True)
    _refuse(values, bad, f"{path}: column '{column}' must hold numbers like 2.49")
    return numbers


def _times(values: pd.Series, column: str, path: Path) -> pd.Series:
    rule = f"{path}: column '{column}' must hold dates like 2024-01-31 17:45"
    try:
        times = parse_times(values)
    except ValueError as error:
        raise UserError(f"{rule}, but {error}") from error
    _refuse(values, times.isna(), rule)
    return times


def _refuse(values: pd.Series, bad: pd.Series, rule: str) -> None:
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise UserError(
            f"{rule}, but {int(bad.sum()):,} of {len(values):,} rows do not; the first is data row "
            f"{row + 1}: {values.iloc[row]!r}"
        )
