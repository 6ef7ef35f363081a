"""The tables that may stand beside a log's lines: which there are, their columns, and how one is read.

A columns file names them, each with a mapping of its own:

    [promotions]
    file = "causal_data.csv"
    item = "PRODUCT_ID"

What becomes of each is said in `records`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data.columns import Column, understand
from bundlegym.data.config import ReadOptions
from bundlegym.data.files import beside
from bundlegym.data.lines import Sieve, refuse_unreadable, sift_headers
from bundlegym.data.mapping import NUMBER_COLUMNS, TIME_COLUMNS, in_names
from bundlegym.data.tables import open_table
from bundlegym.errors import UserError


@dataclass(frozen=True)
class TableForm:
    """What a table is for, the columns that it needs, those that it may have, and whether others are read."""

    about: str
    needed: tuple[str, ...]
    further: tuple[str, ...] = ()
    open: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.needed, *self.further)


#: Ways to say when: one of them stands in a table that changes over time.
WHEN = ("week", "time", "day", "first_day")
ITEM_FACTS = ("name", "department", "category", "subcategory", "brand", "unit_cost")
FORMS: dict[str, TableForm] = {
    "items": TableForm("a row an item", ("item",), ITEM_FACTS),
    "shoppers": TableForm("a row a shopper, what is known of them", ("shopper",), open=True),
    "promotions": TableForm(
        "what was displayed or mailed when", ("item",), ("store", *WHEN, "last_day", "display", "mailer")
    ),
    "campaigns": TableForm("a row a campaign of coupons", ("campaign", "first_day", "last_day"), ("kind",)),
    "members": TableForm("whom a campaign was sent to", ("campaign", "shopper")),
    "coupons": TableForm("a row an item that a coupon is good for", ("campaign", "coupon", "item")),
    "redemptions": TableForm("a row a coupon that was used", ("campaign", "shopper", "coupon")),
    "costs": TableForm("what a piece of an item costs the shop from when on", ("item", "unit_cost"), WHEN),
    "stock": TableForm("how many pieces of an item were there when", ("item", "on_hand"), ("store", *WHEN)),
    "stores": TableForm("a row a store", (), open=True),
}
#: What a table's own `[NAME.options]` may say. Of the log's options it keeps those that its shop has.
FILE_OPTIONS = ("encoding", "delimiter", "header_line", "decimal", "day_first", "month_first", "date_format",
                "zone", "bad_lines")  # fmt: skip
SHARED_OPTIONS = ("encoding", "decimal", "day_first", "month_first", "zone", "bad_lines")


@dataclass(frozen=True)
class TableSource:
    """A table as a columns file or the command line names it.

    Attributes:
        file: as written; looked for in the working directory, then beside the log. "" where it is not said.
        pairs: our name -> the file's name.
        options: of reading this file.
        received: of campaigns, kind -> how many of its coupons each member got.
    """

    file: str = ""
    pairs: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    received: Mapping[str, int] = field(default_factory=dict)

    def path(self, log: Path) -> Path:
        return beside(self.file, log)


@dataclass(frozen=True)
class SideTable:
    """A table as understood: its columns, which rows are left, and what to call it in messages."""

    name: str
    label: str
    columns: dict[str, Column]
    sieve: Sieve

    def frame(self) -> pd.DataFrame:
        """The rows that are left, under our names."""
        return pd.DataFrame({ours: column.rows(self.sieve.keep) for ours, column in self.columns.items()})

    def told(self) -> str:
        """How many rows it has, and how many were left out for which reason."""
        rows = f"{self.label.removeprefix(self.name).strip()}: {len(self.sieve.keep):,} rows"
        left_out = ", ".join(f"{count:,}: {reason}" for reason, count in self.sieve.dropped.items())
        return rows + (f"; left out {left_out}" if left_out else "")


def table_source(name: str, content: Mapping[str, Any], where: str) -> TableSource:
    """What the table `[name]` of a columns file says.

    Raises:
        UserError: there is no such table or column, or something is not of its kind.
    """
    if name not in FORMS:
        raise UserError(f"{where}: [{name}] is no table; known are: {', '.join(FORMS)}, options")
    rest = dict(content)
    options = rest.pop("options", {})
    if not isinstance(options, dict) or not set(options) <= set(FILE_OPTIONS):
        raise UserError(f"{where}: [{name}.options] may hold {', '.join(FILE_OPTIONS)}")
    received = rest.pop("received", {}) if name == "campaigns" else {}
    if not isinstance(received, dict) or not all(type(n) is int and n >= 0 for n in received.values()):
        raise UserError(
            f"{where}: [{name}] received must say how many coupons each member got, by kind, as in "
            "received = { TypeA = 16 }"
        )
    file = rest.pop("file", "")
    for ours, theirs in {"file": file, **rest}.items():
        if not isinstance(theirs, str):
            raise UserError(f"{where}: [{name}] {ours} must be a name in quotes, but is {theirs}")
    for ours in rest:
        check_column(name, ours, where)
    return TableSource(file, rest, options, received)


def check_column(name: str, ours: str, where: str) -> None:
    """Raise `UserError` where the table `name` has no column `ours`."""
    form = FORMS[name]
    if not form.open and ours not in form.columns:
        raise UserError(f"{where}: '{ours}' is no column of {name}; known are: {', '.join(form.columns)}")


def file_options(source: TableSource, options: ReadOptions) -> ReadOptions:
    """How to read `source` beside a log that is read with `options`."""
    kept = {name: getattr(options, name) for name in SHARED_OPTIONS}
    if "day_first" in source.options or "month_first" in source.options:
        kept |= {"day_first": False, "month_first": False}
    return ReadOptions(**{**kept, **source.options})


def read_side_table(
    name: str, source: TableSource, log: Path, options: ReadOptions, numbered_days: bool
) -> SideTable:
    """Read the table `name`, and leave out the rows that lack what is needed.

    Args:
        numbered_days: the log numbers its days, and so do its tables.

    Raises:
        UserError: the file or a column is missing, or holds what cannot be understood.
    """
    form, path = FORMS[name], source.path(log)
    own = file_options(source, options)
    table = open_table(path, own, {*form.columns, *source.pairs.values()})
    label = f"{name} {table.label}"
    where = _located(name, source, table.names, label)
    raw, left_out = table.read(set(where.values()))
    if not (rows := len(next(iter(raw.values())))):
        raise UserError(f"{label}: it has no rows")
    numbers = () if form.open else (*NUMBER_COLUMNS, *(TIME_COLUMNS if numbered_days else ()))
    times = () if form.open or numbered_days else TIME_COLUMNS
    columns, notes = understand(raw, where, own, label, numbers, times)
    sieve = Sieve(np.ones(rows, dtype=bool), dict(left_out), {**table.notes, **notes})
    sift_headers(columns, sieve)
    optional = ("display", "mailer", "kind", "unit_cost") if name != "costs" else ()
    for ours, column in columns.items():
        if not form.open and ours not in optional or ours in form.needed:
            sieve.drop(column.missing[column.codes], f"no {ours.replace('_', ' ')}")
    for ours, column in columns.items():
        if column.bad.any():
            bad = column.bad[column.codes]
            if own.bad_lines == "drop":
                sieve.drop(bad, f"{ours.replace('_', ' ')} that cannot be read")
            else:
                refuse_unreadable(column, bad & sieve.keep, label)
    if not sieve.keep.any():
        told = ", ".join(f"{reason}: {count:,}" for reason, count in sieve.dropped.items())
        raise UserError(f"{label}: no row is left ({told})")
    return SideTable(name, label, columns, sieve)


def _located(name: str, source: TableSource, names: tuple[str, ...], label: str) -> dict[str, str]:
    """Our name -> the file's name: mapped, or under our own name; all others of an open table as they are."""
    form = FORMS[name]
    found: dict[str, str] = {}
    for ours, theirs in source.pairs.items():
        place = in_names(theirs, names)
        if place is None:
            close = get_close_matches(theirs, names, 1)
            hint = f" (is '{close[0]}' meant?)" if close else ""
            raise UserError(
                f"{label}: no column '{theirs}' (mapped to '{ours}'){hint}; it has: {', '.join(names)}"
            )
        found[ours] = place
    for ours in form.columns:
        if ours not in found and ours in names and ours not in found.values():
            found[ours] = ours
    if form.open and not set(found) - set(form.needed):
        found |= {theirs: theirs for theirs in names if theirs not in found.values()}
    missing = [ours for ours in form.needed if ours not in found]
    if missing:
        raise UserError(
            f"{label}: no column for {', '.join(missing)}; it has: {', '.join(names)}. Say which is, as in "
            f"--map {name}.{missing[0]}=NAME"
        )
    return found


def parse_files(texts: Iterable[str]) -> dict[str, str]:
    """Name -> file of texts NAME=FILE."""
    files: dict[str, str] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise UserError(
                f"--table: '{text}' is not of the form NAME=FILE, as promotions=causal_data.csv; known names "
                f"are: {', '.join(FORMS)}"
            )
        files[name] = file
    return files


def with_pairs(
    sources: Mapping[str, TableSource],
    files: Mapping[str, Path | str | TableSource],
    pairs: Mapping[str, str],
) -> dict[str, TableSource]:
    """`sources` with what the command line says: name -> file, and pairs table.column -> theirs.

    Raises:
        UserError: there is no such table or column, or a table has no file.
    """
    found = dict(sources)
    for name, file in files.items():
        if name not in FORMS:
            raise UserError(f"--table: '{name}' is no table; known are: {', '.join(FORMS)}")
        if isinstance(file, TableSource):
            found[name] = file
        else:
            found[name] = dataclasses.replace(found.get(name, TableSource()), file=str(file))
    for place, theirs in pairs.items():
        name, _, ours = place.partition(".")
        if name not in FORMS:
            raise UserError(f"--map {place}: '{name}' is no table; known are: {', '.join(FORMS)}")
        check_column(name, ours, f"--map {place}")
        source = found.get(name, TableSource())
        found[name] = dataclasses.replace(source, pairs={**source.pairs, ours: theirs})
    for name, source in found.items():
        if not source.file:
            raise UserError(f'{name}: no file is given; --table {name}=FILE, or file = "FILE" in [{name}]')
    return found
