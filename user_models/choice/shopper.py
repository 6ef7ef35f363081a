"""`ChoiceShopper`: a structural model of a shopper, fitted by maximum likelihood on a log.

At a visit, item i has the latent value v = log(rate) + noise with Gumbel noise, and is bought at the shelf
price when v > 0: purchases are thinned Poisson counts, whose shares of a basket are the multinomial that
was fitted. The rate is the trip's size times exp(utility): taste, time since last bought, price, display,
mailer, and the trip's mission. Whoever came buys something: if nothing clears the bar, what came nearest to
it.

The response to an offer is mixed bundling (`bundling`), decided beside what is bought without the offer
(`offers`). What an offer adds to the basket then shifts the log rates of everything else by its synergy.
Items outside the shortlist come from a process of their own (`tail`). Of substitutes one may be enough
(`enough`).

Named assumptions, knobs of the constructor and neutral by default, since no public log has randomised
offers: `offer_exposure`, the share of the log's own mailer effect that being offered has on an item (1: an
offer is a mailer to one shopper), which wears out from week to week (`exposures`); `bundle_pull`, utility of
taking a bundle as such. Neither reaches the twin, who is offered nothing. An item first tried in a bundle
taken whole leaves a habit with the chance that repeats after a first purchase are its effect, and not that of
the liking that led to it (`trial`), shrunk toward none by its standard error (`numeric_shrink`).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.recommenders.history import last_bought_at_visits
from bundlegym.threads import one_thread
from bundlegym.user_models import streams
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
from bundlegym.user_models.choice import kernels
from bundlegym.user_models.choice.arrays import Tables, tables_of
from bundlegym.user_models.choice.enough import still_bought
from bundlegym.user_models.choice.exposures import no_offers, remember, weeks_in_a_row
from bundlegym.user_models.choice.layout import LAYOUT
from bundlegym.user_models.choice.offers import Basket, appraise, beside_each_other
from bundlegym.user_models.choice.tail import arrivals, bought_in_tail, by_category, tail_row
from bundlegym.user_models.choice.tried import of_items, tried_at_visits, try_more, weights
from bundlegym.user_models.choice.utility import MOST_PULL, Visit, log_share, open_visit, week_of
from bundlegym.user_models.choice.whole import fit_whole
from bundlegym.user_models.draws import Draws
from bundlegym.user_models.files import load_tensors, save_tensors
from bundlegym.user_models.rhythm import first_visit, next_visit
from bundlegym.user_models.stages import Stages, fit_folder
from bundlegym.user_models.trips import trips_before
from bundlegym.user_models.units import draw_units

_STATE = ("shopper", "day", "since", "last_trip", "last", "tried", "shown", "shown_week", "shown_run")


class ChoiceShopper(UserModel):
    """See the module's docstring. Build it with `fit` or `load`.

    Attributes:
        tensors: everything fitted or read off the log, by name; see `whole.fit_whole`. To change one, replace
            it: on the CPU what is written into one is not seen.
    """

    layout = LAYOUT

    def __init__(
        self,
        tensors: dict[str, Tensor],
        *,
        offer_exposure: float = 0.0,
        bundle_pull: float = 0.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.tensors = {name: value.to(self.device) for name, value in tensors.items()}
        self.offer_exposure, self.bundle_pull = offer_exposure, bundle_pull
        self._held: tuple[list[Tensor], Tables] | None = None

    @staticmethod
    @one_thread()
    def fit(
        dataset: Dataset,
        *,
        weeks: tuple[int, int] | None = None,
        shoppers: np.ndarray | None = None,
        shortlist_size: int = 144,
        epochs: int = 6,
        seed: int = 0,
        progress: Callable[[str], None] = print,
        offer_exposure: float = 0.0,
        bundle_pull: float = 0.0,
        cache: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> ChoiceShopper:
        """Fit on `weeks` (by default the training weeks). Coefficients and averages come from `shoppers`
        (mask (n_shoppers,), by default those who are not held out); anybody's own tastes, rhythm and trips
        are counted from their own purchases in `weeks`. What is fitted is kept below the folder `cache`,
        stage by stage, and not fitted again for the same log, settings and code; without a folder nothing
        is kept. The fit itself is done on the CPU; the model is moved to `device`."""
        weeks = weeks or dataset.split.train_weeks
        shoppers = ~dataset.split.held_out if shoppers is None else shoppers
        settings: dict[str, Any] = {"shortlist_size": shortlist_size, "epochs": epochs, "seed": seed}
        folder = cache and fit_folder(cache, dataset, weeks=weeks, shoppers=shoppers, **settings)
        stages = Stages(folder, progress)
        tensors = fit_whole(ChoiceShopper, dataset, weeks, shoppers, stages=stages, **settings)
        return ChoiceShopper(tensors, offer_exposure=offer_exposure, bundle_pull=bundle_pull, device=device)

    @property
    def offer_is_only_discount(self) -> bool:
        return self.offer_exposure == 0 and self.bundle_pull == 0

    def under(self, *, offer_exposure: float, bundle_pull: float) -> ChoiceShopper:
        """The same shoppers under other assumptions about offers."""
        device = self.device
        return ChoiceShopper(
            self.tensors, offer_exposure=offer_exposure, bundle_pull=bundle_pull, device=device
        )

    def arrive(self, shopper: Tensor, day: Tensor, draws: Draws) -> Tensor:
        return first_visit(self.tensors, shopper, day, draws)

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        last_visit, last = self.tensors["last_visit"], self.tensors["last"]
        cell = week_of(self.tensors, day) * last.shape[1] + shopper
        known = last_visit.flatten().index_select(0, cell).long()
        since = torch.where(known >= 0, day - known, 1_000)
        return {
            "shopper": shopper,
            "day": day,
            "since": since,
            "last_trip": self.tensors["last_trip"].flatten().index_select(0, cell),
            "last": last.flatten(0, 1).index_select(0, cell),
            "tried": self._tried(shopper, day),
            **self._no_offers(len(shopper)),
        }

    def _no_offers(self, n: int) -> State:
        return no_offers(n, self.offer_exposure != 0, self.device)

    def _tried(self, shopper: Tensor, day: Tensor) -> Tensor:
        t = self.tensors
        since = week_of(t, day) - t["tried_from"] + 1
        return t["tried"].flatten(0, 1).index_select(0, since.clamp(min=0) * t["tried"].shape[1] + shopper)

    def at_visits(self, dataset: Dataset, rows: np.ndarray) -> State:
        visits = dataset.visits
        shopper, day = (
            torch.as_tensor(visits[name].to_numpy()[rows].astype(np.int64), device=self.device)
            for name in ("shopper", "day")
        )
        gap = visits.groupby("shopper")["day"].diff().fillna(1_000).to_numpy()[rows].astype(np.int64)
        shortlist = self.tensors["shortlist"].cpu().numpy()
        last = last_bought_at_visits(dataset, shortlist, rows).astype(np.int16)
        tried = tried_at_visits(dataset, shortlist, rows, int(self.tensors["tried_from"]))
        trip = trips_before(dataset, self.tensors["usual_trip"].cpu().numpy())[rows]
        history = (torch.as_tensor(a, device=self.device) for a in (gap, trip, last, tried))
        return dict(zip(_STATE, (shopper, day, *history), strict=False)) | self._no_offers(len(rows))

    def log_share(self, state: State) -> Tensor:
        return log_share(self.tensors, state)

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        if self.device.type == "cpu":
            return self._compiled(state, offer, draws)
        return self._reference(state, offer, draws)

    def appraise(self, state: State, items: Tensor, draws: Draws) -> Appraisal:
        visit_of = self._appraise_compiled if self.device.type == "cpu" else self._appraise_reference
        wanted, quantity, value, push = visit_of(state, items, draws)
        t = self.tensors
        category, group, product = (t[name][items] for name in ("category", "group", "product"))
        substitute = (group[:, None] == group[:, :, None]) & (product[:, None] != product[:, :, None])
        less = substitute & (value[:, None] > value[:, :, None])
        pair = t["synergy"][category[:, None], category[:, :, None]] / 2
        pair = (pair + torch.where(less, t["enough"][group][:, :, None], 0.0)).clone()
        pair.diagonal(dim1=1, dim2=2).zero_()
        _, slope = self._price_and_slope(state["shopper"], week_of(t, state["day"]), items)
        return Appraisal(wanted, quantity, value, slope, push, pair)

    def _compiled(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        answer, after, _ = self._visit(state, offer, draws, only_appraise=False)
        response = Response(*(torch.from_numpy(part) for part in answer))
        names = ("last_trip", "last", "tried", "shown", "shown_week", "shown_run")
        now = {
            "shopper": state["shopper"],
            "day": state["day"] + response.days,
            "since": response.days.clone(),
        }
        return response, now | dict(zip(names, map(torch.from_numpy, after), strict=True))

    def _appraise_compiled(self, state: State, items: Tensor, draws: Draws) -> tuple[Tensor, ...]:
        nothing_off = torch.zeros(len(items))
        *_, found = self._visit(state, Offer(items, nothing_off), draws, only_appraise=True)
        return tuple(map(torch.from_numpy, found))

    def _visit(self, state: State, offer: Offer, draws: Draws, *, only_appraise: bool) -> Any:
        exposure = self.offer_exposure and self.offer_exposure * float(self.tensors["coefficient_mailer"])
        return kernels.respond(
            self._arrays(),
            draws.seed,
            (draws.episode.numpy(), draws.visit.numpy()),
            tuple(state[name].numpy() for name in _STATE),
            (offer.items.numpy(), offer.discount.numpy()),
            np.float32(exposure),
            np.float32(self.bundle_pull),
            only_appraise,
        )

    def _appraise_reference(self, state: State, items: Tensor, draws: Draws) -> tuple[Tensor, ...]:
        nothing_off = torch.zeros(len(items), device=self.device)
        visit = open_visit(self.tensors, state, Offer(items, nothing_off), draws)
        none = torch.zeros_like(visit.items, dtype=torch.bool)
        value = (visit.log_rate + visit.noise).clone()
        value[:, state["last"].shape[1] :] = -torch.inf
        basket = self._basket(state, visit, value, none, none, torch.full_like(items, -1), draws)
        wanted, lacking = appraise(self.tensors, visit, basket, items)
        row, slot = wanted.nonzero(as_tuple=True)
        quantity = torch.zeros_like(items)
        units = draw_units(
            self.tensors, state["shopper"][row], items[row, slot], visit.week[row], draws.of(row)
        )
        quantity[row, slot] = units
        return wanted, quantity, lacking, self._exposure(state, visit, items)[1]

    def _arrays(self) -> Tables:
        """The tensors as the compiled path takes them, made anew where one of them was replaced."""
        if self._held is None or not all(map(is_, self.tensors.values(), self._held[0])):
            self._held = list(self.tensors.values()), tables_of(self.tensors)
        return self._held[1]

    def _reference(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        t, shopper = self.tensors, state["shopper"]
        visit = open_visit(t, state, offer, draws)
        n_short, offered = state["last"].shape[1], offer.items
        none = torch.zeros_like(visit.items, dtype=torch.bool)
        value = (visit.log_rate + visit.noise).clone()
        value[:, n_short:] = -torch.inf
        alone = self._basket(state, visit, value, none, none, torch.full_like(offered, -1), draws)
        wanted, lacking = appraise(t, visit, alone, offered)
        run, push = self._exposure(state, visit, offered)
        exposed = (offered >= 0) & ~wanted & (push > 0) & (lacking + push >= 0)
        anyway = wanted | exposed
        beside = beside_each_other(t, offered, anyway, (lacking + push).clamp(max=0.0))
        price, slope = self._price_and_slope(shopper, visit.week, offered)
        whole = takes_whole(beside, anyway, price, slope, offered >= 0, offer.discount, self.bundle_pull)
        gained = (offered >= 0) & ~wanted & (exposed | whole[:, None])

        # Where the offer adds something, the rest of the basket is decided again.
        boost = push - torch.where(whole, torch.log1p(-offer.discount), 0.0)[:, None] * slope
        slot = visit.offered.clamp(min=0)
        own = torch.where(slot < n_short, value.gather(1, slot), lacking) + boost
        value = _put(value, visit.offered, gained, own)
        certain = _put(
            none, visit.offered, offered >= 0, gained | whole[:, None] | (wanted & (slot >= n_short))
        )
        added = _put(none, visit.offered, offered >= 0, gained)
        moved = gained.any(1)
        again = self._basket(state, visit, value, added, certain, offered, draws)
        bought = torch.where(moved[:, None], again.bought, alone.bought)
        first, second = ~moved[alone.row], moved[again.row]
        row = torch.cat([alone.row[first], again.row[second]])
        item = torch.cat([alone.item[first], again.item[second]])
        order = (row * len(t["group"]) + item).argsort()
        row, item = row[order], item[order]

        purchases = self._purchases(state, visit, bought, row, item, offer, whole, gained & ~exposed, draws)
        held = _held(purchases[0], purchases[1], offered)
        choice = torch.where(whole, TAKE, torch.where(held, CHERRY_PICK, IGNORE))
        days, left = next_visit(t, shopper, state["day"], visit.trip, draws)
        after = self._after(state, visit, bought, row, item, gained & ~exposed & whole[:, None], draws)
        after |= remember(state, offered, run, visit.week)
        after |= {"shopper": shopper, "day": state["day"] + days, "since": days.clone()}
        return Response(choice, *purchases, days, left), after

    def _basket(
        self,
        state: State,
        visit: Visit,
        value: Tensor,
        added: Tensor,
        certain: Tensor,
        decided: Tensor,
        draws: Draws,
    ) -> Basket:
        """What is bought where the considered items have the `value` (N, L + B), those that the offer has
        `added` pull the others, and those that are `certain` stay; `decided` (N, B), -1 for none, come from
        nowhere else."""
        t, shopper = self.tensors, state["shopper"]
        # What is bought on its own merits, and what the offer adds, pull or push all the others.
        category = t["category"][visit.items]
        first = added | (value > 0)
        held = torch.zeros_like(visit.shift).scatter_add_(1, category, first.float())
        pull = held @ t["synergy"]
        own = t["synergy"].diagonal()[category] * first
        value = value + (pull.gather(1, category) - own).clamp(-MOST_PULL, MOST_PULL)
        bought = still_bought(t, visit.items, value, certain, certain | (value > 0))
        weight = t["tail_weight"].index_select(0, shopper)
        weight.mul_(t["tail_attraction"].index_select(0, tail_row(t, shopper, visit.week)))
        weight[:, :-1] *= torch.exp(visit.new_level)
        lift = torch.exp(visit.shift + pull.clamp(-MOST_PULL, MOST_PULL))
        memory = torch.ones(len(lift), 1, device=self.device)  # what is remembered is of all categories
        lift = torch.cat([lift, memory], 1)
        weight[:, -1] += weights(state["tried"], t["tried_weight"], t["tried_left"]).sum(1)
        total = weight.mul_(lift.index_select(1, t["group_category"]))[:, by_category(t)].cumsum(1)
        times = arrivals(total[:, -1] * torch.exp(visit.size), draws, streams.TAIL)
        tail = times < 1

        # Whoever came buys something: of all that was not enough, what came nearest.
        nothing = ~bought.any(1) & ~tail[:, 0]
        best = value.max(1)
        rather = times[:, 0] < torch.exp(-best.values)
        tail[:, 0] |= nothing & rather
        bought[(nothing & ~rather).nonzero()[:, 0], best.indices[nothing & ~rather]] = True
        row, item = bought_in_tail(t, state, visit, bought, decided, tail, total, draws)
        return Basket(bought, row, item, value, pull)

    def _exposure(self, state: State, visit: Visit, offered: Tensor) -> tuple[Tensor, Tensor]:
        """(N, B) weeks in a row that each item is offered, and what being offered adds to its utility."""
        run = weeks_in_a_row(state, offered, visit.week)
        answer = visit.answer.gather(1, visit.offered.clamp(min=0))
        mailer = self.offer_exposure and self.offer_exposure * self.tensors["coefficient_mailer"]
        return run, mailer * self.tensors["wear_out"][run - 1] * answer * (offered >= 0)

    def _price_and_slope(self, shopper: Tensor, week: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """(N, B) shelf price, and utility in minus log price, of items (N, B)."""
        t, item = self.tensors, items.clamp(min=0)
        slope = t["price_slope"][item] * t["deal_factor"][shopper, None]
        return t["shelf_price"][week[:, None], item], slope

    # --- what a visit leaves ------------------------------------------------------------------------------

    def _purchases(
        self,
        state: State,
        visit: Visit,
        bought: Tensor,
        tail_row: Tensor,
        tail_item: Tensor,
        offer: Offer,
        whole: Tensor,
        new: Tensor,
        draws: Draws,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(P,) row, item, quantity and price of everything bought; `new` (N, B), what the bundle brings."""
        t = self.tensors
        row, slot = bought.nonzero(as_tuple=True)
        rows, items = torch.cat([row, tail_row]), torch.cat([visit.items[row, slot], tail_item])
        week = visit.week[rows]
        offered = offer.items[rows] == items[:, None]
        # One unit of what is new; one unit of each item at the discount, further ones at the shelf price.
        units = draw_units(t, state["shopper"][rows], items, week, draws.of(rows))
        units = torch.where((offered & new[rows]).any(1), 1, units)
        off = offer.discount[rows] * (whole[rows] & offered.any(1))
        return rows, items, units, t["shelf_price"][week, items] * (1 - off / units)

    def _after(
        self,
        state: State,
        visit: Visit,
        bought: Tensor,
        tail_row: Tensor,
        tail_item: Tensor,
        new: Tensor,
        draws: Draws,
    ) -> State:
        """What is remembered of a visit, of what the bundle brings (`new` (N, B)) if it was known, or by the
        habit that a trial leaves."""
        t, n_short = self.tensors, state["last"].shape[1]
        extra = visit.items[:, n_short:]
        again = of_items(state["tried"], extra, t["tried_weight"], t["tried_left"])
        unknown = torch.cat([state["last"] < 0, again == 0], 1)
        habit = draws.uniform(streams.TRIAL, visit.items) < t["trial_habit"]
        tried = _put(torch.zeros_like(bought), visit.offered, new, new)
        remembered = bought & (~(tried & unknown) | habit)
        row, slot = remembered[:, n_short:].nonzero(as_tuple=True)
        history = torch.cat([row, tail_row]), torch.cat([extra[row, slot], tail_item])
        now = state["day"][:, None].to(state["last"].dtype)
        return {
            "last_trip": visit.trip,
            "last": torch.where(remembered[:, :n_short], now, state["last"]),
            "tried": try_more(state["tried"], *history),
        }

    # --- files --------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write `choice.safetensors` and `choice.json` into an existing folder."""
        settings = {"offer_exposure": self.offer_exposure, "bundle_pull": self.bundle_pull}
        save_tensors(folder, "choice", self.tensors, settings)

    @staticmethod
    def load(folder: Path, device: torch.device | str = "cpu") -> ChoiceShopper:
        """Read what `save` wrote.

        Raises:
            UserError: a file is missing or unreadable, or an earlier version wrote it.
        """
        tensors, settings = load_tensors(folder, "choice", LAYOUT)
        return ChoiceShopper(tensors, **settings, device=device)


def _put(table: Tensor, place: Tensor, where: Tensor, value: Tensor) -> Tensor:
    """`table` (N, M) with `value` (N, B) at the places (N, B), `where` (N, B) says so."""
    row, slot = where.nonzero(as_tuple=True)
    changed = table.clone()
    changed[row, place[row, slot]] = value[row, slot]
    return changed


def _held(row: Tensor, item: Tensor, offered: Tensor) -> Tensor:
    """(N,) bool: whether a basket of lines of `row` and `item` (P,) holds one of the `offered` (N, B)."""
    found = torch.zeros(len(offered), device=offered.device)
    return found.index_add(0, row, (offered[row] == item[:, None]).any(1).float()) > 0
