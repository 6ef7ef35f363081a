"""Visits that are about to be planned, forecast or simulated: who stands at the door, under which luck, and
what items are worth to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bundlegym.envs.market import Market
from bundlegym.errors import UserError
from bundlegym.user_models.base import Appraisal, State, UserModel
from bundlegym.user_models.direct_gains import Worth, worth_of
from bundlegym.user_models.rng.counter import Draws

#: What a state says of the offers that the shop itself made, whatever the model is fitted to.
OFFERS = ("shown", "shown_week", "shown_run")


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

    def prices_and_margins(self, items: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """(M, K) float32 each, at the shelf, of `items` (M, K)."""
        week = self.market.week(self.day)[:, None].expand_as(items)
        price = self.market.shelf_price[week, items]
        return price.cpu().numpy(), (price - self.market.unit_cost[week, items]).cpu().numpy()

    def appraise(self, items: Tensor, numbers: range) -> Appraisal | None:
        """What `items` (M, K) are worth, (M D, K): each visit under D other draws of luck, the `numbers`; or
        None where the model cannot tell.

        Raises:
            UserError: the model's answer breaks the contract of an `Appraisal`.
        """
        row = torch.arange(len(items), device=items.device).repeat_interleave(len(numbers))
        state = {name: value[row] for name, value in self.state.items()}
        found = self.user_model.appraise(state, items[row], self.draws.others(numbers))
        if found is None:
            return None
        name = type(self.user_model).__name__
        if not bool((found.slope > 0).all()):
            raise UserError(f"user model {name}: the price slope of an appraisal must be above 0")
        for field in ("value", "slope", "exposure", "pair"):
            if not bool(torch.isfinite(getattr(found, field)).all()):
                raise UserError(f"user model {name}: the {field} of an appraisal is not finite")
        return found


def state_at_door(
    user_model: UserModel, reacts: UserModel, state: State, rows: Tensor, shopper: Tensor, day: Tensor
) -> State:
    """What the shop knows by `user_model` of shoppers at the door, who react as `reacts` says.

    Where it is the model that reacts, all that they did in the episode. Where it is not, the log until that
    day, as `UserModel.reset` gives it, and the offers of the episode, where both models remember them.

    Args:
        state: of `reacts`, N rows or more.
        rows: (M,) whose; shopper, day: (M,) theirs.
    """
    if user_model is reacts:
        return {name: value[rows] for name, value in state.items()}
    known = user_model.reset(shopper, day)
    return known | {name: state[name][rows] for name in OFFERS if _alike(name, known, state)}


def _alike(name: str, one: State, other: State) -> bool:
    return name in one and name in other and one[name].shape[1:] == other[name].shape[1:]


def worths(visits: OpenVisits, items: Tensor, numbers: range, max_size: int) -> list[Worth] | None:
    """What items (M, K) are worth at each visit, or None where the model cannot tell."""
    d, appraisal = len(numbers), visits.appraise(items, numbers)
    if appraisal is None:
        return None
    prices, margins = visits.prices_and_margins(items)
    return [worth_of(appraisal, n * d, n * d + d, prices[n], margins[n], max_size) for n in range(len(items))]
