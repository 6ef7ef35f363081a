"""How much a visit holds: each shopper's own mixture of small and big trips.

A trip of size m holds max(1, N) lines, for who has come buys something; N is Poisson of mean m f, where f
depends on the days since the last visit. Sizes lie on a grid, and each shopper's weights on it are a mode
under a Dirichlet prior centred on all shoppers' weights: a non-parametric mixture (Laird 1978), shrunk. Both
are found by expectation maximisation: whoever comes often makes small trips, which is no effect of the days.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import poisson

from bundlegym.data import Dataset, lines_of, visit_rows

#: Days since the last visit at which the size of a trip changes; the last bin is also for a first visit.
GAP_EDGES = (1, 2, 4, 7, 10)
GRID = np.geomspace(0.4, 100.0, 24)
#: Lines of a basket between classes that differ in what is bought, and the trip that stands for each class.
SIZE_EDGES = (2, 4, 8, 13, 21)
_SIZES = (0.8, 2.5, 6.0, 10.0, 16.0, 28.0)
_PRIOR_VISITS, _STEPS = 8.0, 60
_BIN_VISITS = 20.0


def _gap_bins(gap: pd.Series) -> np.ndarray:
    return np.where(gap.isna(), len(GAP_EDGES), np.digitize(gap.fillna(0), GAP_EDGES))


def mean_by_gap(lines: np.ndarray, gap: pd.Series) -> np.ndarray:
    """(6,) mean lines of visits by days since the last visit (NaN: not known)."""
    bins, n = _gap_bins(gap), len(GAP_EDGES) + 1
    total, count = np.bincount(bins, lines, minlength=n), np.bincount(bins, minlength=n)
    average = lines.mean()  # of few visits the mean says little
    return (total + _BIN_VISITS * average) / (count + _BIN_VISITS)


def on_grid(by_size: np.ndarray) -> np.ndarray:
    """(K, ...) on the `GRID` of trips, of what is known by class of baskets (6, ...)."""
    place = np.interp(np.log(GRID), np.log(_SIZES), np.arange(len(_SIZES)))
    lower = np.minimum(place.astype(np.int64), len(_SIZES) - 2)
    part = (place - lower).reshape(-1, *[1] * (by_size.ndim - 1))
    return np.asarray((1 - part) * by_size[lower] + part * by_size[lower + 1])


def fit_trips(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> dict[str, np.ndarray]:
    """`trip_share` (S, K) chances of the sizes in `GRID`, `trip_gap` (6,) factor f by days since the last
    visit."""
    rows = visit_rows(dataset, weeks)
    visits = dataset.visits.iloc[rows]
    lines = np.bincount(lines_of(dataset, rows)[1], minlength=len(rows))
    shopper = visits["shopper"].to_numpy()
    bins = _gap_bins(visits.groupby("shopper")["day"].diff())
    known = shoppers[shopper]
    # Few cells hold all visits: likelihoods are taken once a cell.
    cell, first, back = np.unique(lines * 10 + bins, return_index=True, return_inverse=True)
    size, factor = lines[first][:, None], np.ones(len(GAP_EDGES) + 1)
    by_shopper = csr_matrix((np.ones(len(rows), np.float32), (shopper, np.arange(len(rows)))))
    by_cell = csr_matrix((known.astype(np.float32), (back, np.arange(len(rows)))))

    share = np.full((dataset.n_shoppers, len(GRID)), 1 / len(GRID))
    for _ in range(_STEPS):
        mean = GRID * factor[bins[first]][:, None]
        none = np.where(size == 1, np.exp(-mean), 0.0)
        likelihood = none + poisson.pmf(size, mean) + 1e-300
        responsibility = share[shopper] * likelihood[back]
        responsibility /= responsibility.sum(1, keepdims=True)
        total = by_shopper @ responsibility
        prior = total[shoppers].sum(0) / total[shoppers].sum()
        share = (total + _PRIOR_VISITS * prior) / (total.sum(1, keepdims=True) + _PRIOR_VISITS)
        # One line is none that a push at the door made one, in so many cases.
        seen, held = by_cell @ responsibility, size - none / likelihood
        observed, expected = (
            np.bincount(bins[first], weights=(seen * w).sum(1), minlength=len(factor)) for w in (held, mean)
        )
        factor *= (observed + 50) / (expected + 50)
        factor /= factor[-2]  # sizes and factors have a scale in common: f is 1 after a week
    return {"trip_share": share.astype(np.float32), "trip_gap": factor.astype(np.float32)}
