"""Reads ids as text, whether a shop's export wrote them as text or as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: What exports write where there is nothing, in lower case.
NOTHING = frozenset(
    ("", "null", "nan", "none", "n/a", "na", "#n/a", "<na>", "\\n", "(null)", "nil", "nat", "#ref!",
     "#value!", "0000-00-00", "0000-00-00 00:00:00")
)  # fmt: skip


def is_nothing(values: pd.Series) -> pd.Series:
    """Where a text stands for nothing."""
    return values.str.lower().isin(NOTHING)


def read_ids(values: pd.Series) -> tuple[pd.Series, dict[str, str]]:
    """Ids of distinct texts, and what was inferred.

    Leading zeros stay. `17850.0` is `17850` where the column's ids are whole numbers.

    Raises:
        ValueError: a spreadsheet has rounded the ids.
    """
    rounded = values.str.fullmatch(r"\d(?:[.,]\d+)?[eE]\+\d+")
    if rounded.any():
        raise ValueError(
            f"'{values[rounded].iloc[0]}' is an id that a spreadsheet has rounded: its digits are lost; "
            "export the file again with this column as text"
        )
    pointed = values.str.fullmatch(r"-?\d+\.0+")
    if not pointed.any():
        return values, {}
    whole = pointed | values.str.fullmatch(r"-?\d+") | is_nothing(values)
    if whole.mean() < 0.9:
        return values, {}
    example = values[pointed].iloc[0]
    short = values.where(~pointed, values.str.replace(r"\.0+$", "", regex=True))
    return short, {"ids": f"ids such as {example} are whole numbers and read without the point"}


def sorted_codes(values: pd.Series) -> np.ndarray:
    """(n,) place of each value among the sorted distinct ones, of which a categorical may know more."""
    return values.astype("category").cat.codes.to_numpy()
