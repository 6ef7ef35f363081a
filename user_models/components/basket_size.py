"""Basket size, how many lines a visit holds: each shopper's own mixture of small and big trips.

A trip of size m holds max(1, N) lines, for a shopper who comes buys something; N is Poisson of mean m f,
where f depends on the days since the last visit and on how large that was, in classes of its lines over the
shopper's own mean: soon after a big trip little is needed. Sizes lie on a grid, and each shopper's weights on
it are a non-parametric mixture (Laird 1978), shrunk to those of shoppers alike: a mode under a Dirichlet
prior centred on the weights of latent classes of shoppers (Lazarsfeld 1950), by how likely the shopper is one
of each. All is found by expectation maximisation: whoever comes often makes small trips, which is no effect
of the days. In a simulation the last trip is as large as it was planned, m f, whatever was bought then: an
offer taken does not make the next trip another one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix
from scipy.special import gammaln, softmax
from torch import Tensor

from bundlegym.compiling import njit
from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.config import Config, Count, Positive
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter

#: Days since the last visit at which the size of a trip changes; the last bin is also for a first visit.
GAP_EDGES = (1, 2, 4, 7, 10)
GRID = np.geomspace(0.4, 100.0, 24)
LOG_GRID = np.log(GRID).astype(np.float32)
#: Log of a trip's lines over the shopper's own mean, between classes of trips; and the class of no trip.
LAST_EDGES = np.log([0.3, 0.8, 1.5, 2.5]).astype(np.float32)
_USUAL = 2
_SOON = 3  # bins of days in which a simulated last trip is still felt as the log's is
#: Lines of a basket between classes that differ in what is bought, and the trip that stands for each class.
SIZE_EDGES = (2, 4, 8, 13, 21)
_SIZES = (0.8, 2.5, 6.0, 10.0, 16.0, 28.0)


@dataclass(frozen=True)
class BasketSizeConfig(Config):
    """Hyper-parameters of `fit_basket_size`."""

    prior_visits: Positive = 8.0
    """Visits: weight of all shoppers in one's own mean lines, and days between visits."""

    alike_visits: Positive = 16.0
    """Visits: weight of shoppers alike in one's own sizes of trips."""

    classes: Count = 8
    """Latent classes of shoppers by the sizes of their trips."""

    steps: Count = 60
    """Steps of expectation maximisation."""

    bin_visits: Positive = 20.0
    """Visits: weight of no effect in that of the days since the last visit on simulated trips' lines."""

    bin_lines: Positive = 50.0
    """Lines: weight of the factor of all trips after so many days in that of a class of them."""


def _gap_bins(gap: pd.Series) -> np.ndarray:
    return np.where(gap.isna(), len(GAP_EDGES), np.digitize(gap.fillna(0), GAP_EDGES))


def size_factors(
    lines: np.ndarray, usual: np.ndarray, gap: pd.Series, config: BasketSizeConfig = BasketSizeConfig()
) -> tuple[np.ndarray, np.ndarray]:
    """(6,) lines of visits, in order, over the log `usual` ones (V,) of their shoppers, by days since the
    last visit (NaN: not known); and (5, 6) what they are times that by class of the last visit, in the first
    days."""
    bins, own = _gap_bins(gap), np.exp(usual)
    of_few = config.bin_visits * lines.mean()  # few visits say little
    average = lines.mean() / own.mean()
    by_gap = average * _ratios(bins, lines, own * average, len(GAP_EDGES) + 1, of_few)
    before, soon = np.roll(size_class(lines, usual), 1), bins < _SOON
    by_class = _ratios(before[soon], lines[soon], (own * by_gap[bins])[soon], len(LAST_EDGES) + 1, of_few)
    return by_gap, np.where(np.arange(len(by_gap)) < _SOON, by_class[:, None], 1.0)


def _ratios(code: np.ndarray, seen: np.ndarray, expected: np.ndarray, n: int, weight: float) -> np.ndarray:
    """(n,) what was seen by code over what was expected, shrunk to 1."""
    total, wanted = (np.bincount(code, x, minlength=n) for x in (seen, expected))
    return (total + weight) / (wanted + weight)


def size_class(lines: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(V,) int64 class of visits of so many lines (V,), by the log `usual` ones (V,) of their shoppers."""
    return np.digitize(np.log(lines.clip(min=1)) - usual, LAST_EDGES)


def on_grid(by_size: np.ndarray) -> np.ndarray:
    """(K, ...) on the `GRID` of trips, of what is known by class of baskets (6, ...)."""
    place = np.interp(np.log(GRID), np.log(_SIZES), np.arange(len(_SIZES)))
    lower = np.minimum(place.astype(np.int64), len(_SIZES) - 2)
    part = (place - lower).reshape(-1, *[1] * (by_size.ndim - 1))
    return np.asarray((1 - part) * by_size[lower] + part * by_size[lower + 1])


def off_grid(on_trips: np.ndarray) -> np.ndarray:
    """(6, n) by class of baskets, what `on_grid` made (K, n) of."""
    return np.asarray(np.linalg.lstsq(on_grid(np.eye(len(_SIZES))), on_trips, rcond=None)[0])


@dataclass(frozen=True)
class BasketSize(Parameters):
    """How many lines a visit holds, a mixture of sizes of a trip (Laird 1978): see the module's docstring. S
    shoppers, W weeks."""

    size_cdf: Tensor = parameter(
        f"S {len(GRID)}", "chance that a trip is of at most each size in `GRID`", "F_{sk}"
    )
    log_size_rate: Tensor = parameter(
        f"S {len(GRID)}",
        "added to all log rates of a trip of each size, so that it holds as many lines on average",
        "n_{sk}",
    )
    log_gap_factor: Tensor = parameter(
        f"{len(LAST_EDGES) + 1} {len(GAP_EDGES) + 1}",
        "added to all log rates by size class of the last visit and days since",
        r"\varphi_{uh}",
    )
    usual_log_size: Tensor = parameter("S", "log of the shopper's own mean lines a visit", r"\bar n_s")
    last_size_class: Tensor = parameter(
        "W S",
        "size class of the last visit before each week, by its lines over the shopper's own mean",
        "u_{sw}",
        codes=(0, str(len(LAST_EDGES) + 1)),
    )


def fit_basket_size(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    *,
    config: BasketSizeConfig = BasketSizeConfig(),
) -> BasketSize:
    """Sizes of everybody's trips in `weeks`; factors and averages come from `shoppers` (mask).
    `log_size_rate` is that of log rates which sum to 0."""
    rows = visit_rows(dataset, weeks)
    visits = dataset.visits.iloc[rows]
    lines = np.bincount(lines_of(dataset, rows)[1], minlength=len(rows))
    shopper = visits["shopper"].to_numpy()
    usual = usual_log_size(dataset, weeks, shoppers, config)
    shape = len(LAST_EDGES) + 1, len(GAP_EDGES) + 1
    by_days = _gap_bins(visits.groupby("shopper")["day"].diff())
    bins = np.ravel_multi_index((classes_before(dataset, usual)[rows], by_days), shape)
    # Few cells hold all visits: likelihoods are taken once a cell.
    cell, first, back = np.unique(lines * 100 + bins, return_index=True, return_inverse=True)
    size, factor = lines[first][:, None], np.ones(shape)
    # The shape is given: the last shoppers may have no visit in these weeks.
    seen_cells = csr_matrix((np.ones(len(rows)), (shopper, back)), (dataset.n_shoppers, len(cell)))

    share = np.full((dataset.n_shoppers, len(GRID)), 1 / len(GRID))
    classes, of_known = _first_classes(usual[shoppers], config.classes), seen_cells[shoppers]
    for _ in range(config.steps):
        mean = GRID * factor.ravel()[bins[first]][:, None]
        none = np.where(size == 1, np.exp(-mean), 0.0)
        likelihood = none + np.exp(size * np.log(mean) - mean - gammaln(size + 1)) + 1e-300
        member = _membership(classes, seen_cells, likelihood)
        alike = member @ classes[0]
        classes = _next_classes(classes, of_known, member[shoppers], likelihood)
        total, seen = _trips(
            seen_cells.indptr, seen_cells.indices, seen_cells.data, shoppers, share, likelihood
        )
        weight = config.alike_visits
        share = (total + weight * alike) / (total.sum(1, keepdims=True) + weight)
        # One line is no line in so many cases: a shopper who comes buys something.
        held = size - none / likelihood
        observed, expected = (
            np.bincount(bins[first], weights=(seen * w).sum(1), minlength=factor.size).reshape(shape)
            for w in (held, GRID)
        )
        by_gap = (observed.sum(0) + config.bin_lines) / (expected.sum(0) + config.bin_lines)
        factor = (observed + config.bin_lines * by_gap) / (
            expected + config.bin_lines
        )  # of few lines like that of all
        factor /= by_gap[-2]  # sizes and factors have a scale in common: f is 1 after a week
    return BasketSize(
        size_cdf=as_tensor(share.astype(np.float32).cumsum(1)),
        log_size_rate=as_tensor(np.tile(LOG_GRID, (dataset.n_shoppers, 1))),
        log_gap_factor=as_tensor(np.log(factor.astype(np.float32))),
        usual_log_size=as_tensor(usual),
        last_size_class=as_tensor(_last_size_class(dataset, usual)),
    )


@njit()
def _trips(
    start: np.ndarray, cell: np.ndarray, visits: np.ndarray, known: np.ndarray, share: np.ndarray,
    likelihood: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(S, K) trips of each size that each shopper's visits are likely to have been, and (cells, K) those of
    the `known` (S,) in each cell. A shopper's `visits` (P,) by `cell` (P,) begin at `start` (S + 1,); `share`
    (S, K) is what trips were thought to be before, `likelihood` (cells, K) that of a cell's visits on trips
    of each size."""
    of_shopper, of_cell = np.zeros(share.shape), np.zeros(likelihood.shape)
    for s in range(len(share)):
        for place in range(start[s], start[s + 1]):
            c, chance = cell[place], 0.0
            for k in range(share.shape[1]):
                chance += share[s, k] * likelihood[c, k]
            for k in range(share.shape[1]):
                trips = visits[place] / chance * share[s, k] * likelihood[c, k]
                of_shopper[s, k] += trips
                if known[s]:
                    of_cell[c, k] += trips
    return of_shopper, of_cell


#: Of C latent classes of shoppers: shares of sizes (C, K) in their trips, and of each in all shoppers (C,).
_Classes = tuple[np.ndarray, np.ndarray]


def _first_classes(usual: np.ndarray, n: int) -> _Classes:
    """Classes about quantiles of shoppers' log mean lines `usual` (S,)."""
    centre = np.quantile(usual, (np.arange(n) + 0.5) / n)
    weight = np.exp(-0.5 * (LOG_GRID - centre[:, None]) ** 2)
    return weight / weight.sum(1, keepdims=True), np.full(n, 1 / n)


def _membership(classes: _Classes, seen: csr_matrix, likelihood: np.ndarray) -> np.ndarray:
    """(S, C) chance that each shopper is of each class, by visits `seen` (S, cells) and the `likelihood`
    (cells, K) of each cell on trips of each size."""
    sizes, share = classes
    return np.asarray(softmax(seen @ np.log(likelihood @ sizes.T) + np.log(share), axis=1))


def _next_classes(
    classes: _Classes, seen: csr_matrix, member: np.ndarray, likelihood: np.ndarray
) -> _Classes:
    """Classes after a step of expectation maximisation, in which no size and no class is impossible."""
    sizes, _ = classes
    weight = sizes * ((seen.T @ member / (likelihood @ sizes.T)).T @ likelihood) + 1e-3
    share = member.sum(0) + 1e-3
    return weight / weight.sum(1, keepdims=True), share / share.sum()


def gap_shares(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    config: BasketSizeConfig = BasketSizeConfig(),
) -> np.ndarray:
    """(S, 6) share of each shopper's visits that come so many days after the last one, shrunk to that of
    all."""
    visits = dataset.visits.iloc[visit_rows(dataset, weeks)]
    count = np.zeros((len(shoppers), len(GAP_EDGES) + 1))
    np.add.at(count, (visits["shopper"], _gap_bins(visits.groupby("shopper")["day"].diff())), 1.0)
    total = count[shoppers].sum(0) + 1.0
    count += config.prior_visits * total / total.sum()
    return np.asarray(count / count.sum(1, keepdims=True))


def usual_log_size(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    config: BasketSizeConfig = BasketSizeConfig(),
) -> np.ndarray:
    """(S,) float32 log mean lines of each shopper's visits, shrunk to that of all."""
    rows = visit_rows(dataset, weeks)
    lines = np.bincount(lines_of(dataset, rows)[1], minlength=len(rows))
    shopper = dataset.visits["shopper"].to_numpy()[rows]
    total, visits = (np.bincount(shopper, w, minlength=len(shoppers)) for w in (lines, None))
    mean = total[shoppers].sum() / max(visits[shoppers].sum(), 1)
    return np.log((total + config.prior_visits * mean) / (visits + config.prior_visits)).astype(np.float32)


def trip_classes(dataset: Dataset, usual: np.ndarray) -> np.ndarray:
    """(V,) int64 class of each visit of the log; `usual` (S,) log mean lines."""
    lines = np.bincount(dataset.purchases["visit"], minlength=len(dataset.visits))
    return size_class(lines, usual[dataset.visits["shopper"]])


def classes_before(dataset: Dataset, usual: np.ndarray) -> np.ndarray:
    """(V,) int64 class of the shopper's visit before each one of the log; `usual` (S,) log mean lines."""
    before = np.roll(trip_classes(dataset, usual), 1)
    return np.where(dataset.visits["shopper"].diff() == 0, before, _USUAL)


def gap_of(since: Tensor) -> Tensor:
    """(N,) class of days since the last visit (N,)."""
    return torch.bucketize(since, since.new_tensor(GAP_EDGES), right=True)


def gap_factor(p: BasketSize, last_size_class: Tensor, since: Tensor) -> Tensor:
    """(N,) log of the factor on trips `since` (N,) days after a trip of a class (N,)."""
    return p.log_gap_factor[last_size_class, gap_of(since)]


def trip_class(p: BasketSize, shopper: Tensor, log_size: Tensor) -> Tensor:
    """(N,) class of planned trips of a size, log m f (N,)."""
    over_mean = log_size.clamp(min=0) - p.usual_log_size[shopper]
    return torch.bucketize(over_mean, torch.from_numpy(LAST_EDGES).to(over_mean.device), right=True)


def _last_size_class(dataset: Dataset, usual: np.ndarray) -> np.ndarray:
    """(n_weeks, S) int64 class of the last visit before each week."""
    visits, everyone, classes = dataset.visits, np.arange(len(usual)), trip_classes(dataset, usual)
    shopper = visits["shopper"].to_numpy(np.int64)
    key = shopper * dataset.n_weeks + visits["week"].to_numpy()
    week = np.arange(dataset.n_weeks)[:, None]
    place = np.searchsorted(key, everyone * dataset.n_weeks + week) - 1
    return np.where((place >= 0) & (shopper[place] == everyone), classes[place], _USUAL)
