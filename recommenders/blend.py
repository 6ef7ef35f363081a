"""Several recommenders, each on its own scale of surprise, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.ensemble import Ensemble, Member
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.retrieval import z_scores

#: Weights that are tried for a member.
_GRID = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
#: Best items of each member between which the tuning ranks, and the length of its lists.
_SHORTLIST, _LIST = 100, 10
#: Scores of one member that are held at once while tuning.
_CELLS = 4_000_000


@dataclass(eq=False)
class Blend(Ensemble):
    """score(s, i) = sum over the members m of w_m (x_m(s, i) - mean) / deviation, over all items for one s.

    Attributes:
        weights: one a member, or none to have them tuned on hidden last visits (`tune_weights`).
    """

    name: ClassVar[str] = "blend"
    learned: ClassVar[tuple[str, ...]] = ("member_weights",)
    members: tuple[Member, ...] = (
        ("up-cf", {"locality": 2.0, "asymmetry": 0.75}),
        ("tifu-knn", {}),
        ("frequency", {}),
        ("item-knn", {}),
        ("markov", {}),
        ("popularity", {}),
    )
    learn_on: int = 2000
    weights: tuple[float, ...] = ()

    def _combine(self, history: Interactions, shoppers: np.ndarray, truth: sparse.csr_matrix) -> None:
        if self.weights:
            self.member_weights = np.array(self.weights)
            return
        parts, wanted = _candidates(self._models, shoppers, truth)
        self.member_weights = tune_weights(parts, wanted, np.diff(truth.indptr))

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(shoppers), self.log.n_items), dtype=np.float32)
        for weight, model in zip(self.member_weights, self._models, strict=True):
            if weight:
                scores += np.float32(weight) * z_scores(model.score(shoppers))
        return scores


def tune_weights(parts: np.ndarray, wanted: np.ndarray, size: np.ndarray, rounds: int = 3) -> np.ndarray:
    """(members,) weights that make NDCG@10 of their sum greatest, one weight at a time.

    Begins with the best single member at 1.

    Args:
        parts: (members, n, C) scores of n shoppers' candidates on comparable scales, -inf at padding.
        wanted: (n, C) of 0 and 1, the candidates in the truth.
        size: (n,) items in the truth.
    """
    gain = 1 / np.log2(np.arange(2, _LIST + 2))
    ideal = np.maximum(np.concatenate([[0], np.cumsum(gain)])[np.minimum(size, _LIST)], 1e-9)
    padding = np.isneginf(parts[0])
    parts = np.where(padding, 0, parts)

    def ndcg(weights: np.ndarray) -> float:
        total = np.tensordot(weights, parts, 1)
        total[padding] = -np.inf
        first = np.argsort(-total, axis=1, kind="stable")[:, :_LIST]
        found = np.take_along_axis(wanted, first, axis=1)
        return float((found @ gain[: found.shape[1]] / ideal).mean())

    singles = np.eye(len(parts))
    weights = singles[int(np.argmax([ndcg(single) for single in singles]))].copy()
    reached = ndcg(weights)
    for _ in range(rounds):
        for member in range(len(parts)):
            for value in _GRID:
                trial = weights.copy()
                trial[member] = value
                if (now := ndcg(trial)) > reached:
                    weights, reached = trial, now
    return weights


def _candidates(
    models: list[Recommender], shoppers: np.ndarray, truth: sparse.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Z-scores (members, n, C) and presence in the truth (n, C) of every member's best items.

    A sum of the members' scores has its ten best among each one's hundred, or very nearly.
    """
    n_items = truth.shape[1]
    k = min(_SHORTLIST, n_items)
    parts = np.full((len(models), len(shoppers), min(k * len(models), n_items)), -np.inf, dtype=np.float32)
    wanted = np.zeros(parts.shape[1:], dtype=np.float32)
    step = max(1, _CELLS // n_items)
    for start in range(0, len(shoppers), step):
        some = slice(start, start + step)
        scores = np.stack([z_scores(model.score(shoppers[some])) for model in models])
        chosen = np.zeros(scores.shape[1:], bool)
        for score in scores:
            np.put_along_axis(chosen, np.argpartition(-score, k - 1, axis=1)[:, :k], True, axis=1)
        row, item = chosen.nonzero()
        place = np.arange(len(row)) - np.searchsorted(row, row)
        parts[:, start + row, place] = scores[:, row, item]
        wanted[start + row, place] = np.asarray(truth[start + row, item]).ravel()
    return parts, wanted
