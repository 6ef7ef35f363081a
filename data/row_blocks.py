"""Rows in order of codes, and in parts, so that what is reckoned by item or by visit never needs room for all
lines at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import sparse

#: A part holds about so many rows, more only where one code has more.
ROWS_AT_ONCE = 1_000_000


def rows_by(*codes: np.ndarray) -> np.ndarray:
    """(n,) numbers of the rows in order of the first of `codes`, then of the next, then in their own order.

    Rows are counted, not compared, so that time and room grow with the rows and not faster.

    Args:
        codes: each (n,) whole numbers, not negative and not much above the count of different ones.
    """
    *first, last = codes
    order = _counted(last)[0]
    for code in reversed(first):
        order = order[_counted(code[order])[0]]
    return order


def runs_of(*codes: np.ndarray) -> np.ndarray:
    """(runs,) where rows begin that follow on each other and have equal `codes`, each (n,)."""
    return np.flatnonzero(_differs(iter(codes), len(codes[0])))


def groups_by(*codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) numbers of the rows as of `rows_by`, and (n,) bool, the first in this order of equal `codes`."""
    order = rows_by(*codes)
    return order, _differs((code[order] for code in codes), len(order))


def _differs(codes: Iterator[np.ndarray], n: int) -> np.ndarray:
    """(n,) bool, rows of which one of `codes` is another than in the row before, and the first row."""
    new = np.zeros(n, dtype=bool)
    new[:1] = True
    for code in codes:
        new[1:] |= code[1:] != code[:-1]
    return new


def parts_by(code: np.ndarray, width: int = 1) -> Iterator[np.ndarray]:
    """Numbers of the rows in parts, those of one code all in one part: by code, then in their own order.

    Args:
        code: (n,) as of `rows_by`.
        width: how many rows of others one of these needs as much room as.
    """
    order, ends = _counted(code)
    start, most = 0, max(ROWS_AT_ONCE // width, 1)
    while start < len(order):
        fits = int(np.searchsorted(ends, start + most, side="right")) - 1
        own = int(np.searchsorted(ends, start, side="right"))
        end = int(ends[max(fits, own)])
        yield order[start:end]
        start = end


def frames_by(lines: pd.DataFrame, code: str, *names: str) -> Iterator[pd.DataFrame]:
    """Those of the columns `names` that `lines` has, in parts by the column `code`; see `parts_by`."""
    columns = {name: lines[name] for name in names if name in lines}
    for rows in parts_by(lines[code].to_numpy()):
        yield pd.DataFrame({name: values.iloc[rows] for name, values in columns.items()}, copy=False)


def move_rows(lines: pd.DataFrame, keep: np.ndarray) -> pd.DataFrame:
    """The rows `keep` (n,) bool of `lines`, numbered from 0. Columns are taken out of `lines` one by one, so
    that no more than one ever needs room twice."""
    if keep.all():
        return lines.reset_index(drop=True)
    kept = {name: lines.pop(name)[keep].reset_index(drop=True) for name in map(str, list(lines))}
    return pd.DataFrame(kept, copy=False)


def _counted(code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows by `code`, then in their own order; and (greatest code + 1,) where each code's end.

    To turn a matrix with one entry a row, in the column of its code, from rows to columns is a counting sort.
    """
    n, kind = len(code), np.int32 if len(code) < 2**31 else np.int64
    shape = (n, int(code.max()) + 1 if n else 1)
    entries = np.zeros(n, dtype=np.int8), code.astype(kind, copy=False), np.arange(n + 1, dtype=kind)
    by_column = sparse.csr_array(entries, shape=shape).tocsc()
    return by_column.indices, by_column.indptr[1:]
