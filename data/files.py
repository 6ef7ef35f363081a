"""Reads CSV, TSV and Parquet tables, and says in one line what is wrong with those it cannot read.

Writes JSON.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bundlegym.errors import UserError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".txt", ".parquet")


def column_names(path: Path) -> list[str]:
    """The table's columns; UserError where the file is missing, of another kind or unreadable."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if not path.name.lower().endswith(SUFFIXES):
        raise UserError(f"{path}: not a kind of file that can be read; use one of {', '.join(SUFFIXES)}")
    try:
        if _is_parquet(path):
            return list(pq.read_schema(path).names)
        return list(pd.read_csv(path, sep=_delimiter(path), nrows=0, encoding="utf-8-sig").columns)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def read_table(path: Path, columns: list[str], text: list[str]) -> pd.DataFrame:
    """`columns` of the table at `path`; in a CSV those named in `text` are read as they stand ('007')."""
    try:
        if _is_parquet(path):
            return pq.read_table(path, columns=columns).to_pandas()
        return pd.read_csv(
            path,
            sep=_delimiter(path),
            usecols=columns,
            dtype={column: "str" for column in text},
            encoding="utf-8-sig",
            low_memory=False,
        )
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def write_json(path: Path, content: Any) -> None:
    """Write under a temporary name, then rename; folders that are missing are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(".parquet")


def _delimiter(path: Path) -> str:
    """Whichever of comma, semicolon, tab and bar the first line has most of."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        header = str(file.readline())
    return max(",;\t|", key=header.count)


def _unreadable(path: Path, error: Exception) -> UserError:
    if isinstance(error, UnicodeDecodeError):
        return UserError(f"{path}: not UTF-8 text; save it as UTF-8")
    if isinstance(error, pd.errors.EmptyDataError):
        return UserError(f"{path}: the file is empty")
    return UserError(f"{path}: cannot be read ({str(error).strip().splitlines()[0]})")
