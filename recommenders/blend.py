"""Several recommenders, each on its own scale of surprise, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bundlegym.recommenders.ensemble import Ensemble, Member
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.retrieval import z_scores

#: Weights that are tried for a member.
_GRID = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
#: Best items of each member between which the tuning ranks, and the length of its lists.
_SHORTLIST, _LIST = 100, 10


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
        scores = [z_scores(model.score(shoppers)) for model in self._models]
        self.member_weights = tune_weights(scores, truth)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(shoppers), self.log.n_items), dtype=np.float32)
        for weight, model in zip(self.member_weights, self._models, strict=True):
            if weight:
                scores += np.float32(weight) * z_scores(model.score(shoppers))
        return scores


def tune_weights(scores: list[np.ndarray], truth: sparse.csr_matrix, rounds: int = 3) -> np.ndarray:
    """(members,) weights that make NDCG@10 against `truth` (n, n_items) greatest, one weight at a time.

    Begins with the best single member at 1. Between them the members' 100 best items are ranked, which is
    where a sum of theirs has its ten best.

    Args:
        scores: (n, n_items) of each member, on comparable scales.
    """
    k = min(_SHORTLIST, truth.shape[1])
    best = np.concatenate([np.argpartition(-s, k - 1, axis=1)[:, :k] for s in scores], axis=1)
    best.sort(axis=1)
    again = np.zeros(best.shape, bool)
    again[:, 1:] = best[:, 1:] == best[:, :-1]
    parts = np.stack([np.take_along_axis(s, best, axis=1) for s in scores])
    wanted = np.take_along_axis(truth.toarray(), best, axis=1) * ~again
    gain = 1 / np.log2(np.arange(2, _LIST + 2))
    size = np.diff(truth.indptr)
    ideal = np.concatenate([[0], np.cumsum(gain)])[np.minimum(size, _LIST)]

    def ndcg(weights: np.ndarray) -> float:
        total = np.tensordot(weights, parts, 1)
        total[again] = -np.inf
        first = np.argsort(-total, axis=1, kind="stable")[:, :_LIST]
        found = np.take_along_axis(wanted, first, axis=1)
        return float((found @ gain[: found.shape[1]] / np.maximum(ideal, 1e-9)).mean())

    singles = np.eye(len(scores))
    weights = singles[int(np.argmax([ndcg(single) for single in singles]))].copy()
    reached = ndcg(weights)
    for _ in range(rounds):
        for member in range(len(scores)):
            for value in _GRID:
                trial = weights.copy()
                trial[member] = value
                if (now := ndcg(trial)) > reached:
                    weights, reached = trial, now
    return weights
