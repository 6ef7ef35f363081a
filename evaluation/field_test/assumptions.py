"""The two numbers that no transaction log tells, `offer_exposure` and `bundle_pull`, from an offer log.

The method of simulated moments (McFadden 1989), with `choice` fitted to the weeks before the offers. At each
visit that followed an offer the model says, under given luck, which of the offered items would be bought
anyway, and what the others lack; from this follows, for every value of the two numbers, what would be bought
with the offer (`reference.offers.answered`). Two moments of the visits are met:

1. how often all of the offered items are bought, which is when an offer is taken whole;
2. how many of them are bought;

each less the same where the draw held the offer back.

They are differences, since the offered items are chosen, and a model that is too sure of what was chosen
would otherwise be taken for an effect. Where the log does not say which offer was held back (`held_back`),
there is
nothing to subtract: the model alone then says what would have been bought anyway, and the result says so.

Standard errors are those of the moments, clustered by household, through their derivatives (delta method).
They hold what chance does to the offer log. What is wrong in the fitted model, its answer to prices above
all,
they do not hold: the two numbers are those with which *this* model answers as the shop's households did.

An offer counts as taken whole where all of its items are in the basket: whoever wants all of them gets the
discount, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from bundlegym.data import Dataset, lines_of
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.offer_log import OfferLog
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.base import Offer
from bundlegym.user_models.choice.reference.exposure import no_offers, remember, weeks_in_a_row
from bundlegym.user_models.choice.reference.offers import answered
from bundlegym.user_models.choice.reference.visit import price_and_slope
from bundlegym.user_models.choice.state import ChoiceState
from bundlegym.user_models.rng.counter import Draws

#: Of the luck of the simulated visits.
_SEED = 4_611_686_018_427_387
#: Steps of the derivatives: wide, since a moment moves only where somebody's answer changes.
_STEP = np.array([0.1, 0.1])
#: Values beyond which nothing is looked for.
_MOST = np.array([10.0, 5.0])
_NAMES = ("offer_exposure", "bundle_pull")
_ROUNDS = 30


@dataclass(frozen=True)
class Moments:
    """Visits at which something was offered or held back, and what the model says of each under D lucks.

    Attributes (V visits, B items):
        shopper: (V,) codes. made: (V,) bool, offered and not held back.
        taken, bought: (V,) float, what was seen: all of the items bought, and how many of them.
        discount: (V,).
        offer, wanted, lacking, effect, price, slope: (V * D, B), see `answered`; the effect is that of the
            log's own mailer, at `offer_exposure` 1.
    """

    shopper: np.ndarray
    made: np.ndarray
    taken: np.ndarray
    bought: np.ndarray
    discount: np.ndarray
    offer: Offer
    wanted: Tensor
    lacking: Tensor
    effect: Tensor
    price: Tensor
    slope: Tensor
    model: ChoiceShopper
    draws: int

    def expected(self, exposure: float, pull: float) -> tuple[np.ndarray, np.ndarray]:
        """(V,) chance to be taken whole and (V,) number of items bought, where something was offered."""
        effect = self.effect * exposure
        exposed, whole = answered(
            self.model.params, self.offer, self.price, self.slope, self.wanted, self.lacking, effect, pull
        )
        bought = (self.offer.items >= 0) & (self.wanted | exposed | whole[:, None])
        return self._mean(whole.double()), self._mean(bought.double().sum(1))

    def unoffered(self) -> tuple[np.ndarray, np.ndarray]:
        """(V,) chance that all of the items are bought without an offer, and (V,) number of them."""
        every = (self.wanted | (self.offer.items < 0)).all(1)
        return self._mean(every.double()), self._mean(self.wanted.double().sum(1))

    def _mean(self, values: Tensor) -> np.ndarray:
        return values.reshape(-1, self.draws).mean(1).cpu().numpy()


def moments(dataset: Dataset, model: ChoiceShopper, log: OfferLog, draws: int = 32, seed: int = 0) -> Moments:
    """Of the visits that followed the decisions of an offer log.

    Args:
        dataset: that the model was fitted to the earlier weeks of, and that the log's codes are of.
        draws: lucks of each visit.

    Raises:
        UserError: no offer was followed by a visit.
    """
    made = log.made
    items = np.where(made[:, None], _wide(log.items, log.held_back), _wide(log.held_back, log.items))
    use = np.flatnonzero((log.visit >= 0) & (items >= 0).any(1) & (items != -2).all(1))
    if not made[use].any():
        raise UserError("no offer of known items was followed by a visit")
    items, made, rows = items[use], made[use], log.visit[use]
    bought = _bought(dataset, rows, items)
    size = (items >= 0).sum(1)
    model = model.under(offer_exposure=1.0, bundle_pull=0.0)
    state = ChoiceState(**model.at_visits(dataset, rows))
    codes = torch.as_tensor(items, device=model.device)
    shown = _shown_before(state, codes, torch.as_tensor(made, device=model.device))
    state = state._replace(**shown)
    luck = Draws(_SEED + seed, torch.as_tensor(rows), torch.zeros(len(rows), dtype=torch.int64))
    row = torch.arange(len(rows)).repeat_interleave(draws)
    many = {name: value[row] for name, value in state.named().items()}
    appraisal = model.appraise(many, codes[row], luck.others(range(1, draws + 1)))
    week = (state.day // 7).clamp(0, dataset.n_weeks - 1)
    price, slope = price_and_slope(model.params, state.shopper, week, codes)
    discount = np.where(made, log.discount[use], 0.0)
    return Moments(
        log.shopper[use],
        made,
        (bought == size).astype(float),
        bought.astype(float),
        discount,
        Offer(codes[row], torch.as_tensor(discount, dtype=torch.float32)[row]),
        appraisal.wanted,
        appraisal.value,
        appraisal.exposure,
        price[row],
        slope[row],
        model,
        draws,
    )


def _wide(items: np.ndarray, other: np.ndarray) -> np.ndarray:
    width = max(items.shape[1], other.shape[1])
    return np.concatenate([items, np.full((len(items), width - items.shape[1]), -1)], 1)


def _bought(dataset: Dataset, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
    """(V,) how many of `items` (V, B) are in the baskets of the visits `rows` (V,)."""
    order = np.argsort(rows, kind="stable")
    if (np.diff(rows[order]) == 0).any():
        raise UserError("two offers of the log were made at one visit")
    lines, place = lines_of(dataset, rows)
    hit = items[place] == dataset.purchases["item"].to_numpy()[lines][:, None]
    return np.bincount(place, hit.any(1), len(rows)).astype(int)


def _shown_before(state: ChoiceState, items: Tensor, made: Tensor) -> dict[str, Tensor]:
    """`shown`, `shown_week` and `shown_run` at each visit, V of them sorted by shopper and day: what the same
    shopper was offered at those before."""
    shopper = state.shopper
    memory = no_offers(int(shopper.max()) + 1, True, items.device)
    at_visit = no_offers(len(shopper), True, items.device)
    first = torch.searchsorted(shopper, shopper)
    number = torch.arange(len(shopper), device=items.device) - first
    week = state.day // 7
    offered = torch.where(made[:, None], items, -1)
    for k in range(int(number.max()) + 1):
        rows = (number == k).nonzero()[:, 0]
        who = shopper[rows]
        before = {name: value[who] for name, value in memory._asdict().items()}
        for name, value in before.items():
            getattr(at_visit, name)[rows] = value
        now = ChoiceState(*(value[rows] for value in state))._replace(**before)
        after = remember(now, offered[rows], weeks_in_a_row(now, offered[rows], week[rows]), week[rows])
        for name, value in after._asdict().items():
            getattr(memory, name)[who] = value
    return at_visit._asdict()


def estimate(found: Moments, alpha: float = 0.05) -> dict[str, Any]:
    """`offer_exposure` and `bundle_pull`, each with `estimate`, `error`, `low`, `high` (never below 0), in
    JSON's own types; what the moments are; and sentences on what cannot be known."""
    notes, held = [], ~found.made
    if not held.any():
        notes.append(
            "no offer that was held back is known (column held_back): what would have been bought anyway is "
            "the model's word alone"
        )
    free = np.array([bool((found.effect[:, 0] != 0).any()), True])
    if not free[0]:
        notes.append(
            "offer_exposure is a share of the effect of the log's own mailer, and this log has none: it "
            "cannot be known, and is taken as 0"
        )
    point = _solve(found, free)
    _, contribution = _means(found, point)
    slope = _slope(found, point)[free][:, free]
    sums = np.stack([np.bincount(found.shopper, column) for column in contribution.T[free]])
    clusters = len(np.unique(found.shopper))
    spread = sums @ sums.T / len(found.shopper) ** 2 * clusters / max(clusters - 1, 1)
    covariance = np.full((2, 2), np.nan)
    if np.linalg.matrix_rank(slope) == len(slope):
        inverse = np.linalg.inv(slope)
        covariance[np.ix_(free, free)] = inverse @ spread @ inverse.T
    elif free.all():
        notes.append("the two numbers cannot be told apart by this offer log")
    z = float(stats.norm.ppf(1 - alpha / 2))
    numbers = {}
    for i, name in enumerate(_NAMES):
        error = float(np.sqrt(covariance[i, i])) if free[i] else None
        if error is not None and not np.isfinite(error):
            error = None
        numbers[name] = {
            "estimate": float(point[i]),
            "error": error,
            "low": None if error is None else max(0.0, float(point[i]) - z * error),
            "high": None if error is None else float(point[i]) + z * error,
        }
    return {**numbers, "fit": _fit(found, point), "visits": len(found.shopper), "notes": notes}


def _means(found: Moments, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2,) the moments, zero where they are met, and (V, 2) contributions of visits, whose means they are."""
    made, seen = found.made[:, None], np.stack([found.taken, found.bought], 1)
    offered, unoffered = (np.stack(pair, 1) for pair in (found.expected(*point), found.unoffered()))
    each = np.where(made, seen - offered, unoffered - seen)
    each *= len(made) / np.where(made, made.sum(), (~made).sum())
    mean = each.mean(0)
    # Around their means among those with an offer, and among those without.
    centred = each.copy()
    for group in (found.made, ~found.made):
        if group.any():
            centred[group] -= each[group].mean(0)
    return mean, centred


def _slope(found: Moments, point: np.ndarray) -> np.ndarray:
    """(2, 2) derivatives of the moments, of row i in column j, by differences that stay at 0 or above."""
    columns = []
    for j in range(2):
        low, high = point.copy(), point.copy()
        low[j], high[j] = max(0.0, point[j] - _STEP[j]), point[j] + _STEP[j]
        columns.append((_means(found, high)[0] - _means(found, low)[0]) / (high[j] - low[j]))
    return np.stack(columns, 1)


def _solve(found: Moments, free: np.ndarray) -> np.ndarray:
    """The values at which the moments are nearest to zero, by damped Newton steps that stay at 0 or above."""
    point = np.where(free, [0.5, 0.1], 0.0)
    _, each = _means(found, point)
    scale = each.std(0) / np.sqrt(len(each)) + 1e-12
    scale = np.where([True, free[0]], scale, np.inf)  # without a mailer take-up alone decides

    def miss(at: np.ndarray) -> float:
        return float(((_means(found, at)[0] / scale) ** 2).sum())

    best = miss(point)
    for _ in range(_ROUNDS):
        if best < 1e-4:
            break
        slope, mean = _slope(found, point) / scale[:, None], _means(found, point)[0] / scale
        step = np.zeros(2)
        bound = free & ~((point <= 0) & (slope.T @ mean > 0))  # at 0 and drawn below it: it stays there
        if not bound.any():
            break
        step[bound] = -np.linalg.lstsq(slope[:, bound], mean, rcond=1e-6)[0]
        for shrink in (1.0, 0.5, 0.25, 0.1, 0.03):
            tried = np.clip(point + shrink * step, 0.0, _MOST)
            if (reached := miss(tried)) < best:
                point, best = tried, reached
                break
        else:
            break
    return point


def _fit(found: Moments, point: np.ndarray) -> list[dict[str, float]]:
    """What was seen and what the model expects at the estimates, by discount: a check of the model."""
    taken, bought = found.expected(*point)
    rows = []
    for level in np.unique(found.discount[found.made]):
        here = found.made & (found.discount == level)
        rows.append(
            {
                "discount": float(level),
                "offers": int(here.sum()),
                "taken": float(found.taken[here].mean()),
                "taken_expected": float(taken[here].mean()),
                "bought": float(found.bought[here].mean()),
                "bought_expected": float(bought[here].mean()),
            }
        )
    return rows
