"""The contract of `user_models`: a population of simulated shoppers who react to offers.

A user model is two methods over N shoppers at once. `reset` puts them at the door on a day; `respond` is a
whole visit: what the shopper does with the offer, what else is bought, and when the shopper comes again.
All randomness comes in as `Draws`, so the twin is the same model with the same draws and no offer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.user_models.response_codes import CHERRY_PICK, IGNORE, TAKE
from bundlegym.user_models.rng.counter import Draws

__all__ = ["CHERRY_PICK", "IGNORE", "TAKE", "Appraisal", "Offer", "Response", "State", "UserModel"]

#: A population's hidden state: named tensors whose first dimension is N.
State = dict[str, Tensor]


@dataclass(frozen=True)
class Offer:
    """What N shoppers are offered.

    Attributes:
        items: (N, B) int64 item codes, -1 where the bundle is smaller than B.
        discount: (N,) float in [0, 1), off the shelf price of every item if the bundle is taken whole.
    """

    items: Tensor
    discount: Tensor

    @staticmethod
    def nothing(n: int, size: int, device: torch.device) -> Offer:
        """An empty offer to n shoppers."""
        return Offer(
            torch.full((n, size), -1, dtype=torch.int64, device=device), torch.zeros(n, device=device)
        )


@dataclass(frozen=True)
class Response:
    """What N shoppers did at one visit.

    Attributes:
        choice: (N,) int64, one of IGNORE, CHERRY_PICK, TAKE.
        row, item, quantity, price: (P,) each, a row an item bought like a log's own: whose basket (index
            into 0..N-1), which item, how many, and the price paid per unit.
        days: (N,) int64, days until the next visit, 0 for one more on the same day.
        left: (N,) bool, the shopper does not come back.
    """

    choice: Tensor
    row: Tensor
    item: Tensor
    quantity: Tensor
    price: Tensor
    days: Tensor
    left: Tensor

    @staticmethod
    def of_arrays(*fields: np.ndarray) -> Response:
        """What compiled code answered, by the names above; it stays at hand as `arrays`."""
        response = Response(*map(torch.from_numpy, fields))
        vars(response)["arrays"] = fields
        return response

    @cached_property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The fields in their order as arrays on the same memory, where that is the CPU's."""
        return tuple(value.numpy() for value in self.tensors)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The fields in their order."""
        return self.choice, self.row, self.item, self.quantity, self.price, self.days, self.left

    def part(self, first: int, end: int) -> Response:
        """What the shoppers first, ..., end - 1 did."""
        own = (self.row >= first) & (self.row < end)
        return Response(
            self.choice[first:end],
            self.row[own] - first,
            self.item[own],
            self.quantity[own],
            self.price[own],
            self.days[first:end],
            self.left[first:end],
        )


@dataclass(frozen=True)
class Appraisal:
    """What M items each are worth to N shoppers at one visit, beside what they buy there without an offer.

    All (N, M) unless said otherwise; `bundling` says what an offer of them does.

    Attributes:
        wanted: bool, bought at the visit without an offer.
        quantity: int64, units that are bought without an offer, 0 where not wanted.
        value: float, utility that an item lacks, below 0, to be bought at the shelf price; 0 where wanted.
        slope: float, > 0, utility in minus log price.
        exposure: float, utility that being offered adds by itself.
        pair: (N, M, M) float, what having item j adds to the value of item i, at [n, i, j], where neither is
            wanted and both are bought; 0 on the diagonal.
    """

    wanted: Tensor
    quantity: Tensor
    value: Tensor
    slope: Tensor
    exposure: Tensor
    pair: Tensor


class UserModel(ABC):
    """A population of simulated shoppers; see the module's docstring."""

    device: torch.device

    @property
    def offer_is_only_discount(self) -> bool:
        """Whether an offer does nothing to these shoppers but lower prices, so that `offer_properties`
        holds."""
        return False

    @abstractmethod
    def reset(self, shopper: Tensor, day: Tensor) -> State:
        """Shoppers (N,) at the door on days (N,), with the history that the log gives them until then."""

    def arrive(self, shopper: Tensor, day: Tensor, draws: Draws) -> Tensor:
        """(N,) int64, the day of each shopper's first visit on or after `day`, given the log until then."""
        return day

    def at_visits(self, dataset: Dataset, rows: np.ndarray) -> State:
        """The state at the door of real visits, rows (N,) of `dataset.visits`, with the log's own history."""
        visits = dataset.visits
        shopper = torch.as_tensor(visits["shopper"].to_numpy()[rows].astype(np.int64), device=self.device)
        return self.reset(
            shopper, torch.as_tensor(visits["day"].to_numpy()[rows].astype(np.int64), device=self.device)
        )

    def log_share(self, state: State) -> Tensor | None:
        """(N, n_items) log of each item's share of the lines of a visit without an offer, or None."""
        return None

    def appraise(self, state: State, items: Tensor, draws: Draws) -> Appraisal | None:
        """What `items` (N, M), int64 codes without repeats in a row, are worth at the visit that `respond`
        would play with the same `state` and `draws`; None where a model cannot tell."""
        return None

    @abstractmethod
    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        """One visit of N shoppers, and their state at the door of the next. Must not change `state`."""
