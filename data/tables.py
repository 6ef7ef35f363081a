"""A table as it stands in its files, whatever their kind; nothing is understood yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import python_calamine

from bundlegym.data.config import ReadOptions
from bundlegym.data.files import (
    PARQUET_SUFFIXES,
    READ_ERRORS,
    SHEET_SUFFIXES,
    Source,
    beside,
    sources,
    unreadable,
)
from bundlegym.data.text import (
    TEXT,
    TextForm,
    continued_lines,
    read_beginning,
    read_text,
    text_form,
    unique_names,
)
from bundlegym.errors import UserError

#: The column that says of which table a row is: 0 the log, 1 the first table of later days, and so on.
TABLE_NUMBER = "\x00table number"
#: Lines that continue a text of the line before, as a share of rows, beyond which quotation marks are wrong.
MOST_CONTINUED = 0.05


@dataclass(frozen=True)
class Part:
    """One file of a table: its columns' names, how it is written or what it holds already, and of which
    table of later days it is, from 1; 0 for one of the log itself."""

    source: Source
    names: tuple[str, ...]
    form: TextForm | None = None
    content: pa.Table | None = None
    later: int = 0


@dataclass(frozen=True)
class Table:
    """A table in one or more files of the same columns, and the tables joined to it.

    Attributes:
        label: what to call it in messages.
        names: its columns, joined ones behind.
        notes: what was found out about how it is written.
    """

    label: str
    names: tuple[str, ...]
    parts: tuple[Part, ...]
    joined: tuple[Joined, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    def read(self, columns: Collection[str]) -> tuple[dict[str, pa.ChunkedArray], dict[str, int]]:
        """Name -> column of those of `columns` that are there, text as dictionaries, types of Parquet as they
        are, and `TABLE_NUMBER` if asked for; and rows left out by reason."""
        first = self.parts[0].names
        own = [name for name in first if name in columns]
        keys = [table.key for table in self.joined if table.key in first and table.key not in own]
        wanted = {*columns, *(table.key for table in self.joined)}
        pieces, dropped = [], dict[str, int]()
        for part in self.parts:
            piece, left_out = _read_part(part, [*own, *dict.fromkeys(keys)])
            pieces.append(piece)
            for reason, count in left_out.items():
                dropped[reason] = dropped.get(reason, 0) + count
        table = _stack(pieces, self.label)
        for joined in self.joined:
            for name in (name for name in joined.names if name in wanted and name not in table.column_names):
                table = table.append_column(name, joined.column(name, table[joined.key]))
        if TABLE_NUMBER in columns:
            numbers = [
                np.full(piece.num_rows, part.later, dtype=np.int16)
                for part, piece in zip(self.parts, pieces, strict=True)
            ]
            table = table.append_column(TABLE_NUMBER, pa.array(np.concatenate(numbers)))
        return {name: table[name] for name in (*self.names, TABLE_NUMBER) if name in columns}, dropped

    def beginning(self, rows: int) -> pa.Table:
        """All columns of the first `rows` rows of each file, as text or as Parquet has them."""
        pieces = []
        for part in self.parts:
            if part.content is not None:
                pieces.append(part.content.slice(0, rows))
            elif part.form is not None:
                pieces.append(read_beginning(part.source, part.form, rows))
            else:
                with part.source.open() as file:
                    batches = pq.ParquetFile(file).iter_batches(batch_size=rows)
                    pieces.append(pa.Table.from_batches([next(batches)]))
        table = _stack(pieces, self.label)
        for joined in self.joined:
            for name in (name for name in joined.names if name not in table.column_names):
                table = table.append_column(name, joined.column(name, table[joined.key]))
        return table


@dataclass(frozen=True)
class Joined:
    """A table that gives further columns to each line, found by the line's `key`."""

    key: str
    names: tuple[str, ...]
    content: pa.Table
    ids: pd.Index

    def column(self, name: str, keys: pa.ChunkedArray) -> pa.ChunkedArray:
        """The column for each line; null where the key is not in the table."""
        values, codes = distinct(keys)
        rows = np.append(self.ids.get_indexer(pd.Index(values)), -1)[codes]
        return self.content[name].take(pa.array(rows, mask=rows < 0))


def open_table(
    path: Path, options: ReadOptions, wanted: Collection[str], later: Sequence[Path] = ()
) -> Table:
    """The table at `path`, not yet read, with the tables of `options.join` joined to it.

    Args:
        wanted: names of which the header is likely to hold some.
        later: tables of later days, whose rows follow.
    """
    parts = [
        replace(part, later=number)
        for number, file in enumerate((path, *later))
        for source in sources(file)
        for part in _open(source, options, wanted)
    ]
    names = parts[0].names
    for part in parts[1:]:
        if set(part.names) != set(names) and part.later:
            raise UserError(
                f"{part.source.label}: has the columns {', '.join(part.names)}, but the log, {path}, has "
                f"{', '.join(names)}; later days must come in the same columns"
            )
        if set(part.names) != set(names):
            raise UserError(
                f"{path}: its tables have not the same columns; {parts[0].source.label} has "
                f"{', '.join(names)}, but {part.source.label} has {', '.join(part.names)}; give one of them "
                "as the log and --join the others"
            )
    notes: dict[str, str] = {}
    for part in parts:
        notes.update(part.form.notes if part.form else {})
        for name in (name for name in part.names if name.endswith(" (2)")):
            notes["names"] = (
                f"the column '{name[:-4]}' comes again; the first is read under this name, the next is "
                f"called '{name}'"
            )
    if len(parts) > 1:
        notes["files"] = f"{len(parts)} tables of the same columns are read as one"
    joined: list[Joined] = []
    for text in options.join:
        joined.append(_join(text, path, (*names, *(n for j in joined for n in j.names)), options, wanted))
    every = dict.fromkeys([*names, *(name for table in joined for name in table.names)])
    return Table(str(path), tuple(every), tuple(parts), tuple(joined), notes)


def _in_one_dictionary(column: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    """A column of one piece, each distinct value once."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries()
        release()
        encoded = encoded.combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], TEXT)
    return encoded


def distinct(column: pa.ChunkedArray | pa.Array) -> tuple[pd.Series, np.ndarray]:
    """The distinct texts of `column`, without blanks and NULs around them, and (n,) place of each row's
    text among them; -1, which is the last place of whatever gets one entry more, where the row has none."""
    encoded = _in_one_dictionary(column)
    codes = encoded.indices.cast(pa.int32(), safe=False).fill_null(-1).to_numpy(zero_copy_only=False)
    texts = pc.replace_substring(_as_text(encoded.dictionary), "\x00", "")
    texts = pc.utf8_trim(pc.utf8_trim_whitespace(texts), "\ufeff\u200b")
    release()
    return pd.Series(texts.to_pandas(), dtype="str").fillna(""), codes


def release() -> None:
    """Give back to the system the room of columns that are gone, which Arrow keeps for the next ones."""
    pa.default_memory_pool().release_unused()


def _as_text(values: Any) -> Any:
    """Values of whatever type as text; whole numbers without a point."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _as_text(values.cast(kind.value_type))
    if pa.types.is_floating(kind):
        known = pc.if_else(pc.is_finite(values), values, None)
        if pc.all(pc.equal(known, pc.floor(known))).as_py() is not False:
            return known.cast(pa.int64(), safe=False).cast(pa.string())
    if pa.types.is_decimal(kind):
        return pc.replace_substring_regex(values.cast(pa.string()), r"\.0+$", "")
    return values.cast(pa.string())


def _open(source: Source, options: ReadOptions, wanted: Collection[str]) -> list[Part]:
    if source.suffix in PARQUET_SUFFIXES:
        try:
            with source.open() as file:
                return [Part(source, tuple(pq.read_schema(file).names))]
        except READ_ERRORS as error:
            raise unreadable(source.label, error) from error
    if source.suffix in SHEET_SUFFIXES:
        return _open_sheets(source, options, wanted)
    form = text_form(source, options, wanted)
    return [Part(source, form.names, form)]


def _open_sheets(source: Source, options: ReadOptions, wanted: Collection[str]) -> list[Part]:
    """A part for each sheet that has the columns of the first one."""
    try:
        with source.open() as file:
            book = python_calamine.load_workbook(file)
            sheets = {
                name: book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                for name in book.sheet_names
            }
    except (python_calamine.CalamineError, *READ_ERRORS) as error:
        raise unreadable(source.label, error) from error
    parts: list[Part] = []
    for cells in sheets.values():
        rows = [[_cell(cell) for cell in row] for row in cells]
        if not any(any(row) for row in rows):
            continue
        hits = [len(set(map(str.strip, row)) & set(wanted)) for row in rows[:60]]
        filled = [sum(map(bool, row)) for row in rows[:60]]
        first = hits.index(max(hits)) if max(hits) else filled.index(max(filled))
        if options.header_line is not None:
            first = options.header_line - 1
        header = rows[first] if first >= 0 else [""] * len(rows[0])
        names = unique_names(header)
        if parts and set(names) != set(parts[0].names):
            continue
        texts = [pa.array([row[i] for row in rows[first + 1 :]], pa.string()) for i in range(len(names))]
        content = pa.table([text.dictionary_encode() for text in texts], names=list(names))
        parts.append(Part(source, names, None, content))
    if not parts:
        raise UserError(f"{source.label}: no sheet holds anything")
    return parts


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _read_part(part: Part, columns: list[str]) -> tuple[pa.Table, dict[str, int]]:
    if part.content is not None:
        return part.content.select(columns), {}
    if part.form is not None:
        table, dropped = read_text(part.source, part.form, columns)
        more = continued_lines(part.source, part.form, table.num_rows + sum(dropped.values()))
        if more > max(1, MOST_CONTINUED * table.num_rows):
            raise UserError(
                f"{part.source.label}: {more:,} lines continue a text in quotation marks, so that one is "
                "probably not closed; mend the file, or double the quotation marks inside texts"
            )
        return table, dropped
    try:
        with part.source.open() as file:
            table = pq.read_table(file, columns=columns)
    except READ_ERRORS as error:
        raise unreadable(part.source.label, error) from error
    for name in columns:
        if pa.types.is_nested(table[name].type):
            kind = table[name].type
            raise UserError(f"{part.source.label}: column '{name}' holds {kind}; one value a line is needed")
        if pa.types.is_binary(table[name].type) or pa.types.is_large_binary(table[name].type):
            try:
                table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
            except pa.ArrowException as error:
                raise UserError(f"{part.source.label}: column '{name}' holds bytes, no UTF-8") from error
    return table, {}


def _stack(pieces: list[pa.Table], label: str) -> pa.Table:
    try:
        return pa.concat_tables(pieces, promote_options="permissive")
    except pa.ArrowException:
        texts = [pa.table({name: _as_text(piece[name]) for name in piece.column_names}) for piece in pieces]
        return pa.concat_tables(texts)


def _join(
    text: str, log: Path, have: tuple[str, ...], options: ReadOptions, wanted: Collection[str]
) -> Joined:
    """The table that `text`, as of `ReadOptions.join`, names; its columns that `have` has not."""
    file, _, key = text.partition("@")
    ours, _, theirs = key.partition("=")
    there = sources(beside(file, log))
    parts = [part for source in there for part in _open(source, options, {*wanted, *have})]
    names = parts[0].names
    if not ours:
        shared = [name for name in names if name in have]
        if len(shared) != 1:
            found = f"both have {', '.join(shared)}" if shared else "no column has the same name in both"
            raise UserError(f"--join {file}: {found}; name the key, as in {file}@ours=theirs")
        ours = shared[0]
    theirs = theirs or ours
    for name, known, where in ((ours, have, "the log"), (theirs, names, file)):
        if name not in known:
            raise UserError(f"--join {text}: no column '{name}' in {where}; it has: {', '.join(known)}")
    content = _stack([_read_part(part, list(names))[0] for part in parts], file)
    values, codes = distinct(content[theirs])
    ids = pd.Index(values.reindex(np.where(codes < 0, len(values), codes)).fillna("").to_numpy())
    filled = ids != ""
    if ids[filled].has_duplicates:
        again = ids[filled][ids[filled].duplicated()][0]
        raise UserError(
            f"--join {file}: '{theirs}' must name one row each, but '{again}' comes again; give the table "
            "with a row an item bought as the log and join the others to it"
        )
    content = content.filter(pa.array(filled))
    further = tuple(name for name in names if name not in have)
    return Joined(ours, further, content, ids[filled])
