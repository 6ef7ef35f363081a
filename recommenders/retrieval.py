"""What an environment takes from a fitted recommender: a shortlist a shopper, and embeddings of one width."""

from __future__ import annotations

import numpy as np

from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender, slices

#: Shoppers whose scores stand for a model that has no embeddings.
_SAMPLE = 2000


def shortlist(model: Recommender, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Every shopper's best items: (n_shoppers, L) int64 codes, ascending in each row, and float32 z-scores.

    The z-scores are over all items of the shopper, so that they compare between models. L is `size` or
    n_items, whichever is less.

    Raises:
        UserError: size is less than 1.
    """
    if size < 1:
        raise UserError(f"size of the shortlist is {size}; must be at least 1")
    size = min(size, model.log.n_items)
    items, scores = [], []
    for some in slices(model.log.n_shoppers, model.log.n_items):
        score = z_scores(model.score(np.arange(some.start, some.stop)))
        best = np.sort(np.argpartition(-score, size - 1, axis=1)[:, :size], axis=1)
        items.append(best)
        scores.append(np.take_along_axis(score, best, axis=1))
    return np.concatenate(items).astype(np.int64), np.concatenate(scores)


def item_vectors(model: Recommender, width: int, seed: int = 0) -> np.ndarray:
    """(n_items, width) float32, centred, of deviation 1 over all, columns in order of how much they hold.

    The principal components of the model's item embeddings, or, where it has none, of the z-scores that it
    gives an item for up to 2,000 shoppers drawn by `seed`. Columns beyond what there is are 0.

    Raises:
        UserError: width is less than 1.
    """
    if width < 1:
        raise UserError(f"width of the embeddings is {width}; must be at least 1")
    embeddings = model.item_embeddings
    if embeddings is None:
        known = np.random.default_rng(seed).permutation(np.flatnonzero(model.log.n_visits))[:_SAMPLE]
        embeddings = z_scores(model.score(np.sort(known))).T
    centred = embeddings - embeddings.mean(axis=0)
    out = (centred @ principal_axes(centred, width)).astype(np.float32)
    return out / max(float(out.std()), 1e-12)


def principal_axes(centred: np.ndarray, width: int) -> np.ndarray:
    """(E, width): the directions in which rows (n, E) of mean 0 spread most, the greatest first, of length 1;
    of each the greatest entry is positive. Columns beyond E are 0."""
    # The smaller Gram matrix has the same components as the whole.
    values, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, np.argsort(-values)[:width]]
    axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)
    return np.pad(axes, ((0, 0), (0, width - axes.shape[1])))


def z_scores(scores: np.ndarray) -> np.ndarray:
    """(n, n_items) with mean 0 and deviation 1 in each row; rows of equal scores become 0."""
    deviation = scores.std(axis=1, keepdims=True)
    return (scores - scores.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1)
