"""From the texts of a table's columns to ids, dates and numbers, each distinct text once.

A `Column` keeps which rows have nothing there, and which have something that cannot be understood: what
becomes of those rows is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bundlegym.data.config import ReadOptions
from bundlegym.data.ids import is_nothing, read_ids
from bundlegym.data.mapping import NUMBER_COLUMNS, SAME_IDS, TIME_COLUMNS
from bundlegym.data.numbers import NumberTexts, decimal_sign, strip_numbers, to_numbers
from bundlegym.data.tables import distinct, release
from bundlegym.data.times import known_zone, read_times, to_zone
from bundlegym.errors import UserError

NUMBER_RULE = "must hold numbers like 2.49"
TIME_RULE = "must hold dates like 2024-01-31 17:45"
ID_RULE = "must hold ids as the shop writes them"


@dataclass(frozen=True)
class Column:
    """One column as understood: D distinct texts, n rows.

    Attributes:
        name: its name in the file.
        rule: what it must hold, for messages.
        values: (D,) ids, dates or numbers; "", NaT or NaN where there is nothing or nothing understandable.
        texts: (D,) as written.
        missing, bad: (D,) bool, nothing is there; something is there that was not understood.
        codes: (n,) place of each row's text among the distinct ones.
    """

    name: str
    rule: str
    values: pd.Series
    texts: pd.Series
    missing: np.ndarray
    bad: np.ndarray
    codes: np.ndarray

    def ids(self, keep: np.ndarray) -> pd.Series:
        """Texts of the rows `keep` (n,) bool as a categorical with sorted categories, numbered from 0: each
        text once, and 4 bytes or less a row."""
        codes = self.codes[keep]
        used = np.zeros(len(self.values), dtype=bool)
        used[codes] = True
        at = np.flatnonzero(used)
        texts = pa.array(self.values, pa.large_string()).take(pa.array(at))
        order = pc.array_sort_indices(texts)
        texts = texts.take(order)
        # Texts that were written in different ways, such as 7 and 7.0, may be equal by now.
        new = np.ones(len(texts), dtype=bool)
        new[1:] = pc.not_equal(texts[1:], texts[:-1]).to_numpy(zero_copy_only=False)
        place = np.empty(len(self.values), dtype=np.int32)
        place[at[order.to_numpy()]] = np.cumsum(new, dtype=np.int32) - 1
        categories = pd.Index(texts.filter(pa.array(new)).to_pandas(), dtype="str")
        # That they differ is known; to make sure, pandas would hold each text once more, in 80 bytes.
        kind = pd.CategoricalDtype._from_fastpath(categories, ordered=False)  # type: ignore[attr-defined]
        return pd.Series(pd.Categorical.from_codes(place[codes], dtype=kind))

    def pieces(self, keep: np.ndarray) -> pd.Series:
        """The numbers of the rows `keep` (n,) bool, which all have one, in 4 bytes each if they are whole."""
        known = self.values[self.values.notna()]
        whole = bool((known % 1 == 0).all() and (known.abs() < 2**31).all())
        values = self.values.fillna(0.0).astype(np.int32) if whole else self.values
        return pd.Series(values.to_numpy()[self.codes[keep]])

    def rows(self, keep: np.ndarray) -> pd.Series:
        """The values of the rows `keep` (n,) bool, numbered from 0."""
        codes = self.codes[keep]
        if isinstance(self.values.dtype, pd.StringDtype):
            index = pa.array(np.where(codes < 0, len(self.values) - 1, codes))
            texts = pa.array(self.values, pa.large_string())
            return pd.Series(texts.take(index).to_pandas(), dtype="str").reset_index(drop=True)
        return pd.Series(self.values.to_numpy()[codes])


def understand(
    raw: dict[str, pa.ChunkedArray],
    located: dict[str, str],
    options: ReadOptions,
    label: str,
    number_columns: Collection[str] = NUMBER_COLUMNS,
    time_columns: Collection[str] = TIME_COLUMNS,
) -> tuple[dict[str, Column], dict[str, str]]:
    """Our name -> its column, and what was inferred about each.

    Args:
        raw: the file's name -> its column, taken out once understood, so that no column needs room twice.
        located: our name -> the file's name.
        number_columns, time_columns: those of our names that hold numbers, and else dates.

    Raises:
        UserError: a column has two meanings, or its ids are damaged.
    """
    columns: dict[str, Column] = {}
    notes: dict[str, str] = {}
    numbers: dict[str, tuple[pd.Series, np.ndarray, NumberTexts]] = {}
    waiting = list(located.values())
    for ours, theirs in located.items():
        release()
        waiting.remove(theirs)
        column = raw[theirs] if theirs in waiting else raw.pop(theirs)
        try:
            if ours in number_columns:
                if _is_number(column.type):
                    columns[ours] = _typed(theirs, NUMBER_RULE, _to_floats(column))
                else:
                    texts, codes = _texts(column)
                    numbers[ours] = texts, codes, strip_numbers(texts)
            elif ours in time_columns:
                columns[ours], found = _time(column, theirs, options)
                notes |= {f"{ours}, {key}": f"column '{theirs}': {text}" for key, text in found.items()}
            else:
                texts, codes = _texts(column)
                ids, found = read_ids(texts) if ours in SAME_IDS else (texts, {})
                notes |= {f"{ours}, {key}": f"column '{theirs}': {text}" for key, text in found.items()}
                nothing = is_nothing(ids).to_numpy()
                bad = np.zeros(len(ids), dtype=bool)
                ids = ids if (ids[nothing] == "").all() else ids.mask(nothing, "")
                columns[ours] = Column(theirs, "", ids, texts, nothing, bad, codes)
        except ValueError as error:
            rule = TIME_RULE if ours in time_columns else NUMBER_RULE if ours in number_columns else ID_RULE
            raise UserError(f"{label}: column '{theirs}' {rule}, but {error}") from error
    notes |= _understand_numbers(numbers, located, options, columns, label)
    return columns, notes


def _understand_numbers(
    numbers: dict[str, tuple[pd.Series, np.ndarray, NumberTexts]],
    located: dict[str, str],
    options: ReadOptions,
    columns: dict[str, Column],
    label: str,
) -> dict[str, str]:
    """Add to `columns` those of `numbers`; a column that does not show its decimal sign has the others'."""
    shown: dict[str, str] = {}
    notes: dict[str, str] = {}
    unclear: list[str] = []
    for ours, (_, _, texts) in numbers.items():
        if options.decimal:
            shown[ours] = options.decimal
            continue
        try:
            shown[ours], example = decimal_sign([texts])
        except ValueError as error:
            if texts.points and texts.commas:
                raise UserError(f"{label}: column '{located[ours]}' {NUMBER_RULE}, but {error}") from error
            unclear.append(ours)
            continue
        if shown[ours] == ",":
            notes[f"{ours}, decimal sign"] = (
                f"column '{located[ours]}': numbers such as {example} have a decimal comma; --decimal . "
                "overrules"
            )
    signs = {sign for sign in shown.values() if sign}
    for ours in unclear:
        if len(signs) != 1:
            example = numbers[ours][2].unclear
            raise UserError(
                f"{label}: column '{located[ours]}' {NUMBER_RULE}, but '{example}' may mean a fraction or "
                "thousands; say --decimal . or --decimal ,"
            )
        (shown[ours],) = signs
        notes[f"{ours}, decimal sign"] = (
            f"column '{located[ours]}': in numbers such as {numbers[ours][2].unclear} the decimal sign is "
            f"'{shown[ours]}', as in the other columns; --decimal overrules"
        )
    for ours, (written, codes, stripped) in numbers.items():
        values = to_numbers(stripped, shown[ours])
        missing = is_nothing(written).to_numpy()
        bad = values.isna().to_numpy() & ~missing
        columns[ours] = Column(located[ours], NUMBER_RULE, values, written, missing, bad, codes)
    return notes


def _texts(raw: pa.ChunkedArray) -> tuple[pd.Series, np.ndarray]:
    """Distinct texts with "" as the last, so that code -1 means nothing."""
    texts, codes = distinct(raw)
    return pd.concat([texts, pd.Series([""], dtype="str")], ignore_index=True), codes


def _time(raw: pa.ChunkedArray, name: str, options: ReadOptions) -> tuple[Column, dict[str, str]]:
    kind = raw.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        values = pd.Series(raw.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).to_pandas())
        notes: dict[str, str] = {}
        zone = known_zone(options.zone)
        if values.dt.tz is not None:
            notes["time zone"] = f"times are on the clock of {options.zone or kind.tz}; --zone says which"
            values = to_zone(values, zone) if zone else values.dt.tz_localize(None)
        return _typed(name, TIME_RULE, values.astype("datetime64[us]")), notes
    texts, codes = _texts(raw)
    times, notes = read_times(texts, options)
    missing = is_nothing(texts).to_numpy()
    bad = times.isna().to_numpy() & ~missing
    return Column(name, TIME_RULE, times, texts, missing, bad, codes), notes


def _typed(name: str, rule: str, values: pd.Series) -> Column:
    """A column whose type the file states: every row is its own text."""
    missing = values.isna().to_numpy()
    bad = np.isinf(values.to_numpy()) if values.dtype == np.float64 else np.zeros(len(values), dtype=bool)
    return Column(name, rule, values, values, missing, bad, np.arange(len(values), dtype=np.int32))


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _to_floats(raw: pa.ChunkedArray) -> pd.Series:
    return pd.Series(pc.cast(raw, pa.float64(), safe=False).to_numpy().copy())
