"""`ChoiceShopper`: a structural model of a shopper, fitted by maximum likelihood on a log.

At a visit, item i has the latent value v = log(rate) + noise with Gumbel noise, and is bought at the shelf
price when v > 0: purchases are thinned Poisson counts, whose shares of a basket are the multinomial that
was fitted. The rate is the trip's size times exp(utility): taste, time since last bought, price, display,
mailer, and the trip's mission. Whoever came buys something: if nothing clears the bar, what came nearest to
it.

The response to an offer is mixed bundling (`bundling`). What is bought on its own merits, and the bundle,
then shift the log rates of everything else by their synergy. Items outside the shortlist come from a process
of their own (`tail`), unless they are offered. Of substitutes one may be enough (`enough`).

Named assumptions, knobs of the constructor and neutral by default, since no public log has randomised
offers: `offer_exposure`, the share of the log's own mailer effect that being offered has on an item (1: an
offer is a mailer to one shopper); `bundle_pull`, utility of taking a bundle as such. Neither reaches the
twin, who is offered nothing. An item first tried in a bundle taken whole leaves a habit with the chance that
repeats after a first purchase are its effect, and not that of the liking that led to it (`trial`); none where
the log does not tell that chance from none.
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
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Offer, Response, State, UserModel
from bundlegym.user_models.bundling import takes_whole
from bundlegym.user_models.choice import kernels
from bundlegym.user_models.choice.arrays import Tables, tables_of
from bundlegym.user_models.choice.enough import lessened, still_bought
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

_STATE = ("shopper", "day", "since", "last_trip", "last", "tried")


class ChoiceShopper(UserModel):
    """See the module's docstring. Build it with `fit` or `load`.

    Attributes:
        tensors: everything fitted or read off the log, by name; see `whole.fit_whole`. To change one, replace
            it: on the CPU what is written into one is not seen.
    """

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
        }

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
        return dict(zip(_STATE, (shopper, day, *history), strict=True))

    def log_share(self, state: State) -> Tensor:
        return log_share(self.tensors, state)

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        if self.device.type == "cpu":
            return self._compiled(state, offer, draws)
        return self._eager(state, offer, draws)

    def _compiled(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        exposure = self.offer_exposure and self.offer_exposure * float(self.tensors["coefficient_mailer"])
        *answer, trip, last, tried = kernels.respond(
            self._arrays(),
            draws.seed,
            (draws.episode.numpy(), draws.visit.numpy()),
            tuple(state[name].numpy() for name in _STATE),
            (offer.items.numpy(), offer.discount.numpy()),
            np.float32(exposure),
            np.float32(self.bundle_pull),
        )
        response = Response(*(torch.from_numpy(part) for part in answer))
        after = {
            "shopper": state["shopper"],
            "day": state["day"] + response.days,
            "since": response.days.clone(),
            "last_trip": torch.from_numpy(trip),
        }
        return response, after | {"last": torch.from_numpy(last), "tried": torch.from_numpy(tried)}

    def _arrays(self) -> Tables:
        """The tensors as the compiled path takes them, made anew where one of them was replaced."""
        if self._held is None or not all(map(is_, self.tensors.values(), self._held[0])):
            self._held = list(self.tensors.values()), tables_of(self.tensors)
        return self._held[1]

    def _eager(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        t = self.tensors
        visit = open_visit(t, state, offer, draws)
        n_short = state["last"].shape[1]
        value = visit.log_rate + draws.gumbel(streams.NOISE, visit.items)

        # The offer comes first.
        offered = visit.offered
        in_offer = torch.zeros_like(value, dtype=torch.int8)
        in_offer = in_offer.scatter_add_(1, offered.clamp(min=0), (offered >= 0).to(torch.int8)) > 0
        if self.offer_exposure:
            value = value + self.offer_exposure * t["coefficient_mailer"] * visit.answer * in_offer
        whole = self._takes_whole(state["shopper"], visit, value, offer.discount)
        taken = in_offer & whole[:, None]

        # Then the rest of the basket: what is bought on its own merits, and the bundle, pull or push all the
        # others.
        category = t["category"][visit.items]
        first = taken | (value > 0)
        held = torch.zeros_like(visit.shift).scatter_add_(1, category, first.float())
        pull = held @ t["synergy"]
        own = t["synergy"].diagonal()[category] * first
        value = value + (pull.gather(1, category) - own).clamp(-MOST_PULL, MOST_PULL)
        bought = still_bought(t, visit.items, value, taken, taken | (value > 0))
        weight = t["tail_weight"].index_select(0, state["shopper"])
        weight.mul_(t["tail_attraction"].index_select(0, tail_row(t, state["shopper"], visit.week)))
        weight[:, :-1] *= torch.exp(visit.new_level)
        lift = torch.exp(visit.shift + pull.clamp(-MOST_PULL, MOST_PULL))
        memory = torch.ones(len(lift), 1, device=self.device)  # what is remembered is of all categories
        lift = torch.cat([lift, memory], 1)
        again = t["tried_weight"], t["tried_left"]
        weight[:, -1] += weights(state["tried"], *again).sum(1)
        total = weight.mul_(lift.index_select(1, t["group_category"]))[:, by_category(t)].cumsum(1)
        times = arrivals(total[:, -1] * torch.exp(visit.size), draws, streams.TAIL)
        tail = times < 1

        # Whoever came buys something: of all that was not enough, what came nearest.
        nothing = ~bought.any(1) & ~tail[:, 0]
        best = value.max(1)
        rather = times[:, 0] < torch.exp(-best.values)
        tail[:, 0] |= nothing & rather
        bought[(nothing & ~rather).nonzero()[:, 0], best.indices[nothing & ~rather]] = True

        from_tail = bought_in_tail(t, state, visit, bought, tail, total, draws)
        purchases = self._purchases(state, visit, draws, bought, taken, offer.discount, *from_tail)
        picked = (bought & in_offer & ~taken).any(1)
        choice = torch.where(whole, TAKE, torch.where(picked, CHERRY_PICK, IGNORE))
        days, left = next_visit(t, state["shopper"], state["day"], visit.trip, draws)
        extra = visit.items[:, n_short:]
        unknown = torch.cat([state["last"] < 0, of_items(state["tried"], extra, *again) == 0], 1)
        habit = draws.uniform(streams.TRIAL, visit.items) < t["trial_habit"]
        remembered = bought & (~(taken & unknown) | habit)
        row, slot = remembered[:, n_short:].nonzero(as_tuple=True)
        new = torch.cat([row, from_tail[0]]), torch.cat([extra[row, slot], from_tail[1]])
        now = state["day"][:, None].to(state["last"].dtype)
        after = {
            "shopper": state["shopper"],
            "day": state["day"] + days,
            "since": days.clone(),
            "last_trip": visit.trip,
            "last": torch.where(remembered[:, :n_short], now, state["last"]),
            "tried": try_more(state["tried"], *new),
        }
        return Response(choice, *purchases, days, left), after

    def _takes_whole(self, shopper: Tensor, visit: Visit, value: Tensor, discount: Tensor) -> Tensor:
        t, slot = self.tensors, visit.offered.clamp(min=0)
        item = visit.items.gather(1, slot)
        price = t["shelf_price"].ravel()[visit.cell.gather(1, slot)]
        slope = t["price_slope"][item] * t["deal_factor"][shopper, None]
        category = t["category"][item]
        synergy = t["synergy"][category[:, :, None], category[:, None, :]]
        synergy = synergy * (1 - torch.eye(slot.shape[1], device=self.device))
        here = visit.offered >= 0
        value = lessened(t, item, value.gather(1, slot), here)
        return takes_whole(value, price, slope, here.float(), synergy, discount, self.bundle_pull)

    # --- what a visit leaves ------------------------------------------------------------------------------

    def _purchases(
        self,
        state: State,
        visit: Visit,
        draws: Draws,
        bought: Tensor,
        taken: Tensor,
        discount: Tensor,
        tail_row: Tensor,
        tail_item: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(P,) row, item, quantity and price of everything bought."""
        t = self.tensors
        row, slot = bought.nonzero(as_tuple=True)
        rows, items = torch.cat([row, tail_row]), torch.cat([visit.items[row, slot], tail_item])
        week = visit.week[rows]
        units = draw_units(t, state["shopper"][rows], items, week, draws.of(rows))
        # One unit of each item is in the bundle; further units go at the shelf price.
        off = torch.cat([discount[row] * taken[row, slot], torch.zeros(len(tail_row), device=self.device)])
        price = t["shelf_price"][week, items] * (1 - off / units)
        return rows, items, units, price

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
        added = {"units_cdf", "trial_habit", "enough", "new_spread", "tried_left", "drift", "last_trip"}
        tensors, settings = load_tensors(folder, "choice", added)
        return ChoiceShopper(tensors, **settings, device=device)
