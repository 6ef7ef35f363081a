"""Item vectors for another catalogue: what has learned with some vectors can do nothing with others."""

from __future__ import annotations

import numpy as np
import pandas as pd


def carried_vectors(vectors: np.ndarray, known: pd.DataFrame, items: pd.DataFrame) -> np.ndarray:
    """(J, E) float32 vectors of `items` in the space of the (I, E) `vectors` of the items `known`.

    An item of the same code and category as a known one has that one's vector, any other the mean of the
    known items whose category has the same name, or else of all.

    Args:
        known, items: catalogues with the columns `item` and `category`, as of `Dataset.items`.
    """
    by_item = dict(zip(_keys(known), vectors, strict=True))
    groups = known.groupby(known["category"].astype(str)).indices
    mean, of_all = {name: vectors[rows].mean(0) for name, rows in groups.items()}, vectors.mean(0)
    found = [by_item.get(key, mean.get(key[1], of_all)) for key in _keys(items)]
    return np.stack(found).astype(np.float32)


def _keys(items: pd.DataFrame) -> list[tuple[str, str]]:
    """Code and category of each item. The same code alone may be another thing in another shop."""
    return list(zip(items["item"].astype(str), items["category"].astype(str), strict=True))
