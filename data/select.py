"""Which visits and purchase lines belong to some weeks and shoppers: the one place where that is asked."""

from __future__ import annotations

import numpy as np

from bundlegym.data.base import Dataset


def visit_rows(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray | None = None) -> np.ndarray:
    """Row numbers of `dataset.visits` in weeks [first, past_last), of the shoppers whom the mask `shoppers`
    (n_shoppers,) bool leaves in; of all without one."""
    keep = dataset.visits["week"].between(weeks[0], weeks[1] - 1).to_numpy(copy=True)
    if shoppers is not None:
        keep &= shoppers[dataset.visits["shopper"].to_numpy()]
    return np.flatnonzero(keep)


def lines_of(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P,) rows of `dataset.purchases` that belong to the visits `rows`, and the place of their visit in
    `rows`, ascending where `rows` is."""
    place = np.full(len(dataset.visits), -1)
    place[rows] = np.arange(len(rows))
    where = place[dataset.purchases["visit"].to_numpy()]
    lines = np.flatnonzero(where >= 0)
    return lines, where[lines]
