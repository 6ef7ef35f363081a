"""The one encoding of a shopper's history that every network reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bundlegym.recommenders.interactions import Interactions

#: Visits longer ago than this count as this long ago.
MAX_AGO = 63


@dataclass(frozen=True)
class Histories:
    """The last L items of N shoppers, the newest last.

    Attributes:
        items: (N, L) int64 item codes; n_items, the padding, before the first one.
        ago: (N, L) int64, visits between an item and the visit to come, from 1 to `MAX_AGO`; 0 at padding.
        shopper: (N,) int64 codes.
    """

    items: Tensor
    ago: Tensor
    shopper: Tensor

    @property
    def known(self) -> Tensor:
        """(N, L) bool: not padding."""
        return self.ago > 0

    def last(self, length: int) -> Histories:
        """The newest `length` items."""
        return Histories(self.items[:, -length:], self.ago[:, -length:], self.shopper)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: slice | Tensor) -> Histories:
        return Histories(self.items[rows], self.ago[rows], self.shopper[rows])


def histories_before(log: Interactions, visits: np.ndarray, length: int) -> Histories:
    """What was bought before each of the visits (N,), by the shopper of the visit."""
    first_row = np.searchsorted(log.visit, visits)
    return _histories(log, log.visit_shopper[visits], first_row, visits, length)


def histories_of(log: Interactions, shoppers: np.ndarray, length: int) -> Histories:
    """All that each of the shoppers (N,) bought."""
    next_visit = np.cumsum(log.n_visits)[shoppers]
    return _histories(log, shoppers, log.first_row[shoppers + 1], next_visit, length)


def _histories(
    log: Interactions, shoppers: np.ndarray, end: np.ndarray, visit: np.ndarray, length: int
) -> Histories:
    rows = end[:, None] + np.arange(-length, 0)
    known = rows >= log.first_row[shoppers][:, None]
    rows = np.where(known, rows, 0)
    items = np.where(known, log.item[rows] if len(log.item) else 0, log.n_items)
    visits = log.visit[rows] if len(log.item) else rows
    ago = np.where(known, np.clip(visit[:, None] - visits, 1, MAX_AGO), 0)
    return Histories(torch.from_numpy(items), torch.from_numpy(ago), torch.from_numpy(np.asarray(shoppers)))


def visits_with_a_past(log: Interactions) -> np.ndarray:
    """(V,) int64 visits that are not their shopper's first."""
    return np.flatnonzero(np.r_[False, log.visit_shopper[1:] == log.visit_shopper[:-1]])


def one_visit_each(visits: np.ndarray, shopper: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of each shopper's visits, drawn evenly; the result comes in random order."""
    mixed = rng.permutation(visits)
    _, first = np.unique(shopper[mixed], return_index=True)
    return rng.permutation(mixed[first])
