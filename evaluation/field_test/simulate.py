"""A shop that makes randomised offers, simulated: the offer log and the purchases that a field experiment
would bring back, with the truth beside them.

At each visit of each household the policy has an offer of its own. With some chance another one is *explored*
in its place: the bundle of a second policy, at a discount level drawn uniformly. Then the offer is made, or
held back: from households in the control arm always, from others with a chance at each visit. The propensity
of what was done, an offer or nothing, is computed from these chances.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.agents.base import Policy
from bundlegym.agents.heuristics import SCORES, fill_by
from bundlegym.agents.margins import margin_of
from bundlegym.data import Dataset
from bundlegym.envs import BundleCore, EnvConfig, Market
from bundlegym.envs.arrays import Records
from bundlegym.envs.base import LEAVE, VisitRecord
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.tables import CONTROL, OFFERS
from bundlegym.user_models import UserModel
from bundlegym.user_models.base import TAKE, Offer
from bundlegym.user_models.rng.counter import Draws

#: Streams of the shop's own draws, which neither core, heuristics nor user models use.
_ARM, _HOLD, _EXPLORE, _LEVEL = range(210, 214)
#: Visits of an episode that nobody comes to the end of.
_VISITS = 1_000
#: Of the luck of when a household first comes, apart from that of its visits.
_ARRIVAL_SEED = 7_919


@dataclass(frozen=True)
class Randomised:
    """The chances by which a shop randomises.

    Attributes:
        control: share of the households that are never offered anything.
        held_back: of a visit of the others, that its offer is held back.
        explore: of a visit, that the offer is that of the second policy at a random discount level.
    """

    control: float = 0.0
    held_back: float = 0.5
    explore: float = 0.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise UserError(f"{name}: {value} is not in 0..1")

    @property
    def nothing(self) -> float:
        """The chance that whatever is intended is not offered."""
        return self.control + (1 - self.control) * self.held_back


@dataclass(frozen=True)
class Simulated:
    """What comes back, with the log's own ids.

    Attributes:
        offers: a row a visit, the columns of an offer log (docs/experiment.md).
        purchases: a row an item bought at these visits: `shopper`, `basket`, `item`, `time`, `quantity`,
            `price_paid`, `list_price`.
        gain: (D,) margin of each visit in `offers`, less what it would have been without this offer, the
            household being as it is after all offers before.
        dataset: the log with these visits in place of its own from the first week of the experiment on.
    """

    offers: pd.DataFrame
    purchases: pd.DataFrame
    gain: np.ndarray
    dataset: Dataset


def simulate_offers(
    dataset: Dataset,
    market: Market,
    user_model: UserModel,
    policy: Policy,
    weeks: tuple[int, int],
    *,
    env: EnvConfig | None = None,
    how: Randomised | None = None,
    second: Policy | None = None,
    shoppers: np.ndarray | None = None,
    seed: int = 0,
) -> Simulated:
    """Offers to `shoppers` (codes; by default all) in `weeks` [first, past_last).

    Args:
        user_model: who reacts.
        env: the offers that can be made.
        how: by what chances.
        second: whose bundles are explored; by default what each shopper buys most.
        seed: of everything random.
    """
    codes = np.arange(dataset.n_shoppers) if shoppers is None else shoppers
    how = how or Randomised()
    env = env or EnvConfig()
    # A shop's offers have no last visit, and nothing is learned here.
    env = dataclasses.replace(env, visits=_VISITS, reward_draws=1)
    core = _at_the_door(market, user_model, codes, weeks, env, seed)
    second = second or fill_by(SCORES["most_bought"], 0)
    control = Draws(seed, core.episode, torch.zeros_like(core.episode)).uniform(_ARM) < how.control
    live = torch.ones(core.n, dtype=torch.bool, device=core.device)
    offers: list[pd.DataFrame] = []
    bought: list[pd.DataFrame] = []
    gains: list[np.ndarray] = []
    while bool(live.any()):
        done = _decide(core, policy, second, how, control)
        state = {name: value[: core.n] for name, value in core.state.items()}
        day, luck = core.records.day.clone(), core.draws(core.rows)
        nothing = Offer.nothing(core.n, core.config.max_size, core.device)
        without = margin_of(market, user_model.respond(state, nothing, luck)[0], day)
        for record in _visit(core, done, live):
            slot, step = record.slot, len(offers)
            offers.append(_offer_rows(record, done, slot, control))
            bought.append(_bought_rows(record, step))
            gains.append((record.margin - without[slot]).cpu().numpy())
            live[slot] &= ~record.left & (core.records.day[slot] < weeks[1] * 7)
    first_rows = np.cumsum([0, *map(len, offers)])
    lines = pd.concat(bought, ignore_index=True)
    lines["row"] += first_rows[lines["step"].to_numpy()]
    return _told(dataset, pd.concat(offers, ignore_index=True), lines, np.concatenate(gains), weeks[0])


def _at_the_door(
    market: Market,
    model: UserModel,
    codes: np.ndarray,
    weeks: tuple[int, int],
    env: EnvConfig,
    seed: int,
) -> BundleCore:
    """All shoppers who come in `weeks`, each at their first visit."""
    first, end = weeks[0] * 7, weeks[1] * 7
    shopper = torch.as_tensor(codes, dtype=torch.int64, device=model.device)
    zero = torch.zeros_like(shopper)
    day = model.arrive(shopper, zero + first, Draws(seed + _ARRIVAL_SEED, shopper, zero))
    coming = day < end
    shopper, day = shopper[coming], day[coming]
    if len(shopper) == 0:
        raise UserError(f"nobody comes in weeks {weeks[0]} to {weeks[1] - 1}")
    core = BundleCore(
        market, model, env, n=len(shopper), shoppers=shopper.cpu().numpy(), weeks=weeks, seed=seed
    )
    records = Records(shopper, day, market.last_bought(shopper, day))
    core.place(shopper, records, model.reset(shopper, day))
    return core


@dataclass(frozen=True)
class _Decision:
    """What was done at the open visits: `items` (N, B) codes offered, -1 for none; `level`, `propensity`
    (N,); `intended` (N, B), `intended_level` (N,), what would have been offered had it not been held back."""

    items: Tensor
    level: Tensor
    propensity: Tensor
    intended: Tensor
    intended_level: Tensor


def _decide(core: BundleCore, policy: Policy, second: Policy, how: Randomised, control: Tensor) -> _Decision:
    own, own_level = _bundles(core, policy)
    other, _ = _bundles(core, second)
    luck = core.draws(core.rows)
    explore = luck.uniform(_EXPLORE) < how.explore
    level = (luck.uniform(_LEVEL) * core.levels).long()
    intended = torch.where(explore[:, None], other, own)
    empty = (intended < 0).all(1)
    intended_level = torch.where(explore, level, own_level).masked_fill(empty, 0)
    nothing = control | (luck.uniform(_HOLD) < how.held_back) | empty
    # The chance of what was done, whichever way it came about.
    own_alike, other_alike = _alike(own, intended), _alike(other, intended)
    chance = (1 - how.explore) * (own_alike & (own_level == intended_level)).double()
    chance = (1 - how.nothing) * (chance + how.explore * other_alike.double() / core.levels)
    none = [(1 - how.explore) * (own < 0).all(1).double(), how.explore * (other < 0).all(1).double()]
    chance_of_none = how.nothing + (1 - how.nothing) * sum(none)
    return _Decision(
        torch.where(nothing[:, None], -1, intended),
        torch.where(nothing, 0, intended_level),
        torch.where(nothing, chance_of_none, chance),
        intended,
        intended_level,
    )


def _bundles(core: BundleCore, policy: Policy) -> tuple[Tensor, Tensor]:
    """(N, B) items, -1 for none, and (N,) discount levels that a policy would offer at the open visits, which
    stay open."""
    level = torch.full((core.n,), -1, dtype=torch.int64, device=core.device)
    for _ in range(core.config.max_size + 1):
        action = policy(core)
        level = torch.where((level < 0) & (action >= core.k), action - core.k, level)
        if bool((level >= 0).all()):
            break
        core.step(torch.where(level >= 0, LEAVE, action))
    items = core.picks.clone()
    core.take_back()
    return items, level


def _alike(one: Tensor, other: Tensor) -> Tensor:
    """(N,) bool: two bundles (N, B) hold the same items."""
    return (one.sort(1).values == other.sort(1).values).all(1)


def _visit(core: BundleCore, done: _Decision, live: Tensor) -> list[VisitRecord]:
    """Make the offers at the open visits of those who are still `live`, item by item."""
    size, found = (done.items >= 0).sum(1), []
    for place in range(core.config.max_size + 1):
        item = done.items[:, min(place, core.config.max_size - 1)]
        at = (core.candidates == item[:, None]).long().argmax(1)
        action = torch.where(size == place, core.k + done.level, LEAVE)
        action = torch.where(size > place, at, action)
        record = core.step(torch.where(live, action, LEAVE)).record
        if record is not None:
            found.append(record)
    return found


def _offer_rows(record: VisitRecord, done: _Decision, slot: Tensor, control: Tensor) -> pd.DataFrame:
    taken = (record.choice == TAKE) & (record.size > 0)
    return pd.DataFrame(
        {
            "shopper": record.shopper.cpu().numpy(),
            "day": record.day.cpu().numpy(),
            "items": list(done.items[slot].cpu().numpy()),
            "level": done.level[slot].cpu().numpy(),
            "discount": record.offer.discount.double().cpu().numpy().round(6),
            "propensity": done.propensity[slot].cpu().numpy(),
            "arm": np.where(control[slot].cpu().numpy(), CONTROL, OFFERS),
            "taken": taken.cpu().numpy().astype(int),
            "intended": list(done.intended[slot].cpu().numpy()),
        }
    )


def _bought_rows(record: VisitRecord, step: int) -> pd.DataFrame:
    response = record.response
    row = response.row.cpu().numpy()
    return pd.DataFrame(
        {
            "shopper": record.shopper.cpu().numpy()[row],
            "day": record.day.cpu().numpy()[row],
            "step": step,
            "row": row,
            "item": response.item.cpu().numpy(),
            "quantity": response.quantity.cpu().numpy(),
            "price_paid": response.price.double().cpu().numpy(),
        }
    )


def _told(
    dataset: Dataset, offers: pd.DataFrame, bought: pd.DataFrame, gain: np.ndarray, first_week: int
) -> Simulated:
    """Everything under the log's own ids, and the log with it; `bought["row"]` is a row of `offers`."""
    number = bought["row"].to_numpy()
    order, place = _in_order(offers)
    kept = dataset.visits["week"].to_numpy() < first_week
    baskets = dataset.visits["basket"]
    numeric = pd.api.types.is_integer_dtype(baskets)
    ids = np.arange(len(offers)) + (int(baskets.max()) + 1 if numeric else 0)
    basket = pd.Series(ids if numeric else [f"offered-{i}" for i in ids])
    made = _with_visits(dataset, offers, bought.assign(number=place[number]), order, basket, kept)
    item_ids = dataset.items["item"].to_numpy()
    shopper_ids = dataset.shoppers["shopper"].to_numpy()
    time = (dataset.start + pd.to_timedelta(offers["day"], unit="D")).dt.date
    offers, gain, time = offers.iloc[order], gain[order], time.iloc[order]
    table = pd.DataFrame(
        {
            "offer_id": np.arange(len(offers)),
            "shopper": shopper_ids[offers["shopper"]],
            "time": time.to_numpy(),
            "items": [_joined(items, item_ids) for items in offers["items"]],
            "discount": offers["discount"].to_numpy(),
            "propensity": offers["propensity"].to_numpy(),
            "arm": offers["arm"].to_numpy(),
            "policy": "simulated",
            "taken": offers["taken"].to_numpy(),
            "basket": basket.to_numpy(),
            "held_back": [
                "" if (shown >= 0).any() else _joined(items, item_ids)
                for shown, items in zip(offers["items"], offers["intended"], strict=True)
            ],
        }
    )
    lines = bought.assign(visit=place[number]).sort_values(["visit", "item"])
    week = lines["day"].to_numpy() // 7
    purchases = pd.DataFrame(
        {
            "shopper": shopper_ids[lines["shopper"]],
            "basket": basket.to_numpy()[lines["visit"]],
            "item": item_ids[lines["item"]],
            "time": (dataset.start + pd.to_timedelta(lines["day"], unit="D")).dt.date.to_numpy(),
            "quantity": lines["quantity"].to_numpy(),
            "price_paid": lines["price_paid"].to_numpy(),
            "list_price": dataset.list_price[lines["item"].to_numpy(), week],
        }
    )
    return Simulated(table, purchases, gain, made)


def _in_order(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows by shopper, then by day, then as they stand; and the place of each row among them."""
    order = np.lexsort([table["day"].to_numpy(), table["shopper"].to_numpy()])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return order, place


def _joined(items: np.ndarray, ids: np.ndarray) -> str:
    return "|".join(str(ids[item]) for item in items if item >= 0)


def _with_visits(
    dataset: Dataset,
    offers: pd.DataFrame,
    bought: pd.DataFrame,
    order: np.ndarray,
    basket: pd.Series,
    kept: np.ndarray,
) -> Dataset:
    """The log's visits that are `kept` (V,) bool, and the simulated ones."""
    old = dataset.visits[kept]
    dtypes = dataset.visits.dtypes
    new = offers.iloc[order][["shopper", "day"]].assign(
        week=lambda table: table["day"] // 7, basket=basket.to_numpy()
    )
    every = pd.concat([old, new.astype(dtypes)], ignore_index=True)
    sorted_rows, place = _in_order(every)
    renumbered = np.full(len(kept), -1)
    renumbered[kept] = place[: len(old)]
    before = dataset.purchases[kept[dataset.purchases["visit"].to_numpy()]]
    week = bought["day"].to_numpy() // 7
    lines = pd.DataFrame(
        {
            "visit": place[len(old) + bought["number"].to_numpy()],
            "item": bought["item"].to_numpy(),
            "quantity": bought["quantity"].to_numpy(),
            "price_paid": bought["price_paid"].to_numpy(),
            "list_price": dataset.list_price[bought["item"].to_numpy(), week],
        }
    )
    purchases = pd.concat(
        [before.assign(visit=renumbered[before["visit"].to_numpy()]), lines], ignore_index=True
    )
    purchases = purchases.astype(dataset.purchases.dtypes).sort_values(["visit", "item"], ignore_index=True)
    visits = every.iloc[sorted_rows].reset_index(drop=True)
    return dataclasses.replace(dataset, visits=visits, purchases=purchases)
