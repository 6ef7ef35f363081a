"""`LookalikeShopper`: baskets and gaps of real visits of similar shoppers; nothing parametric about who buys
what.

A visit is a visit from the weeks of the fit, drawn from the shopper's own or from those of the shoppers
nearest in shares of subcategories and size of basket; its basket is bought at this week's shelf prices, and
the shopper comes again after as many days as its shopper did. An unoffered shopper does not answer prices.

The answer to an offer is mixed bundling (`bundling`) beside the drawn basket, on latent values v = log(rate)
+ Gumbel noise that agree with it: v > 0 for items in it, v < 0 for others, with the share of such visits that
hold the item as chance of v > 0. The slope of utility in log price is estimated from the log
(`fit_coefficients`).
*Assumptions*: an offer adds no synergy, and what is bought in it replaces nothing else of the basket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders.dirichlet_shares import counted
from bundlegym.terminal import say
from bundlegym.threads import one_thread
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
from bundlegym.user_models.choice.estimation.coefficients import fit_coefficients
from bundlegym.user_models.fit_cache import check_finite
from bundlegym.user_models.numeric.one_hot import one_hot_csr
from bundlegym.user_models.numeric.ragged import expand_ranges
from bundlegym.user_models.parameters import Parameters, parameter
from bundlegym.user_models.persistence import load_parameters, save_parameters
from bundlegym.user_models.requirements import cannot_learn, check_requirements
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws

_NEIGHBOURS = 10
_OWN_VISITS = 10.0  # own visits at which half of the visits drawn are the shopper's own
_FLOOR = 1e-5  # chance that a visit holds an item that no similar one does


@dataclass(frozen=True)
class LookalikeParameters(Parameters):
    """S shoppers, I items, W weeks, V visits of the weeks of the fit, P lines of them, M pairs of a shopper
    and an item among these lines."""

    held_pair: Tensor = parameter("M", "pairs, shopper times I plus item", rising=True)
    held_visits: Tensor = parameter("M", "visits of the shopper that held the item")
    shelf_price: Tensor = parameter("W I", "price at the shelf")
    gap: Tensor = parameter("V", "days to the next visit")
    item: Tensor = parameter("P", "item of each line", codes=(0, "I"))
    donor: Tensor = parameter(
        f"S {1 + _NEIGHBOURS}", "shoppers to draw visits of, oneself first", codes=(0, "S")
    )
    own: Tensor = parameter("S", "chance of one's own")
    start: Tensor = parameter("S", "where each shopper's visits begin", codes=(0, "V+1"), ascending=True)
    count: Tensor = parameter("S", "visits of each shopper", codes=(0, "V+1"))
    line: Tensor = parameter("V+1", "where each visit's lines begin", codes=(0, "P+1"), ascending=True)
    quantity: Tensor = parameter("P", "units of each line")
    price_slope: Tensor = parameter("I", "slope of utility in minus log price")


class LookalikeState(NamedTuple):
    """N shoppers at the door. shopper, day: (N,) int64."""

    shopper: Tensor
    day: Tensor

    def named(self) -> State:
        """As the contract has it."""
        return self._asdict()


class LookalikeShopper(UserModel):
    """See the module's docstring.

    Attributes:
        params: visits to draw from, and how alike shoppers are.
    """

    def __init__(self, params: LookalikeParameters, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.params = params.to(self.device)

    @staticmethod
    @one_thread()
    def fit(
        dataset: Dataset,
        *,
        weeks: tuple[int, int] | None = None,
        shoppers: np.ndarray | None = None,
        epochs: int = 3,
        seed: int = 0,
        progress: Callable[[str], None] = say,
        device: torch.device | str = "cpu",
    ) -> LookalikeShopper:
        """Visits in `weeks` (by default the training weeks) of `shoppers` (mask; by default those not held
        out), and anybody's own.

        Raises:
            UserError: the log holds too little for a fit, or the fit ends in numbers that are not finite.
        """
        weeks = weeks or dataset.split.train_weeks
        shoppers = ~dataset.split.held_out if shoppers is None else shoppers
        check_requirements("lookalike", dataset, weeks, shoppers)
        for sentence in cannot_learn(dataset, weeks, shoppers):
            progress(sentence)
        rows = visit_rows(dataset, weeks)
        visits = dataset.visits.iloc[rows]
        gap = visits.groupby("shopper")["day"].diff(-1).abs()
        rows, visits, gap = rows[gap.notna()], visits[gap.notna()], gap.dropna()  # the last one has no next
        lines, place = lines_of(dataset, rows)
        item = dataset.purchases["item"].to_numpy()[lines].astype(np.int64)
        held = counted(visits["shopper"].to_numpy()[place], item, (dataset.n_shoppers, dataset.n_items))
        count = np.bincount(visits["shopper"], minlength=dataset.n_shoppers)
        progress("user model: looking for similar shoppers")
        donor = _donors(held, count, dataset.subcategory_code, shoppers & (count > 0))
        coefficients = fit_coefficients(
            dataset, weeks, shoppers, 100, epochs=epochs, seed=seed, progress=progress
        )
        arrays = {
            "donor": donor,
            "own": (count / (count + _OWN_VISITS)).astype(np.float32),
            "start": np.concatenate([[0], np.cumsum(count)[:-1]]),
            "count": count,
            "gap": gap.to_numpy(np.int64),
            "line": np.searchsorted(place, np.arange(len(rows) + 1)),
            "item": item,
            "quantity": dataset.purchases["quantity"].to_numpy(np.int64)[lines],
            "held_pair": np.repeat(np.arange(len(count)), np.diff(held.indptr)) * dataset.n_items
            + held.indices,
            "held_visits": held.data.astype(np.int16),
            "price_slope": coefficients.price.numpy()[dataset.department_code],
            "shelf_price": dataset.shelf_price.T,
        }
        check_finite("coefficients", coefficients)
        params = check_finite("similar shoppers", LookalikeParameters.of(arrays))
        return LookalikeShopper(params, device)

    @property
    def offer_is_only_discount(self) -> bool:
        return True

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        return LookalikeState(shopper, day).named()

    def _basket(self, shopper: Tensor, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """(N,) the visit that each shopper's own is taken to be; (P,) row and place of its lines."""
        p = self.params
        who, own = draws.uniform(streams.DONOR), p.own[shopper]
        other = ((who - own) / (1 - own) * _NEIGHBOURS).long().clamp(0, _NEIGHBOURS - 1) + 1
        donor = p.donor[shopper].gather(1, torch.where(who < own, 0, other)[:, None])[:, 0]
        visit = p.start[donor] + (draws.uniform(streams.DONOR_VISIT) * p.count[donor]).long()
        return visit, *expand_ranges(p.line[visit], p.line[visit + 1] - p.line[visit])

    def _wanted(self, items: Tensor, row: Tensor, line: Tensor) -> Tensor:
        """(N, M) int64 units of items (N, M), -1 for none, that the baskets hold."""
        p, empty = self.params, torch.zeros(items.shape, dtype=torch.int64, device=self.device)
        hit = (items[row] == p.item[line][:, None]) & (items[row] >= 0)
        return empty.index_add(0, row, hit * p.quantity[line][:, None])

    def appraise(self, state: State, items: Tensor, draws: Draws) -> Appraisal:
        shopper = LookalikeState(**state).shopper
        _, row, line = self._basket(shopper, draws)
        quantity = self._wanted(items, row, line)
        value = self._values(shopper, items, quantity > 0, draws)
        nothing = torch.zeros_like(value)
        return Appraisal(
            wanted=quantity > 0,
            quantity=quantity,
            value=torch.where(quantity > 0, 0.0, value.clamp(max=0.0)),
            slope=self.params.price_slope[items],
            exposure=nothing,
            pair=nothing[:, :, None].expand(-1, -1, items.shape[1]),
        )

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        p, (shopper, day) = self.params, LookalikeState(**state)
        week = (day // 7).clamp(0, len(p.shelf_price) - 1)
        visit, row, line = self._basket(shopper, draws)
        item, quantity = p.item[line], p.quantity[line]

        here, offered = offer.items >= 0, offer.items.clamp(min=0)
        in_basket = self._wanted(offer.items, row, line) > 0
        value = self._values(shopper, offered, in_basket, draws)
        price, slope = p.shelf_price[week[:, None], offered], p.price_slope[offered]
        whole = takes_whole(value, in_basket, price, slope, here, offer.discount)

        new_row, new_slot = (here & whole[:, None] & ~in_basket).nonzero(as_tuple=True)
        in_bundle = ((offer.items[row] == item[:, None]) & here[row]).any(1) & whole[row]
        off = offer.discount[row] * in_bundle / quantity
        new_price = price[new_row, new_slot] * (1 - offer.discount[new_row])
        response = Response(
            choice=torch.where(whole, TAKE, torch.where(in_basket.any(1), CHERRY_PICK, IGNORE)),
            row=torch.cat([row, new_row]),
            item=torch.cat([item, offered[new_row, new_slot]]),
            quantity=torch.cat([quantity, torch.ones_like(new_row)]),
            price=torch.cat([p.shelf_price[week[row], item] * (1 - off), new_price]),
            days=p.gap[visit],
            left=torch.zeros_like(whole),
        )
        return response, LookalikeState(shopper, day + response.days).named()

    def _values(self, shopper: Tensor, offered: Tensor, in_basket: Tensor, draws: Draws) -> Tensor:
        """(N, B) latent values given whether the basket holds the item: Gumbel noise cut at 0."""
        p, donor = self.params, self.params.donor[shopper]
        own = p.own[shopper, None]
        weight = torch.cat([own, ((1 - own) / _NEIGHBOURS).expand(-1, _NEIGHBOURS)], 1)
        pair = donor[:, :, None] * len(p.price_slope) + offered[:, None]
        place = torch.searchsorted(p.held_pair, pair).clamp(max=len(p.held_pair) - 1)
        held = torch.where(p.held_pair[place] == pair, p.held_visits[place], 0)
        share = held / p.count[donor].clamp(min=1)[:, :, None]
        chance = ((weight[:, :, None] * share).sum(1) + _FLOOR).clamp(max=0.95)
        luck = draws.uniform(streams.DONOR_VALUE, offered)
        # P(v < x) = exp(-rate exp(-x)) with rate = -log(1 - chance), restricted to either side of 0.
        below = luck * (1 - chance)
        above = 1 - chance + luck * chance
        rate = -torch.log1p(-chance)
        return torch.log(rate) - torch.log(
            -torch.log(torch.where(in_basket, above, below).clamp(1e-30, 1 - 1e-7))
        )

    def save(self, folder: Path) -> None:
        save_parameters(folder, "lookalike", self.params, {})

    @staticmethod
    def load(folder: Path, device: torch.device | str = "cpu") -> LookalikeShopper:
        """Read what `save` wrote; raises `UserError` where it is not there."""
        return LookalikeShopper(load_parameters(folder, "lookalike", LookalikeParameters)[0], device)


def _donors(held: csr_matrix, count: np.ndarray, group: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(S, 1 + _NEIGHBOURS) int64: oneself (or, without a visit, the nearest), then the nearest of `known`;
    `held` (S, I) visits that held an item."""
    from sklearn.neighbors import NearestNeighbors  # takes long to import, and only a fit needs it

    lines = (held @ one_hot_csr(group)).toarray()
    total = lines.sum(1)
    share = (lines + 20 * lines.sum(0) / max(total.sum(), 1)) / (total + 20)[:, None]
    size = np.log((total + 40) / (count + 5))
    features = np.column_stack([np.sqrt(share), 0.2 * size])  # Hellinger distance of shares, and size
    candidates = np.flatnonzero(known)
    k = min(_NEIGHBOURS + 1, len(candidates))
    near = candidates[NearestNeighbors(n_neighbors=k).fit(features[known]).kneighbors(features)[1]]
    table = np.empty((len(count), 1 + _NEIGHBOURS), dtype=np.int64)
    for shopper, row in enumerate(near):
        others = np.resize(row[row != shopper] if (row != shopper).any() else row, _NEIGHBOURS)
        table[shopper] = [shopper if count[shopper] else others[0], *others]
    return table
