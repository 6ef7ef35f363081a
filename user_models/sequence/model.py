"""`SequenceShopper`: a recurrent network of the next basket, with price and promotion as inputs.

The hidden state of a gated recurrent unit over the shopper's visits, own frequencies and times since last
bought, prices and promotions give every item of the catalogue a log rate (`net`). An item is bought
at the shelf price when v = log(rate) + Gumbel noise > 0, and whoever came buys at least what came nearest.
How much a visit holds, the mission of a trip that categories have in common, and when the shopper comes again
are the mixtures of sizes, the missions and the daily hazard that `ChoiceShopper` has too (`basket_size`,
`trip_effects`, `incidence`); but a mission moves only what a visit holds, not how much.

The answer to an offer is mixed bundling (`bundling`) with the price response that was learned.
*Assumptions*: an offer adds no synergy, since what goes together is taken to be of one mission, and what
is bought in it replaces nothing else of the basket. The network hears what the shopper buys on its own
merits: a log does not tell how much of what follows a purchase is its effect, and how much the liking that
led to it. What was bought before and is bought in a bundle is not needed again so soon, as after any
purchase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.recommenders.recency import last_bought_at_visits
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
from bundlegym.user_models.components.basket_size import (
    LOG_GRID,
    classes_before,
    gap_factor,
    trip_class,
)
from bundlegym.user_models.components.incidence import first_visit, next_visit
from bundlegym.user_models.components.marketing import recency_bins
from bundlegym.user_models.components.quantity import draw_quantity
from bundlegym.user_models.components.size_constants import match_sizes
from bundlegym.user_models.components.trip_effects import mission_effect
from bundlegym.user_models.fit_cache import check_finite
from bundlegym.user_models.numeric.row_stable import row_stable_matmul
from bundlegym.user_models.persistence import load_parameters, save_parameters
from bundlegym.user_models.requirements import cannot_learn, check_requirements
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws
from bundlegym.user_models.sequence.assemble import assemble
from bundlegym.user_models.sequence.parameters import SequenceParameters
from bundlegym.user_models.sequence.state import SequenceState
from bundlegym.user_models.sequence.training import fit_net, own_interval

_ROWS = 512  # shoppers whose tables over all items are in memory at once
_FIRST_GAP = 1_000  # days since the visit before the first


@dataclass(frozen=True)
class _Open:
    """A visit of N shoppers: `week` (N,), `rate` and `luck` (N, I) of each item, `own` (N, I) bool, what is
    bought on its own merits, `size` (N,) its place in `GRID`, `trip` (N,) its class as planned."""

    week: Tensor
    rate: Tensor
    luck: Tensor
    own: Tensor
    size: Tensor
    trip: Tensor

    def bought(self) -> Tensor:
        """(N, I) bool, what is bought without an offer: whoever came buys something, at least what came
        nearest."""
        nothing = (~self.own.any(1)).nonzero()[:, 0]
        nearest = (self.rate[nothing] / -torch.log1p(-self.luck[nothing])).argmax(1)
        bought = self.own.clone()
        bought[nothing, nearest] = True
        return bought

    def appraise(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(N, M) bool, which of `items` (N, M) are bought without an offer, and the utility that each of the
        others lacks, at most 0."""
        wanted = self.bought().gather(1, items)
        value = torch.log(self.rate.gather(1, items) / -torch.log1p(-self.luck.gather(1, items)))
        return wanted, torch.where(wanted, 0.0, value.clamp(max=0.0))


class SequenceShopper(UserModel):
    """See the module's docstring. Build it with `fit` or `load`.

    Attributes:
        params: everything fitted or read off the log.
    """

    def __init__(self, params: SequenceParameters, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.params = params.to(self.device)

    def with_parameters(self, params: SequenceParameters) -> SequenceShopper:
        """The same shoppers with other parameters."""
        return SequenceShopper(params, self.device)

    @staticmethod
    @one_thread()
    def fit(
        dataset: Dataset,
        *,
        weeks: tuple[int, int] | None = None,
        shoppers: np.ndarray | None = None,
        shortlist_size: int = 192,
        width: int = 32,
        epochs: int = 4,
        seed: int = 0,
        progress: Callable[[str], None] = say,
        device: torch.device | str = "cpu",
    ) -> SequenceShopper:
        """Fit on `weeks` (by default the training weeks). The network and averages come from `shoppers` (mask
        (n_shoppers,), by default those who are not held out); anybody's own history is their own.

        Raises:
            UserError: the log holds too little for a fit, or the fit ends in numbers that are not finite.
        """
        weeks = weeks or dataset.split.train_weeks
        shoppers = ~dataset.split.held_out if shoppers is None else shoppers
        check_requirements("sequence", dataset, weeks, shoppers)
        for sentence in cannot_learn(dataset, weeks, shoppers):
            progress(sentence)
        net = fit_net(dataset, weeks, shoppers, width=width, epochs=epochs, seed=seed, progress=progress)
        progress("user model: histories, trips, visits, units")
        params = check_finite("network", assemble(net, dataset, weeks, shoppers, shortlist_size))
        model = match_sizes(SequenceShopper(params), dataset, weeks, shoppers, seed)
        return SequenceShopper(check_finite("sizes", model.params), device)

    @property
    def offer_is_only_discount(self) -> bool:
        return True

    def arrive(self, shopper: Tensor, day: Tensor, draws: Draws) -> Tensor:
        classes = self.params.basket_size.last_size_class
        return first_visit(self.params.incidence, classes, shopper, day, draws)

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        p, week = self.params, self._week(day)
        last_visit = p.incidence.last_visit[week, shopper].long()
        return SequenceState(
            shopper=shopper,
            day=day,
            days_since_visit=torch.where(last_visit >= 0, day - last_visit, _FIRST_GAP),
            last_size_class=p.basket_size.last_size_class[week, shopper],
            hidden=p.histories.hidden[week, shopper],
            times_bought=p.histories.times_bought[week, shopper].float(),
            last_bought=p.histories.last_bought[week, shopper].long(),
        ).named()

    def at_visits(self, dataset: Dataset, rows: np.ndarray) -> State:
        visits, short = dataset.visits, self.params.histories.shortlist
        shopper, day = (
            torch.as_tensor(visits[c].to_numpy(np.int64)[rows], device=self.device)
            for c in ("shopper", "day")
        )
        state = SequenceState(**self.reset(shopper, day - day % 7))
        # The table tells what was before the week; the visits of the week before this one are heard here.
        week, number = visits["week"].to_numpy(), np.arange(len(visits))
        same = (visits["shopper"].diff() == 0).to_numpy() & (np.diff(week, prepend=-1) == 0)
        first = np.maximum.accumulate(np.where(same, 0, number))
        gap = visits.groupby("shopper")["day"].diff().fillna(_FIRST_GAP).to_numpy(np.int64)
        line = np.searchsorted(dataset.purchases["visit"], np.arange(len(visits) + 1))
        item = dataset.purchases["item"].to_numpy(np.int64)
        hidden, count = state.hidden.clone(), state.times_bought.clone()
        for step in range(int((rows - first[rows]).max()) if len(rows) else 0):
            heard = np.flatnonzero(first[rows] + step < rows)
            visit = first[rows[heard]] + step
            size = line[visit + 1] - line[visit]
            arrays = (
                heard,
                np.repeat(np.arange(len(heard)), size),
                np.concatenate([item[line[v] : line[v + 1]] for v in visit]),
                np.where(gap[visit] == _FIRST_GAP, 0, gap[visit]),
            )
            mine, who, what, days = (torch.from_numpy(a).to(self.device) for a in arrays)
            hidden[mine] = self._hear(hidden[mine], who, what, days)
            bought = short[shopper[mine]][who] == what[:, None]
            count[mine] += torch.zeros_like(count[mine]).index_add(0, who, bought.float())
        last = last_bought_at_visits(dataset, short.cpu().numpy(), rows).astype(np.int64)
        size = classes_before(dataset, self.params.basket_size.usual_log_size.cpu().numpy())[rows]
        gaps, sizes, days = (torch.as_tensor(value, device=self.device) for value in (gap[rows], size, last))
        return SequenceState(shopper, day, gaps, sizes, hidden, count, days).named()

    def log_share(self, state: State) -> Tensor:
        return self._log_share(SequenceState(**state))

    def _log_share(self, state: SequenceState) -> Tensor:
        p, shopper = self.params, state.shopper
        share = torch.softmax(self._utility(state), 1)
        chance = torch.diff(
            p.basket_size.size_cdf[shopper], dim=1, prepend=torch.zeros_like(shopper)[:, None]
        )
        factor = gap_factor(p.basket_size, state.last_size_class, state.days_since_visit)[:, None]
        size = _factor((p.basket_size.log_size_rate[shopper] + factor).exp(), share)
        # An item is on a visit once at most, which costs favourites of their share in big trips.
        known = share.gather(1, p.histories.shortlist[shopper])
        known = (chance[:, None] * -torch.expm1(-known[:, :, None] * size[:, None])).sum(2)
        lines = (share * (chance * size).sum(1, keepdim=True)).scatter(
            1, p.histories.shortlist[shopper], known
        )
        return torch.log(lines / lines.sum(1, keepdim=True))

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        every = SequenceState(**state)
        parts = [
            self._respond(
                every.of(rows),
                Offer(offer.items[rows], offer.discount[rows]),
                draws.of(rows),
            )
            for rows in torch.arange(len(offer.items), device=self.device).split(_ROWS)
        ]
        answers, after = zip(*parts, strict=True)
        columns = {name: [getattr(answer, name) for answer in answers] for name in vars(answers[0])}
        columns["row"] = [row + _ROWS * number for number, row in enumerate(columns["row"])]
        whole = {name: torch.cat(column) for name, column in columns.items()}
        return Response(**whole), SequenceState(*map(torch.cat, zip(*after, strict=True))).named()

    def appraise(self, state: State, items: Tensor, draws: Draws) -> Appraisal:
        every = SequenceState(**state)
        parts = [
            self._appraise(every.of(rows), items[rows], draws.of(rows))
            for rows in torch.arange(len(items), device=self.device).split(_ROWS)
        ]
        return Appraisal(*(torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])))

    def _open(self, state: SequenceState, draws: Draws) -> _Open:
        """What is known when few shoppers come to the door."""
        p, shopper, week = self.params, state.shopper, self._week(state.day)
        trip = torch.searchsorted(p.basket_size.size_cdf[shopper], draws.uniform(streams.SIZE)[:, None])
        trip = trip.clamp(max=p.basket_size.log_size_rate.shape[1] - 1)
        factor = gap_factor(p.basket_size, state.last_size_class, state.days_since_visit)
        size = torch.exp(p.basket_size.log_size_rate[shopper].gather(1, trip) + factor[:, None])
        planned = trip_class(
            p.basket_size, shopper, torch.from_numpy(LOG_GRID).to(self.device)[trip[:, 0]] + factor
        )
        # The mission of a trip says what it holds, its size how much.
        mission = mission_effect(p.missions, draws, trip[:, 0])
        share = torch.softmax(self._utility(state).add_(mission.index_select(1, p.catalogue.category)), 1)
        rate = share.mul_(_factor(size, share))
        # log(rate) + Gumbel noise is above 0 with chance 1 - exp(-rate).
        luck = draws.uniform(streams.NOISE, torch.arange(rate.shape[1], device=self.device))
        own = torch.expm1(-rate).add_(luck) < 0
        return _Open(week, rate, luck, own, trip[:, 0], planned)

    def _respond(self, state: SequenceState, offer: Offer, draws: Draws) -> tuple[Response, SequenceState]:
        """`respond` of few shoppers, since it goes over all items of each."""
        p, shopper, visit = self.params, state.shopper, self._open(state, draws)
        alone, week = visit.bought(), visit.week
        here, offered = offer.items >= 0, offer.items.clamp(min=0)
        wanted, value = visit.appraise(offered)
        price, slope = p.prices.shelf_price[week[:, None], offered], p.network.price_slope[offered]
        whole = takes_whole(value, wanted, price, slope, here, offer.discount)
        place, slot = (here & whole[:, None]).nonzero(as_tuple=True)
        taken = torch.zeros_like(alone)
        taken[place, offered[place, slot]] = True
        new = taken & ~alone
        # Who buys the bundle does not take home what came nearest instead of nothing.
        own = torch.where(new.any(1, keepdim=True), visit.own | (taken & alone), alone)

        row, item = (own | taken).nonzero(as_tuple=True)
        units = self._units(shopper, visit, row, item, draws.of(row))
        units = torch.where(new[row, item], 1, units)  # one unit of what is new
        off = offer.discount[row] * taken[row, item] / units
        picked = (own.gather(1, offered) & here).any(1)
        days, left = next_visit(p.incidence, shopper, state.day, visit.trip, draws)
        response = Response(
            choice=torch.where(whole, TAKE, torch.where(picked, CHERRY_PICK, IGNORE)),
            row=row,
            item=item,
            quantity=units,
            price=p.prices.shelf_price[week[row], item] * (1 - off),
            days=days,
            left=left,
        )
        return response, self._after(state, own, taken, days, visit.trip)

    def _appraise(self, state: SequenceState, items: Tensor, draws: Draws) -> Appraisal:
        """`appraise` of few shoppers."""
        visit = self._open(state, draws)
        wanted, value = visit.appraise(items)
        row, slot = wanted.nonzero(as_tuple=True)
        quantity = torch.zeros_like(items)
        quantity[row, slot] = self._units(state.shopper, visit, row, items[row, slot], draws.of(row))
        nothing = torch.zeros_like(value)
        slope = self.params.network.price_slope[items]
        return Appraisal(
            wanted, quantity, value, slope, nothing, nothing[:, :, None].expand(-1, -1, items.shape[1])
        )

    def _after(
        self, state: SequenceState, own: Tensor, taken: Tensor, days: Tensor, trip: Tensor
    ) -> SequenceState:
        short = self.params.histories.shortlist[state.shopper]
        bought = own.gather(1, short)
        recent = bought | (taken.gather(1, short) & (state.times_bought > 0))
        heard = own.any(1)
        row, item = own.nonzero(as_tuple=True)
        gap = torch.where(state.days_since_visit == _FIRST_GAP, 0, state.days_since_visit)
        hidden = self._hear(state.hidden, row, item, gap)
        return SequenceState(
            shopper=state.shopper,
            day=state.day + days,
            days_since_visit=days.clone(),
            last_size_class=trip,
            hidden=torch.where(heard[:, None], hidden, state.hidden),
            times_bought=state.times_bought + bought,
            last_bought=torch.where(recent, state.day[:, None], state.last_bought),
        )

    def _units(self, shopper: Tensor, visit: _Open, row: Tensor, item: Tensor, luck: Draws) -> Tensor:
        """(P,) int64 units of lines of items (P,) of the `row`s (P,) of shoppers (N,)."""
        p = self.params
        size, discount = visit.size[row], p.prices.log_discount[visit.week[row], item]
        return draw_quantity(p.quantity, p.histories.shortlist, shopper[row], item, size, discount, luck)

    def _utility(self, state: SequenceState) -> Tensor:
        """(N, I) log rates up to what all items of a visit have in common."""
        p, shopper, day = self.params, state.shopper, state.day
        short, count = p.histories.shortlist[shopper], state.times_bought
        interval = own_interval(day[:, None], p.histories.first_day[shopper, None], count)
        own = p.network.frequency * torch.log1p(
            count / (p.network.frequency_weight * p.network.within_share[short])
        )
        own = (own + p.network.recency[recency_bins(day, state.last_bought, interval)]) * (count > 0)
        utility = row_stable_matmul(state.hidden, p.network.item_output)
        utility.add_(p.network.log_preference[shopper]).add_(p.network.marketing_effect[self._week(day)])
        return utility.scatter_add_(1, short, own)

    def _hear(self, hidden: Tensor, row: Tensor, item: Tensor, gap: Tensor) -> Tensor:
        """(N, H) the state after visits that bought `item` (P,) in `row` (P,), `gap` (N,) days after the one
        before: one step of the gated recurrent unit."""
        p, n = self.params, len(hidden)
        lines = torch.zeros(n, device=self.device).index_add(0, row, torch.ones_like(row).float())
        # In double precision, the order of summands does not show.
        total = torch.zeros(n, p.network.item_input.shape[1], dtype=torch.float64, device=self.device)
        mean = total.index_add(0, row, p.network.item_input[item].double()) / lines.clamp(min=1)[:, None]
        x = torch.cat([mean.float(), torch.log1p(torch.stack([lines, gap.float()], 1))], 1)
        heard = (row_stable_matmul(x, p.network.cell_weight_ih) + p.network.cell_bias_ih).chunk(3, 1)
        kept = (row_stable_matmul(hidden, p.network.cell_weight_hh) + p.network.cell_bias_hh).chunk(3, 1)
        reset, update = torch.sigmoid(heard[0] + kept[0]), torch.sigmoid(heard[1] + kept[1])
        return (1 - update) * torch.tanh(heard[2] + reset * kept[2]) + update * hidden

    def _week(self, day: Tensor) -> Tensor:
        return (day // 7).clamp(0, len(self.params.prices.shelf_price) - 1)

    def save(self, folder: Path) -> None:
        """Write `sequence.safetensors` and `sequence.json` into an existing folder."""
        save_parameters(folder, "sequence", self.params, {})

    @staticmethod
    def load(folder: Path, device: torch.device | str = "cpu") -> SequenceShopper:
        """Read what `save` wrote.

        Raises:
            UserError: a file is missing or unreadable, or an earlier version wrote it.
        """
        return SequenceShopper(load_parameters(folder, "sequence", SequenceParameters)[0], device)


def _factor(size: Tensor, share: Tensor) -> Tensor:
    """(N, K) what shares (N, I) are to be multiplied by, so that visits hold `size` (N, K) lines on average
    though no item twice; to second order."""
    return size * (1 + 0.5 * size * share.square().sum(1, keepdim=True))
