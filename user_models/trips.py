"""How much a visit holds: each shopper's own mixture of small and big trips.

A trip of size m holds max(1, Poisson(m f)) lines, for who has come buys something; f depends on the days
since the last visit. Sizes lie on a grid, and each shopper's weights on it are a mode under a Dirichlet prior
centred on all shoppers' weights: a non-parametric mixture (Laird 1978), shrunk.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import poisson

from bundlegym.data import Dataset, lines_of, visit_rows

#: Days since the last visit at which the size of a trip changes; the last bin is also for a first visit.
GAP_EDGES = (1, 2, 4, 7, 10)
GRID = np.geomspace(0.4, 100.0, 24)
_PRIOR_VISITS, _STEPS = 15.0, 60


def fit_trips(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> dict[str, np.ndarray]:
    """`trip_share` (S, K) chances of the sizes in `GRID`, `trip_gap` (6,) factor f by days since the last
    visit."""
    rows = visit_rows(dataset, weeks)
    visits = dataset.visits.iloc[rows]
    lines = np.bincount(lines_of(dataset, rows)[1], minlength=len(rows))
    shopper = visits["shopper"].to_numpy()
    gap = visits.groupby("shopper")["day"].diff()
    bins = np.where(gap.isna(), len(GAP_EDGES), np.digitize(gap.fillna(0), GAP_EDGES))
    known = shoppers[shopper]
    own = pd.Series(lines).groupby(shopper).transform("mean").to_numpy()
    observed = np.bincount(bins[known], weights=lines[known], minlength=len(GAP_EDGES) + 1)
    expected = np.bincount(bins[known], weights=own[known], minlength=len(GAP_EDGES) + 1)
    factor = (observed + 50) / (expected + 50)

    mean = GRID * factor[bins][:, None]
    likelihood = (
        np.where(lines[:, None] == 1, poisson.cdf(1, mean), poisson.pmf(lines[:, None], mean)) + 1e-300
    )
    share = np.full((dataset.n_shoppers, len(GRID)), 1 / len(GRID))
    for _ in range(_STEPS):
        responsibility = share[shopper] * likelihood
        responsibility /= responsibility.sum(1, keepdims=True)
        total = np.zeros_like(share)
        np.add.at(total, shopper, responsibility)
        prior = total[shoppers].sum(0) / total[shoppers].sum()
        share = (total + _PRIOR_VISITS * prior) / (total.sum(1, keepdims=True) + _PRIOR_VISITS)
    return {"trip_share": share.astype(np.float32), "trip_gap": factor.astype(np.float32)}
