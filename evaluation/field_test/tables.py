"""Tables of a field experiment, in any kind of file that a log may be in: arms, offers made, policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.data.config import ReadOptions
from bundlegym.data.ids import NOTHING, read_ids
from bundlegym.data.tables import distinct, open_table
from bundlegym.errors import UserError

#: The two arms of a field experiment.
OFFERS, CONTROL = "offers", "control"


def read_texts(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """The columns `required`, and those `optional` that the table has, as text, "" where there is nothing.

    Raises:
        UserError: there is no such file, a required column is missing, or the table has no rows.
    """
    table = open_table(path, ReadOptions(), (*required, *optional))
    if missing := [name for name in required if name not in table.names]:
        raise UserError(
            f"{path}: no column {', '.join(map(repr, missing))}; it has: {', '.join(table.names)}"
        )
    wanted = [name for name in (*required, *optional) if name in table.names]
    content, _ = table.read(wanted)
    if not len(content[wanted[0]]):
        raise UserError(f"{path}: it has no rows")
    columns = {}
    for name in wanted:
        values, codes = distinct(content[name])
        values = values.mask(values.str.lower().isin(NOTHING), "")
        if name == "shopper":
            values, _ = read_ids(values)
        columns[name] = np.append(values.to_numpy(dtype=object), "")[codes]
    return pd.DataFrame(columns)


def codes_of(ids: pd.Series, known: pd.Series) -> np.ndarray:
    """(n,) int64 place of each id, a text, among `known` ids; -1 for those that are not among them."""
    return pd.Index(known.astype(str)).get_indexer(pd.Index(ids))


def read_arms(path: Path, dataset: Dataset) -> tuple[pd.DataFrame, np.ndarray]:
    """A row a household: `shopper` (text), `offered` (bool); and (n,) its code in the log, -1 for those
    who are not in it.

    Raises:
        UserError: the file holds no `shopper` and `arm`, a household stands in it twice, or an arm is
            neither 'offers' nor 'control', or empty.
    """
    table = read_texts(path, ("shopper", "arm"))
    arms = set(table["arm"])
    if arms != {OFFERS, CONTROL}:
        found = ", ".join(sorted(map(repr, arms)))
        raise UserError(f"{path}: column 'arm' holds {found}; it must hold '{OFFERS}' and '{CONTROL}'")
    again = table["shopper"].duplicated()
    if again.any():
        raise UserError(f"{path}: the shopper of row {again.argmax() + 1} stands in it more than once")
    known = codes_of(table["shopper"], dataset.shoppers["shopper"])
    if (known < 0).all():
        raise UserError(
            f"{path}: none of its shoppers is in {dataset.name}; is the column 'shopper' the log's own ids?"
        )
    return pd.DataFrame({"shopper": table["shopper"], "offered": table["arm"] == OFFERS}), known
