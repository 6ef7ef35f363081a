"""Incidence, when shoppers come: a hazard of a visit for each day since the last one.

logit h = level + effect of days since the last visit, in the first week by how large that was (`basket_size`)
+ effect of those days in units of the shopper's own mean interval, with a second one times how irregular the
own intervals are + effect of the own rate, linear in its log between knots + b log(own weekday share) +
frailty, fitted as a logistic regression of days with a visit (discrete-time survival, Cox 1972). Frailty is
normal, drawn once an episode: how far a shopper's coming weeks are busier or quieter than the past ones.
Coming again on the same day has a chance of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.data import Dataset, visit_rows
from bundlegym.user_models.components.basket_size import (
    LAST_EDGES,
    BasketSizeConfig,
    trip_classes,
    usual_log_size,
)
from bundlegym.user_models.components.fit_weeks import part_end
from bundlegym.user_models.config import Config, Part, Positive
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws, normal

#: A shopper who would stay away longer than this many days has left.
HORIZON = 70
DAY_EDGES = (2, 3, 4, 5, 6, 7, 8, 10, 14, 15, 21, 28, 42)
RATIO_EDGES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
#: Days since the last visit at which what its size does changes; from the last one on it does nothing.
_SIZE_EDGES = (2, 4, 7)
#: Visit days a day at which the effect of the log of a shopper's own rate bends.
_RATE_KNOTS = (0.05, 0.1, 0.2, 0.3, 0.4)
_AT_ONCE = 1024  # rows of a regression: small enough for a processor's cache
_DAYS, _RATIOS, _CLASSES = len(DAY_EDGES) + 1, len(RATIO_EDGES) + 1, len(LAST_EDGES) + 1
#: How many coefficients each part of the hazard has, but for the last one, of weekdays.
_PARTS = (_DAYS, len(_SIZE_EDGES) * _CLASSES, _RATIOS, _RATIOS, len(_RATE_KNOTS) + 1)


@dataclass(frozen=True)
class IncidenceConfig(Config):
    """Hyper-parameters of `fit_hazard` and `fit_incidence`."""

    pattern_part: Part = 0.67
    """Part of the weeks in which rates are measured before coefficients are fitted on the rest."""

    half_life: Positive = 13.0
    """Weeks after which a day counts half in a shopper's own rate."""

    prior_days: Positive = 14.0
    """Days: weight of the average shopper in one's own rate."""

    prior_visits: Positive = 15.0
    """Visits: weight of the average shopper in one's own weekdays and second visits on a day."""

    prior_intervals: Positive = 8.0
    """Intervals: weight of the average shopper in how irregular one's own are."""

    ridge: Positive = 1.0
    """Precision of the normal prior, about 0, of each coefficient of the hazard: a weak one."""


@dataclass(frozen=True)
class Hazard(Parameters):
    """The coefficients of the hazard, which are everybody's."""

    hazard_day: Tensor = parameter(
        f"{_CLASSES} {_DAYS}",
        "log odds of a visit by size class of the last visit and days since",
        r"h^{day}_{ut}",
    )
    hazard_ratio: Tensor = parameter(
        f"{_RATIOS}", "log odds by days since the last visit over the own mean interval", r"h^{ratio}_t"
    )
    hazard_irregular: Tensor = parameter(
        f"{_RATIOS}", "log odds by days over the own mean interval, times irregularity", r"h^{irr}_t"
    )
    hazard_rate: Tensor = parameter(
        f"{len(_RATE_KNOTS) + 1}",
        "log odds by the log of the shopper's own rate, and by how far that is above each knot",
        "h^{rate}",
    )
    hazard_weekday: Tensor = parameter("1", "log odds by the log weekday share", r"h^{week}")
    frailty: Tensor = parameter(
        "1",
        "standard deviation between episodes of a shopper's log odds (busier and quieter spells)",
        r"\sigma^h",
    )


@dataclass(frozen=True)
class Incidence(Hazard):
    """Purchase incidence, a hazard of a visit each day (Cox 1972): see the module's docstring. S shoppers, W
    weeks."""

    visit_rate: Tensor = parameter("S", "the shopper's own visits a day", "r_s")
    weekday: Tensor = parameter("S 7", "log of 7 times the share of visits on each weekday", "r^7_{sj}")
    same_day_prob: Tensor = parameter("S", "chance that another visit follows on the same day", "r^0_s")
    irregularity: Tensor = parameter(
        "S",
        "log of the relative variance of the shopper's intervals between visits, over the mean of all",
        r"\vartheta_s",
    )
    hazard_own: Tensor = parameter("S", "log odds by the shopper's own rate, bent at knots", r"h^{own}_s")
    hazard_level: Tensor = parameter("1", "log odds of all, by simulated moments", "h^0")
    last_visit: Tensor = parameter(
        "W S", "day of the last visit before each week, counted from the log's first; -1 for none"
    )


def fit_hazard(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    *,
    config: IncidenceConfig = IncidenceConfig(),
    basket_size: BasketSizeConfig = BasketSizeConfig(),
) -> Hazard:
    """From the days of `shoppers` (mask) in the last of `weeks`; rates and weekdays are measured before them.
    `basket_size` says what a shopper's usual trip is."""
    cut = part_end(weeks, config.pattern_part)
    came = _visit_days(dataset)
    early = _own_pattern(came, (weeks[0], cut), shoppers, config)
    trip = np.zeros(came.shape, dtype=np.int8)
    usual = usual_log_size(dataset, (weeks[0], cut), shoppers, basket_size)
    trip[dataset.visits["shopper"], dataset.visits["day"]] = trip_classes(dataset, usual)
    x, y, shopper = _days_at_risk(came, trip, early, (cut, weeks[1]), shoppers)
    beta = _logistic(x, y, config.ridge)
    day, size, ratio, irregular, rate, weekday = np.split(beta, np.cumsum(_PARTS))
    by_size = np.append(size, np.zeros(_CLASSES)).reshape(-1, _CLASSES)
    size_of_day = by_size[np.digitize((1, *DAY_EDGES), _SIZE_EDGES)]
    p = 1 / (1 + np.exp(-x @ beta))
    residual = np.bincount(shopper, weights=y - p, minlength=len(shoppers))
    spread = np.bincount(shopper, weights=p * (1 - p), minlength=len(shoppers))
    excess = (residual**2 - spread).sum() / max((spread**2).sum(), 1e-9)
    return Hazard(
        hazard_day=as_tensor((day + size_of_day.T).astype(np.float32)),
        hazard_ratio=as_tensor(ratio.astype(np.float32)),
        hazard_irregular=as_tensor(irregular.astype(np.float32)),
        hazard_rate=as_tensor(rate.astype(np.float32)),
        hazard_weekday=as_tensor(weekday.astype(np.float32)),
        frailty=as_tensor(np.float32(np.sqrt(max(excess, 0.0)))),
    )


def fit_incidence(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    hazard: Hazard,
    *,
    config: IncidenceConfig = IncidenceConfig(),
) -> Incidence:
    """Everybody's rates and weekdays in all `weeks`, with averages from `shoppers` (mask), beside the
    coefficients of a `hazard`."""
    came = _visit_days(dataset)
    pattern = _own_pattern(came, weeks, shoppers, config)
    return Incidence(
        **dict(hazard.leaves()),
        visit_rate=as_tensor(pattern.visit_rate),
        weekday=as_tensor(pattern.weekday),
        irregularity=as_tensor(pattern.irregularity),
        same_day_prob=as_tensor(_same_day_prob(dataset, weeks, shoppers, config.prior_visits)),
        hazard_own=as_tensor((_bent(pattern.visit_rate) @ hazard.hazard_rate.numpy()).astype(np.float32)),
        hazard_level=torch.zeros(1),
        last_visit=as_tensor(_last_visit(came, dataset.n_weeks)),
    )


def hazards(
    p: Incidence, shopper: Tensor, day: Tensor, since: Tensor, trip: Tensor, frailty: Tensor
) -> Tensor:
    """(N, HORIZON) chance of coming on day, day + 1, ..., not having come before; `since` (N,) is day less
    the day of the last visit, `trip` (N,) the class of that, `frailty` (N,)."""
    ahead = torch.arange(HORIZON, device=day.device)
    away = since[:, None] + ahead
    rate = p.visit_rate[shopper]
    weekday = p.weekday[shopper].gather(1, (day[:, None] + ahead) % 7)
    score = p.hazard_day[trip[:, None], torch.bucketize(away, _edges(DAY_EDGES, away), right=True)]
    ratio = away * rate[:, None]
    ratio = torch.bucketize(ratio, _edges(RATIO_EDGES, ratio), right=True)
    score = score + p.hazard_ratio[ratio] + p.irregularity[shopper, None] * p.hazard_irregular[ratio]
    score = score + p.hazard_level + p.hazard_own[shopper, None] + p.hazard_weekday * weekday
    return torch.sigmoid(score + frailty[:, None])


def wait(hazard: Tensor, luck: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) days waited, from 0, and whether the shopper does not come within the horizon; luck (N,)
    uniform."""
    stays_away = torch.exp(torch.log1p(-hazard).cumsum(1))
    days = (stays_away >= luck[:, None]).sum(1)
    return days.clamp(max=HORIZON - 1), days >= HORIZON


def first_visit(p: Incidence, last_size_class: Tensor, shopper: Tensor, day: Tensor, draws: Draws) -> Tensor:
    """(N,) int64 day of the first visit on or after `day`; beyond the horizon for whoever stays away;
    `last_size_class` (W, S) as in `BasketSize`."""
    week = (day // 7).clamp(0, len(p.last_visit) - 1)
    last = p.last_visit[week, shopper].long()
    since = torch.where(last >= 0, day - last, 7)
    hazard = hazards(p, shopper, day, since, last_size_class[week, shopper], _frailty(p, draws))
    waited, away = wait(hazard, draws.uniform(streams.WAIT))
    return day + waited + away


def next_visit(
    p: Incidence, shopper: Tensor, day: Tensor, trip: Tensor, draws: Draws
) -> tuple[Tensor, Tensor]:
    """(N,) days from a visit on `day`, of a class `trip` (N,), until the next, 0 for later today, and whether
    there is none."""
    again = draws.uniform(streams.SAME_DAY) < p.same_day_prob[shopper]
    hazard = hazards(p, shopper, day + 1, torch.ones_like(shopper), trip, _frailty(p, draws))
    waited, left = wait(hazard, draws.uniform(streams.WAIT))
    return torch.where(again, 0, waited + 1), left & ~again


def _frailty(p: Incidence, draws: Draws) -> Tensor:
    """(N,) how much busier than usual the shopper is in this episode."""
    luck = Draws(draws.seed, draws.episode, torch.zeros_like(draws.visit)).uniform(streams.FRAILTY)
    return p.frailty * normal(luck)


def _edges(edges: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(edges, dtype=like.dtype, device=like.device)


def _visit_days(dataset: Dataset) -> np.ndarray:
    """(S, n_weeks * 7) bool: the shopper came on that day."""
    came = np.zeros((dataset.n_shoppers, dataset.n_weeks * 7), dtype=bool)
    came[dataset.visits["shopper"], dataset.visits["day"]] = True
    return came


@dataclass(frozen=True)
class _Pattern:
    """A shopper's own `visit_rate` (S,), `weekday` (S, 7) and `irregularity` (S,), as in `Incidence`."""

    visit_rate: np.ndarray
    weekday: np.ndarray
    irregularity: np.ndarray


def _own_pattern(
    came: np.ndarray, weeks: tuple[int, int], shoppers: np.ndarray, config: IncidenceConfig
) -> _Pattern:
    first, end = weeks[0] * 7, weeks[1] * 7
    span = came[:, first:end]
    joined = np.where(span.any(1), span.argmax(1), end - first)  # nothing is known of the days before
    day = np.arange(end - first)
    weight = 0.5 ** ((end - first - day) / (7 * config.half_life))
    exposed = np.where(day > joined[:, None], weight, 0.0)
    visits, days = (span * exposed).sum(1), exposed.sum(1)
    # Where nobody comes again, half a visit: a rate has a logarithm.
    mean = max(visits[shoppers].sum(), 0.5) / max(days[shoppers].sum(), 1.0)
    rate = (visits + config.prior_days * mean) / (days + config.prior_days)
    by_weekday = span.reshape(len(span), -1, 7).sum(1)
    shares = by_weekday[shoppers].sum(0) / max(by_weekday[shoppers].sum(), 1)
    prior = config.prior_visits
    own = (by_weekday + prior * shares) / (by_weekday.sum(1, keepdims=True) + prior)
    return _Pattern(
        visit_rate=rate.astype(np.float32),
        weekday=np.log(7 * own + 1e-3).astype(np.float32),
        irregularity=_irregularity(span, shoppers, config.prior_intervals),
    )


def _irregularity(came: np.ndarray, shoppers: np.ndarray, prior: float) -> np.ndarray:
    """(S,) float32 log of the mean squared distance of a shopper's intervals, over their mean, from 1; shrunk
    to that of all, over which it is."""
    shopper, day = np.nonzero(came)
    follows = np.diff(shopper) == 0
    shopper, interval = shopper[1:][follows], np.diff(day)[follows]
    n, total = (np.bincount(shopper, w, minlength=len(came)) for w in (None, interval))
    away = np.bincount(shopper, (interval * n[shopper] / total[shopper] - 1) ** 2, minlength=len(came))
    mean = away[shoppers].sum() / max(n[shoppers].sum(), 1)
    variance = (away + prior * mean) / (n + prior)
    return np.log(variance / mean if mean > 0 else np.ones(len(came))).astype(np.float32)


def _days_at_risk(
    came: np.ndarray,
    trip: np.ndarray,
    pattern: _Pattern,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(R, F) features, (R,) came, (R,) shopper of each day in `weeks` with an earlier visit; `trip`
    (S, n_weeks * 7) class of the last visit of a day."""
    column = np.arange(came.shape[1])
    latest = np.maximum.accumulate(np.where(came, column, -1), axis=1)
    days = np.arange(weeks[0] * 7, weeks[1] * 7)
    days = days[days > 0]
    before = latest[:, days - 1]
    shopper, place = np.nonzero((before >= 0) & shoppers[:, None])
    day = days[place]
    away = day - before[shopper, place]
    rate = pattern.visit_rate[shopper].astype(np.float64)
    size = np.digitize(away, _SIZE_EDGES) * _CLASSES + trip[shopper, day - away]
    ratio = np.digitize(away * rate, RATIO_EDGES)
    x, row = np.zeros((len(day), sum(_PARTS) + 1)), np.arange(len(day))
    by_day, by_size, by_ratio, irregular, own, weekday = np.split(x, np.cumsum(_PARTS), axis=1)
    by_day[row, np.digitize(away, DAY_EDGES)] = 1.0
    soon = size < by_size.shape[1]
    by_size[row[soon], size[soon]] = 1.0
    by_ratio[row, ratio] = 1.0
    irregular[row, ratio] = pattern.irregularity[shopper]
    own[:] = _bent(rate)
    weekday[:, 0] = pattern.weekday[shopper, day % 7]
    return x, came[shopper, day].astype(np.float64), shopper


def _bent(rate: np.ndarray) -> np.ndarray:
    """(R, F) log of rates (R,), and how far it is above that of each knot."""
    log_rate = np.log(rate)[:, None]
    return np.hstack([log_rate, (log_rate - np.log(_RATE_KNOTS)).clip(min=0)])


def _logistic(x: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """(F,) coefficients of a logistic regression with a weak normal prior, by Newton's method: first on every
    tenth row, from where few steps on all rows are left."""
    beta = np.zeros(x.shape[1])
    for every, close in ((10, 1e-2), (1, 1e-6)):
        some, came = x[::every], y[::every]
        for _ in range(30):
            gradient, hessian = -ridge * beta, ridge * np.eye(len(beta))
            for start in range(0, len(some), _AT_ONCE):
                part = some[start : start + _AT_ONCE]
                p = 1 / (1 + np.exp(-part @ beta))
                gradient += part.T @ (came[start : start + _AT_ONCE] - p)
                hessian += (part * (p * (1 - p))[:, None]).T @ part
            step = np.linalg.solve(hessian, gradient)
            beta += step
            if np.abs(step).max() < close:
                break
    return beta


def _same_day_prob(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, prior: float
) -> np.ndarray:
    visits = dataset.visits.iloc[visit_rows(dataset, weeks)]
    follows = (visits["shopper"].diff() == 0) & (visits["day"].diff() == 0)
    by_shopper = pd.DataFrame({"again": follows, "shopper": visits["shopper"]}).groupby("shopper")["again"]
    totals = by_shopper.agg(["sum", "size"]).reindex(range(dataset.n_shoppers), fill_value=0)
    mean = totals["sum"][shoppers].sum() / max(totals["size"][shoppers].sum(), 1)
    share = (totals["sum"] + prior * mean) / (totals["size"] + prior)
    return share.to_numpy(np.float32)


def _last_visit(came: np.ndarray, n_weeks: int) -> np.ndarray:
    latest = np.maximum.accumulate(np.where(came, np.arange(came.shape[1]), -1), axis=1)
    table = np.full((n_weeks, len(came)), -1, dtype=np.int32)
    table[1:] = latest[:, 6:-1:7].T[: n_weeks - 1]
    return table
