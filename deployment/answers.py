"""What a policy answers to one shopper."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OfferedItem:
    """An item of an offer: its id and name in the log, and its price at the shelf."""

    item: str
    name: str
    price: float


@dataclass(frozen=True)
class MadeOffer:
    """A bundle with its discount, off the shelf price of each item if the bundle is taken whole."""

    items: tuple[OfferedItem, ...]
    discount: float

    @property
    def price(self) -> float:
        """Of the whole bundle at the discount."""
        return (1 - self.discount) * sum(item.price for item in self.items)


@dataclass(frozen=True)
class Answer:
    """Offers to one shopper, best first, none where nothing is worth offering; and the items of the given
    history that the catalogue does not have, which were left out of account."""

    offers: tuple[MadeOffer, ...]
    unknown_items: tuple[str, ...] = ()


def luck_of(names: Sequence[str], day: int) -> np.ndarray:
    """(N,) int64, the episodes whose luck shoppers of these names have on a day."""
    digests = (hashlib.sha256(f"{day} {name}".encode()).digest()[:8] for name in names)
    return np.array([int.from_bytes(d, "big", signed=True) for d in digests], dtype=np.int64)
