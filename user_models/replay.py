"""`ReplayShopper`: the logged future itself, for offline judging.

Every visit is the shopper's next one in the log, whatever is offered. *Assumption*: since the log holds no
offers, a bundle is taken whole where the logged basket holds all of it, and cherry-picked where it holds
some. An offer can therefore only lose margin here: it is what a policy gives away to those who would have
bought anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.terminal import say
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Offer, Response, State, UserModel
from bundlegym.user_models.numeric.ragged import expand_ranges
from bundlegym.user_models.parameters import Parameters, parameter
from bundlegym.user_models.persistence import load_parameters, save_parameters
from bundlegym.user_models.rng.counter import Draws


@dataclass(frozen=True)
class ReplayParameters(Parameters):
    """S shoppers, V visits, P lines of a log."""

    start: Tensor = parameter("S+1", "where each shopper's visits begin", codes=(0, "V+1"), ascending=True)
    day: Tensor = parameter("V", "day of each visit")
    line: Tensor = parameter("V+1", "where each visit's lines begin", codes=(0, "P+1"), ascending=True)
    item: Tensor = parameter("P", "item of each line")
    quantity: Tensor = parameter("P", "units of each line")
    price: Tensor = parameter("P", "price at the shelf")


class ReplayState(NamedTuple):
    """N shoppers at the door. shopper: (N,) int64. visit: (N,) int64, the visit of the log that comes next;
    where the shopper's visits end for whoever has none left."""

    shopper: Tensor
    visit: Tensor

    def named(self) -> State:
        """As the contract has it."""
        return self._asdict()


class ReplayShopper(UserModel):
    """See the module's docstring.

    Attributes:
        params: the log.
    """

    def __init__(self, params: ReplayParameters, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.params = params.to(self.device)

    @staticmethod
    def fit(
        dataset: Dataset,
        *,
        weeks: tuple[int, int] | None = None,
        shoppers: np.ndarray | None = None,
        seed: int = 0,
        progress: Callable[[str], None] = say,
        device: torch.device | str = "cpu",
    ) -> ReplayShopper:
        """Nothing is fitted: `weeks`, `shoppers` and `seed` are those of the contract and say nothing
        here."""
        visits, purchases = dataset.visits, dataset.purchases
        visit, item = purchases["visit"].to_numpy(), purchases["item"].to_numpy()
        arrays = {
            "start": np.searchsorted(visits["shopper"], np.arange(dataset.n_shoppers + 1)).astype(np.int64),
            "day": visits["day"].to_numpy(np.int64),
            "line": np.searchsorted(visit, np.arange(len(visits) + 1)).astype(np.int64),
            "item": item.astype(np.int64),
            "quantity": purchases["quantity"].to_numpy(np.int64),
            "price": dataset.shelf_price[item, visits["week"].to_numpy()[visit]],
        }
        return ReplayShopper(ReplayParameters.of(arrays), device)

    @property
    def offer_is_only_discount(self) -> bool:
        return True

    def arrive(self, shopper: Tensor, day: Tensor, draws: Draws) -> Tensor:
        visit = self._next(shopper, day)
        known = visit < self.params.start[shopper + 1]
        later = self.params.day[visit.clamp(max=len(self.params.day) - 1)]
        return torch.where(known, later, int(self.params.day.max()) + 1)

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        return ReplayState(shopper, self._next(shopper, day)).named()

    def _next(self, shopper: Tensor, day: Tensor) -> Tensor:
        """(N,) the first visit on or after a day, or where the shopper's visits end."""
        p = self.params
        span = int(p.day.max()) + 1
        key = (
            torch.repeat_interleave(torch.arange(len(p.start) - 1, device=self.device), p.start.diff()) * span
            + p.day
        )
        return torch.searchsorted(key, shopper * span + day.clamp(max=span - 1))

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        p, (shopper, coming) = self.params, ReplayState(**state)
        end = p.start[shopper + 1]
        here = coming < end
        visit = torch.where(here, coming, 0)
        count = torch.where(here, p.line[visit + 1] - p.line[visit], 0)
        row, line = expand_ranges(p.line[visit], count)
        item, quantity, price = p.item[line], p.quantity[line], p.price[line]
        match = offer.items[row] == item[:, None]
        in_offer = match.any(1)
        held = torch.zeros(len(visit), device=self.device).index_add(0, row, in_offer.float())
        wanted = (offer.items >= 0).sum(1)
        whole = (wanted > 0) & (held >= wanted)
        discount = offer.discount[row] * (in_offer & whole[row]) / quantity
        after = coming + 1
        more = after < end
        days = p.day[torch.where(more, after, visit)] - p.day[visit]
        response = Response(
            choice=torch.where(whole, TAKE, torch.where(held > 0, CHERRY_PICK, IGNORE)),
            row=row,
            item=item,
            quantity=quantity,
            price=price * (1 - discount),
            days=torch.where(more, days, 1),
            left=~more,
        )
        return response, ReplayState(shopper, torch.where(here, after, coming)).named()

    def save(self, folder: Path) -> None:
        save_parameters(folder, "replay", self.params, {})

    @staticmethod
    def load(folder: Path, device: torch.device | str = "cpu") -> ReplayShopper:
        """Read what `save` wrote; raises `UserError` where it is not there."""
        return ReplayShopper(load_parameters(folder, "replay", ReplayParameters)[0], device)
