"""What the shop's own fitted model forecasts at a visit: the block `forecasts` of an observation.

At the door each candidate is appraised (`UserModel.appraise`) under a few draws of luck. They are the
forecaster's own, and no draws of the visit: an agent that saw those would know what nobody knows. A pick
needs no more than the rule of mixed bundling (`user_models.direct_gains`) on what is known then.

The model under which an agent is trained forecasts for it, too. Where another model reacts, a judge say, the
forecasts still are those of the first, by the shopper's log until that day and the offers of the episode
(`open_visits.state_at_door`).

*Rates.* An item that is bought with a chance of a few per cent is not bought in a few draws. What it lacks
tells more: it is the log of 1 / T, with T the time at which it would have come, in visits (all our families
have Gumbel noise). So its purchases a visit r are estimated as events over time at risk, cut off after
`_UNTIL` visits because rates differ between trips. Where the model tells shares of lines in closed form
(`UserModel.log_share`), they are the mean of a gamma prior worth `_PRIOR` events, scaled to all candidates'
events. Being offered multiplies r by exp(exposure), a price cut to 1 - d by (1 - d)^-slope, and 1 - exp(-r)
is the chance of a purchase.

*Gains.* What exposure brings follows from the rates. What a bundle earns by its discount depends on all of
its items: it is the mean over `_LATIN` rows of a Latin hypercube of arrivals at these rates (McKay, Beckman
and Conover 1979), each item by itself, with the model's own synergies.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bundlegym.compiling import njit
from bundlegym.envs.base import FEATURE_LIMIT
from bundlegym.envs.config import EnvConfig
from bundlegym.envs.market import Market
from bundlegym.envs.open_visits import OpenVisits
from bundlegym.errors import UserError
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.direct_gains import Worth, add_gains, short_of
from bundlegym.user_models.rng.counter import Draws

#: Of the forecasts' own luck; neither simulations nor planners start from it.
_SEED = 7_046_029_254_386_353
#: Draws of luck of an appraisal.
_DRAWS = 12
#: Rows of a Latin hypercube; how many there are, one of which serves a visit; the stream that says which.
_LATIN, _CUBES, _WHICH = 64, 16, 0
_UNTIL, _PRIOR = 4.0, 8.0
#: Columns of a candidate's row that are the same at all discount levels, and those that each level has.
COLUMNS, BY_LEVEL = ("anyway", "log_rate", "slope", "exposure"), ("bought", "gain")
#: Elements of one appraisal's pairs at most, so that memory does not grow with visits.
_PAIRS = 1 << 22
#: Gains stand in the observation as multiples of this share of the shop's mean margin of an item.
_UNIT = 0.05


def forecast_columns(levels: int) -> tuple[str, ...]:
    """Names of the columns of a row of the block."""
    return (*COLUMNS, *(f"{name}_{level}" for name in BY_LEVEL for level in range(levels)))


def can_forecast(family: type[UserModel]) -> bool:
    """Whether models of a class appraise items at all."""
    return family.appraise is not UserModel.appraise


class Forecasts:
    """The forecasts of N slots.

    Args:
        user_model: whose they are.
        market: prices and costs.
        config: the offers that an agent may make.
        n: slots.

    Attributes:
        block: (N, (K + 1) F) float32, the rows of the candidates and one of the bundle so far, with the F
            columns `forecast_columns`:

            anyway: chance that the candidate is bought without an offer.
            log_rate: log of its purchases a visit, moved and scaled to about unit size.
            slope: utility in minus log price, halved.
            exposure: utility that being offered adds by itself.
            bought_d: chance that an offer of it alone at level d sells it where it is not bought anyway.
            gain_d: direct effect that it adds to an offer of the bundle so far at level d, in twentieths of
                the shop's mean margin of an item.

            The bundle's row has the gains of the bundle itself, and 0 elsewhere.
    """

    def __init__(self, user_model: UserModel, market: Market, config: EnvConfig, n: int) -> None:
        self.user_model, self.max_size = user_model, config.max_size
        self.discounts = np.array(config.discounts)
        self.k, self.columns = config.n_candidates, len(forecast_columns(len(config.discounts)))
        margin = (market.shelf_price - market.unit_cost).abs().mean()
        self.scale = 1 / (_UNIT * float(margin.clamp(min=1e-6)) * _LATIN)
        self.block = torch.zeros(n, (self.k + 1) * self.columns, device=user_model.device)
        #: (_CUBES, K, _LATIN) log of arrival times at rate 1.
        self.log_times = _log_times(self.k)
        self.worth = _worth_of_nothing(n, self.k)

    @staticmethod
    def luck(episode: Tensor, visit: Tensor) -> Draws:
        """The forecasts' own luck at visits (M,)."""
        return Draws(_SEED, episode, visit)

    def open(self, slots: Tensor, visits: OpenVisits, candidates: Tensor) -> None:
        """Appraise the `candidates` (M, K) of shoppers who come to the door in `slots` (M,).

        Raises:
            UserError: the model appraises nothing.
        """
        step = max(1, _PAIRS // (self.k * self.k * _DRAWS))
        for rows in torch.arange(len(slots), device=slots.device).split(step):
            self._open(slots[rows], visits.some(rows), candidates[rows])

    def _open(self, slots: Tensor, visits: OpenVisits, items: Tensor) -> None:
        m, k = items.shape
        found = visits.appraise(items, range(1, _DRAWS + 1))
        if found is None:
            raise self._wrong("cannot tell what items are worth to a shopper")
        share = self.user_model.log_share(visits.state)

        def drawn(values: Tensor) -> np.ndarray:
            return values.reshape(m, _DRAWS, *values.shape[1:]).cpu().numpy()

        rate = rates(
            drawn(found.wanted),
            drawn(found.value),
            None if share is None else share.gather(1, items).cpu().numpy(),
        )
        slope, shown = drawn(found.slope).mean(1), drawn(found.exposure).mean(1)
        at = slots.cpu().numpy()
        cube = (visits.draws.uniform(_WHICH) * _CUBES).long().cpu().numpy()
        log_value = np.log(rate)[:, :, None] - self.log_times[cube]
        pair, (price, margin) = drawn(found.pair).mean(1), visits.prices_and_margins(items)
        known = _worth(log_value, slope, shown, pair, rate, price, margin, self.max_size)
        for kept, new in zip(self.worth, known, strict=True):
            kept[at] = new

        offered = rate[:, :, None] * np.exp(shown[:, :, None] - slope[:, :, None] * np.log1p(-self.discounts))
        bought = np.exp(-rate)[:, :, None] - np.exp(-offered)
        fixed = np.stack([-np.expm1(-rate), np.log(rate) / 2 + 2, slope / 2, shown], 2)
        fixed = np.concatenate([fixed, bought], 2).clip(-FEATURE_LIMIT, FEATURE_LIMIT)
        self._rows()[slots, :k, : fixed.shape[2]] = torch.from_numpy(fixed).to(self.block)
        self._update(at, np.zeros((m, k), dtype=np.float32))

    def pick(self, slots: Tensor, picked: Tensor) -> None:
        """Bring the gains up to date after picks in `slots` (M,); `picked` (N, K) says what bundles hold."""
        self._update(slots.cpu().numpy(), picked[slots].cpu().numpy())

    def _update(self, at: np.ndarray, picked: np.ndarray) -> None:
        levels = len(self.discounts)
        gains = np.empty((len(at), self.k + 1, levels), dtype=np.float32)
        _gains(self.worth, at, picked, self.max_size, self.discounts, self.scale, gains)
        if not np.isfinite(gains).all():
            raise self._wrong("appraises items so that an offer's gain is no number")
        slots, told = torch.from_numpy(at), torch.from_numpy(gains.clip(-FEATURE_LIMIT, FEATURE_LIMIT))
        self._rows()[slots.to(self.block.device), :, self.columns - levels :] = told.to(self.block)

    def _wrong(self, what: str) -> UserError:
        return UserError(f"observation 'forecasts': {type(self.user_model).__name__} {what}")

    def _rows(self) -> Tensor:
        """(N, K + 1, F), on the memory of the block."""
        return self.block.view(len(self.block), self.k + 1, self.columns)


def rates(wanted: np.ndarray, lack: np.ndarray, log_share: np.ndarray | None) -> np.ndarray:
    """(M, K) purchases a visit of each item, as the module says.

    Args:
        wanted: (M, D, K) bool, bought without an offer.
        lack: (M, D, K) utility that it lacks where it is not.
        log_share: (M, K) of the visit's lines, where it is known.
    """
    time = np.where(wanted, 0.5, np.exp(-lack.clip(-20.0, 0.0)))
    events, risk = (time < _UNTIL).sum(1) + 0.5, time.clip(max=_UNTIL).sum(1)
    if log_share is None:
        return events / risk
    share = np.exp(log_share.clip(-20.0, 0.0))
    prior = share * (events.sum(1) / (risk * share).sum(1))[:, None]
    return (events + _PRIOR) / (risk + _PRIOR / prior)


def _log_times(k: int) -> np.ndarray:
    """(_CUBES, K, _LATIN) float32, each column of a cube stratified by itself."""
    rng = np.random.default_rng(_SEED)
    strata = rng.permuted(np.tile(np.arange(_LATIN), (_CUBES, k, 1)), axis=2)
    return np.log(-np.log1p(-(strata + 0.5) / _LATIN)).astype(np.float32)


def _worth_of_nothing(n: int, k: int) -> Worth:
    """A `Worth` of each of N slots, its fields with N in front; those that are the same in all rows of the
    hypercube have no axis of them: slope (N, K), pair (N, K, K)."""

    def zeros(*shape: int, dtype: type = np.float32) -> np.ndarray:
        return np.zeros((n, k, *shape), dtype)

    drawn = zeros(_LATIN, dtype=np.bool_), zeros(_LATIN)
    return Worth(*drawn, zeros(), zeros(k), zeros(_LATIN), zeros(), zeros(), zeros())


def _worth(
    log_value: np.ndarray, slope: np.ndarray, shown: np.ndarray, pair: np.ndarray, rate: np.ndarray,
    price: np.ndarray, margin: np.ndarray, max_size: int,
) -> Worth:  # fmt: skip
    """What items are worth at M visits, as `_worth_of_nothing` lays it out.

    Args:
        log_value: (M, K, _LATIN) above 0 where an item is bought without an offer.
        slope, shown, rate, price, margin: (M, K). pair: (M, K, K).
    """
    value = log_value + shown[:, :, None]
    anyway = (log_value > 0) | ((shown[:, :, None] > 0) & (value >= 0))
    most = value + (max_size - 1) * pair.max(2).clip(min=0)[:, :, None]
    least = np.where(anyway, 0, short_of(price[:, :, None], most, slope[:, :, None]))
    extra = _LATIN * margin * (np.exp(-rate) - np.exp(-rate * np.exp(shown)))
    return Worth(anyway, value, slope, pair, least, extra, price, margin)


@njit()
def _gains(
    worth: Worth, at: np.ndarray, picked: np.ndarray, max_size: int, discounts: np.ndarray, scale: float,
    gains: np.ndarray,
) -> None:  # fmt: skip
    """Fill the gains of some slots: what each candidate adds to an offer of the bundle so far, and last what
    the bundle itself gains.

    Args:
        worth: as `_worth_of_nothing` lays it out.
        at: (M,) int64, the slots. picked: (M, K) float32.
        discounts: (L,) float64. scale: of a sum over the rows of a hypercube.
        gains: (M, K + 1, L) float32, written; 0 for what cannot be picked.
    """
    (k, rows), levels = worth.value.shape[1:], len(discounts)
    items, own, total = np.zeros(max_size, np.int64), np.zeros(levels), np.zeros(levels)
    for r in range(len(at)):
        n, size = at[r], np.int64(0)  # typed: for a literal, `add_gains` is compiled once more
        for i in range(k):
            if picked[r, i] != 0:
                items[size] = i
                size += 1
        slope = np.broadcast_to(np.expand_dims(worth.slope[n], 1), (k, rows))
        pair = np.broadcast_to(worth.pair[n], (rows, k, k))
        here = Worth(
            worth.anyway[n], worth.value[n], slope, pair, worth.least[n], worth.extra[n], worth.price[n],
            worth.margin[n],
        )  # fmt: skip
        own[:] = 0
        if size:
            add_gains(here, items, size, discounts, own)
        for i in range(k):
            if picked[r, i] != 0 or size == max_size:
                gains[r, i] = 0
                continue
            items[size] = i
            total[:] = 0
            add_gains(here, items, size + 1, discounts, total)
            for level in range(levels):
                gains[r, i, level] = scale * (total[level] - own[level])
        for level in range(levels):
            gains[r, k, level] = scale * own[level]
