"""Co-purchase of categories once tastes are accounted for, and item embeddings made of it.

Observed ordered pairs in baskets against those that a basket of n independent draws from the shopper's own
category shares would hold: E_ab = sum_visits n (n - 1) p_a p_b. Comparing within the shopper keeps correlated
tastes from passing as complements (Gentzkow 2007); the pseudo-count shrinks rare pairs to no synergy, as in
DuMouchel's gamma-Poisson shrinker (1999).
"""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders.dirichlet_shares import PersonalFrequency


def category_baskets(dataset: Dataset, category: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(len(rows), n_categories) float32 purchase lines by category of the visits in `rows`."""
    lines, place = lines_of(dataset, rows)
    n_categories = int(category.max()) + 1
    flat = place * n_categories + category[dataset.purchases["item"].to_numpy()[lines]]
    return (
        np.bincount(flat, minlength=len(rows) * n_categories)
        .reshape(len(rows), n_categories)
        .astype(np.float32)
    )


def category_synergy(
    dataset: Dataset,
    taste: PersonalFrequency,
    weeks: tuple[int, int],
    pseudo_count: float = 20.0,
    shoppers: np.ndarray | None = None,
) -> np.ndarray:
    """(n_categories, n_categories) float32 log lift after taste; positive for complements.

    Only visits in `weeks` of `shoppers` (mask; by default those who are not held out) count.
    """
    observed, expected = category_pairs(dataset, taste, weeks, shoppers)
    return np.log((observed + pseudo_count) / (expected + pseudo_count)).astype(np.float32)


def category_pairs(
    dataset: Dataset,
    taste: PersonalFrequency,
    weeks: tuple[int, int],
    shoppers: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(n_categories, n_categories) float32 ordered pairs of lines in one basket, and as many as tastes and
    sizes of baskets alone would make; of the visits of `category_synergy`."""
    visits = dataset.visits
    rows = visit_rows(dataset, weeks, ~dataset.split.held_out if shoppers is None else shoppers)
    baskets = category_baskets(dataset, taste.category, rows)
    observed = baskets.T @ baskets - np.diag(baskets.sum(0))
    size = baskets.sum(1)
    pairs = np.bincount(
        visits["shopper"].to_numpy()[rows], weights=size * (size - 1), minlength=dataset.n_shoppers
    )
    return observed, taste.category_share.T @ (pairs[:, None].astype(np.float32) * taste.category_share)


def synergy_embeddings(synergy: np.ndarray, category: np.ndarray, size: int = 8) -> np.ndarray:
    """(n_items, size) float32: the leading eigenvectors of the synergy of an item's category."""
    values, vectors = np.linalg.eigh((synergy + synergy.T) / 2)
    lead = np.argsort(-np.abs(values), kind="stable")[:size]
    embedding = vectors[:, lead] * np.sqrt(np.abs(values[lead]))
    padded = np.zeros((len(synergy), size), dtype=np.float32)
    padded[:, : len(lead)] = embedding
    return padded[category]
