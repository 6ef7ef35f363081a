"""What shoppers of a `ChoiceShopper` carry from visit to visit."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from bundlegym.user_models.base import State


class ChoiceState(NamedTuple):
    """N shoppers at the door, L shortlisted items, H recent trials, J offered items that are remembered.

    shopper, day, days_since_visit: (N,) int64. last_size_class: (N,) int64 class of the last trip's size.
    last_bought: (N, L) day that each shortlisted item was last bought, -1 for never. recent_trials: (N, H)
    items bought off the shortlist, the latest first, -1 for none. shown, shown_week, shown_run: (N, J) items
    that were offered, the week of the last time, and in how many weeks in a row; see `reference.exposure`.
    """

    shopper: Tensor
    day: Tensor
    days_since_visit: Tensor
    last_size_class: Tensor
    last_bought: Tensor
    recent_trials: Tensor
    shown: Tensor
    shown_week: Tensor
    shown_run: Tensor

    def named(self) -> State:
        """As the contract has it."""
        return self._asdict()
