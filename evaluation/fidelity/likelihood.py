"""Held-out negative log-likelihood per purchased item, in nats, of user models and of simple rivals.

Every model gives each item of the catalogue its share of a visit's lines, before the visit; the measure is
the mean of -log(share) over the lines that were bought. Rivals are fitted on the same weeks and shoppers.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.sparse import csr_matrix

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.recommenders.likeliest import values_at
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.components.fit_weeks import last_fifth
from bundlegym.user_models.numeric.row_blocks import row_blocks

#: Simple rivals of a user model, by what `rival_nll` calls them.
BASELINES = ("popularity", "personal_frequency", "matrix_factorisation")
#: Weights that popularity may have in personal frequency, in purchase lines.
_PERSONAL_WEIGHTS = (25.0, 100.0, 400.0, 1600.0)
_FACTORS, _FACTOR_WEIGHT = 60, 200.0
#: Entries of a table of visits by items: small enough for a processor's cache.
_ENTRIES = 2**21


def model_nll(model: UserModel, dataset: Dataset, rows: np.ndarray) -> float | None:
    """Nats a line of a user model at the visits `rows`; None for one that knows no shares."""
    found = line_nll(model, dataset, rows)
    return None if found is None else float(found.mean())


def line_nll(model: UserModel, dataset: Dataset, rows: np.ndarray) -> np.ndarray | None:
    """(P,) float64 nats of each line of the visits `rows`, in the order of `lines_of`; None for a user model
    that knows no shares."""
    lines, place = lines_of(dataset, rows)
    item = dataset.purchases["item"].to_numpy()[lines].astype(np.int64)
    nats = np.zeros(len(item))
    state = model.at_visits(dataset, rows)
    for some in row_blocks(np.arange(len(rows)), dataset.n_items, _ENTRIES):
        first, end = some[0], some[-1] + 1
        log_share = model.log_share({name: value[first:end] for name, value in state.items()})
        if log_share is None:
            return None
        mine = slice(*np.searchsorted(place, [first, end]))
        where = torch.from_numpy(place[mine] - first), torch.from_numpy(item[mine])
        nats[mine] = -log_share.cpu()[where].double().numpy()
    return nats


def rival_nll(
    dataset: Dataset, fit_weeks: tuple[int, int], fit_shoppers: np.ndarray, rows: np.ndarray
) -> dict[str, float]:
    """Nats a line of popularity, personal frequency and matrix factorisation at the visits `rows`.

    Averages and factors are learned from `fit_shoppers`; a shopper's own counts are that shopper's own. How
    much popularity weighs in personal frequency is chosen by the last fifth of `fit_weeks`.
    """
    from sklearn.decomposition import NMF  # takes long to import, and who only trains needs none of it
    from sklearn.exceptions import ConvergenceWarning

    counts = line_counts(dataset, fit_weeks)
    popularity = _sum(counts[fit_shoppers], 0) + 0.5
    popularity = (popularity / popularity.sum()).astype(np.float32)
    lines, place = lines_of(dataset, rows)
    item = dataset.purchases["item"].to_numpy()[lines].astype(np.int64)
    shopper = dataset.visits["shopper"].to_numpy()[rows][place]

    def score(share: np.ndarray) -> float:
        return float(-np.log(share).mean(dtype=np.float64))

    total = _sum(counts, 1)
    weight = _personal_weight(dataset, fit_weeks, fit_shoppers)
    personal = values_at(counts, shopper, item) + weight * popularity[item]
    rank = min(_FACTORS, int(fit_shoppers.sum()), dataset.n_items)
    factors = NMF(
        rank, init="nndsvda", solver="mu", beta_loss="kullback-leibler", max_iter=60, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        factors.fit(counts[fit_shoppers])
        weights = factors.transform(counts)
    norm = weights @ factors.components_.sum(1) + _FACTOR_WEIGHT
    low_rank = np.einsum("pk,kp->p", weights[shopper], factors.components_[:, item])
    return {
        "popularity": score(popularity[item]),
        "personal_frequency": score(personal / (total[shopper] + weight)),
        "matrix_factorisation": score((low_rank + _FACTOR_WEIGHT * popularity[item]) / norm[shopper]),
    }


def _personal_weight(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> float:
    """The weight of popularity by which counts of the first weeks forecast the lines of the last fifth
    best."""
    later = last_fifth(weeks)
    counts = line_counts(dataset, (weeks[0], later[0]))
    popularity = _sum(counts[shoppers], 0) + 0.5
    popularity /= popularity.sum()
    rows = visit_rows(dataset, later, shoppers)
    lines, place = lines_of(dataset, rows)
    item, shopper = (
        dataset.purchases["item"].to_numpy()[lines],
        dataset.visits["shopper"].to_numpy()[rows][place],
    )
    own, total = values_at(counts, shopper, item), _sum(counts, 1)[shopper]

    def loss(weight: float) -> float:
        return float(-np.log((own + weight * popularity[item]) / (total + weight)).sum())

    return min(_PERSONAL_WEIGHTS, key=loss)


def _sum(counts: csr_matrix, axis: int) -> np.ndarray:
    """Float64 sums of the columns or rows of a table."""
    return np.asarray(counts.sum(axis, dtype=np.float64)).ravel()
