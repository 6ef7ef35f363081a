"""Visits that are about to be planned or simulated: who stands at the door, and under which luck."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from bundlegym.envs import Market
from bundlegym.user_models.base import State, UserModel
from bundlegym.user_models.rng.counter import Draws


@dataclass(frozen=True)
class OpenVisits:
    """M shoppers at the door, as a planner sees them.

    Attributes:
        user_model: that says how they react.
        market: prices and costs.
        state: of the user model, M rows.
        day: (M,) int64.
        draws: M rows of luck; who plans uses its own, and never number 0.
    """

    user_model: UserModel
    market: Market
    state: State
    day: Tensor
    draws: Draws

    def some(self, rows: Tensor) -> OpenVisits:
        """Those of `rows` (R,)."""
        state = {name: value[rows] for name, value in self.state.items()}
        return replace(self, state=state, day=self.day[rows], draws=self.draws.of(rows))
