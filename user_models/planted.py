"""`PlantedShopper`: shoppers with stated parameters, of a shop so small that the best offers can be computed.

Item i is worth v_i = utility + carryover if it was bought at the last visit + Gumbel noise; what is above 0
on its own merits pulls its complements. Without an offer, what is then above 0 is bought at the shelf price.
Offers go by `bundling`. An offer adds `exposure` to its items, less of it the more of the last visits had an
offer (`left`); what it brings into the basket pulls complements in and pushes substitutes out. Each visit is
a week after the one before. Nothing is fitted, and all is computed on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset, lines_of
from bundlegym.data.planted import PLANTED
from bundlegym.errors import UserError
from bundlegym.user_models.base import (
    CHERRY_PICK,
    IGNORE,
    TAKE,
    Appraisal,
    Offer,
    Response,
    State,
    UserModel,
)
from bundlegym.user_models.bundling import takes_whole
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws


@dataclass
class PlantedShopper(UserModel):
    """See the module's docstring (T types, I items, W weeks, S shoppers).

    Attributes:
        utility: (T, I) at the shelf price, or (I,) of one type; shopper s is of type s modulo T.
        slope, price: (I,) utility in minus log price, and the shelf price, the same in all weeks.
        synergy: (I, I), at [i, j] what having j adds to the utility of i.
        exposure: utility that being offered adds by itself.
        left: (F,) share of `exposure` that is left after 0, 1, ..., F - 1 offers; each offer counts one up,
            each visit without one counts one down.
        carryover: (I,) added to the utility of what was bought at the last visit.
        units: that are bought of an item without an offer.
        bought: (W, S, I) bool, what was bought at the last visit before each week, by the log.
    """

    utility: Tensor
    slope: Tensor
    price: Tensor
    synergy: Tensor
    exposure: float = 0.0
    left: Tensor = field(default_factory=lambda: torch.ones(1))
    carryover: Tensor | None = None
    units: int = 1
    bought: Tensor | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def fit(cls, dataset: Dataset) -> PlantedShopper:
        """The shoppers of a log of `data.planted`; nothing is fitted.

        Raises:
            UserError: it is another log.
        """
        planted = PLANTED.get(dataset.name)
        if planted is None:
            raise UserError(
                f"user model planted: knows only the shoppers of the logs {', '.join(PLANTED)}, not those of "
                f"{dataset.name}"
            )
        price = torch.from_numpy(dataset.shelf_price[:, 0].copy())
        return cls(
            utility=torch.tensor(planted.utility),
            slope=torch.full_like(price, planted.slope),
            price=price,
            synergy=torch.from_numpy(planted.synergy_table()),
            exposure=planted.exposure,
            left=torch.tensor(planted.left),
            carryover=torch.from_numpy(planted.carryover_table()),
            bought=torch.from_numpy(_bought_before(dataset)),
        )

    @property
    def offer_is_only_discount(self) -> bool:
        return self.exposure == 0

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        if self.bought is None:
            bought = torch.zeros(len(shopper), len(self.price), dtype=torch.bool)
        else:
            bought = self.bought[(day // 7).clamp(max=len(self.bought) - 1), shopper]
        return {"shopper": shopper, "day": day, "bought": bought, "offers": torch.zeros_like(shopper)}

    def _value(self, state: State, draws: Draws) -> Tensor:
        """(N, I) utility above the shelf price."""
        utility = torch.atleast_2d(self.utility)
        value = utility[state["shopper"] % len(utility)]
        if self.carryover is not None:
            value = value + self.carryover * state["bought"]
        value = value + draws.gumbel(streams.NOISE, torch.arange(len(self.price)))
        return value + (value > 0).float() @ self.synergy.clamp(min=0.0).T

    def _exposure(self, state: State) -> Tensor:
        """(N, 1) utility that being offered adds at this visit."""
        return self.exposure * self.left[state["offers"], None]

    def appraise(self, state: State, items: Tensor, draws: Draws) -> Appraisal | None:
        value = self._value(state, draws).gather(1, items)
        wanted = value > 0
        return Appraisal(
            wanted=wanted,
            quantity=wanted * self.units,
            value=value.clamp(max=0.0),
            slope=self.slope[items],
            exposure=self._exposure(state).expand_as(value).contiguous(),
            pair=self.synergy[items[:, :, None], items[:, None, :]],
        )

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        value, exposure = self._value(state, draws), self._exposure(state)
        wanted = value > 0
        here, slot = offer.items >= 0, offer.items.clamp(min=0)
        offered = torch.zeros_like(value).scatter_add_(1, slot, here.float()) > 0
        shown = offered & (exposure > 0) & (value + exposure >= 0)
        anyway = (wanted | shown).gather(1, slot)
        pull = self.synergy[slot[:, :, None], slot[:, None, :]] * (here & ~anyway)[:, None, :]
        within = value.gather(1, slot) + exposure + pull.sum(2)
        whole = takes_whole(
            within, anyway, self.price[slot], self.slope[slot].expand_as(within), here, offer.discount
        )
        taken = offered & whole[:, None]
        new = (shown | taken) & ~wanted
        beside = value + new.float() @ self.synergy.T > 0
        bought = offered & wanted | shown | taken | beside
        row, item = bought.nonzero(as_tuple=True)
        units = torch.where(wanted[row, item], self.units, 1)
        price = self.price[item] * (1 - offer.discount[row] * taken[row, item] / units)
        picked = (bought & offered).any(1)
        choice = torch.where(whole, TAKE, torch.where(picked, CHERRY_PICK, IGNORE))
        days = torch.full_like(state["day"], 7)
        made = torch.where(here.any(1), 1, -1)
        after = {
            "shopper": state["shopper"],
            "day": state["day"] + days,
            "bought": bought,
            "offers": (state["offers"] + made).clamp(0, len(self.left) - 1),
        }
        return Response(choice, row, item, units, price, days, days < 0), after


def _bought_before(dataset: Dataset) -> np.ndarray:
    """(W, S, I) bool, what each shopper bought in the week before each week; nothing before the first."""
    table = np.zeros((dataset.n_weeks, dataset.n_shoppers, dataset.n_items), dtype=bool)
    visits = dataset.visits.loc[dataset.visits["week"] < dataset.n_weeks - 1]
    lines, place = lines_of(dataset, visits.index.to_numpy())
    item = dataset.purchases["item"].to_numpy()[lines]
    table[visits["week"].to_numpy()[place] + 1, visits["shopper"].to_numpy()[place], item] = True
    return table
