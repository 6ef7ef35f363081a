"""Tables of offers as files: CSV, Parquet or JSON by the file's ending."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bundlegym.data.files import replacing, without_formulas
from bundlegym.errors import UserError

SUFFIXES = (".csv", ".parquet", ".json")


def check_suffix(path: Path) -> None:
    """Raise a `UserError` where the ending of a file's name says no kind of table."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: give a file that ends in {', '.join(SUFFIXES)}")


def write_offers(table: pd.DataFrame, path: Path) -> None:
    """Write a table under a temporary name, then rename it.

    Raises:
        UserError: the ending is unknown, or the file cannot be written.
    """
    check_suffix(path)
    kind = path.suffix.lower()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            if kind == ".csv":
                without_formulas(table).to_csv(part, index=False)
            elif kind == ".parquet":
                table.to_parquet(part, index=False)
            else:
                table.to_json(part, orient="records", indent=2, force_ascii=False)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
