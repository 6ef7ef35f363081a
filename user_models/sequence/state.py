"""What shoppers of a `SequenceShopper` carry from visit to visit."""

from __future__ import annotations

from typing import NamedTuple, Self

from torch import Tensor

from bundlegym.user_models.base import State


class SequenceState(NamedTuple):
    """N shoppers at the door, L shortlisted items, H the network's width.

    shopper, day, days_since_visit: (N,) int64. last_size_class: (N,) int64 class of the last trip's size.
    hidden: (N, H) of the network. times_bought: (N, L), last_bought: (N, L) int64 of the shortlist.
    """

    shopper: Tensor
    day: Tensor
    days_since_visit: Tensor
    last_size_class: Tensor
    hidden: Tensor
    times_bought: Tensor
    last_bought: Tensor

    def of(self, rows: Tensor) -> Self:
        """Some of the shoppers."""
        return type(self)(*(value[rows] for value in self))

    def named(self) -> State:
        """As the contract has it."""
        return self._asdict()
