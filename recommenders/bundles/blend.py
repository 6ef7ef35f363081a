"""Several bundle rankers, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.bundles.base import BundleRanker
from bundlegym.recommenders.bundles.content import BundleContent
from bundlegym.recommenders.bundles.ease import BundleEASE
from bundlegym.recommenders.bundles.multi_view_graph import BundleViews
from bundlegym.recommenders.ensemble import Ensemble, Member
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.retrieval import z_scores

_CLASSES: dict[str, type[Recommender]] = {cls.name: cls for cls in (BundleContent, BundleEASE, BundleViews)}


@dataclass(eq=False)
class BundleBlend(BundleRanker, Ensemble):
    """score(s, b) = sum over the members m of w_m (x_m(s, b) - mean) / deviation, over all bundles for one s.

    As `Blend`, for rankers of bundles. Tables of bundles have no visits that could be hidden to tune weights,
    so they are given: tune them on pairs that were not fitted on. By default three fits of BundleViews, whose
    mean takes out what chance put into each, a linear model, which errs on other bundles, and the parts that
    the shopper buys singly, which both of them hardly use.

    Attributes:
        weights: one a member.
        seed: members have seeds of their own, and blends of different seeds share none.
    """

    name: ClassVar[str] = "bundle-blend"
    members: tuple[Member, ...] = (
        ("bundle-ease", {}),
        ("bundle-content", {}),
        *[("bundle-views", {})] * 3,
    )
    weights: tuple[float, ...] = (0.1, 0.4, 1.0, 1.0, 1.0)

    def _learn(self, log: Interactions) -> None:
        self._models = [model.fit(log) for model in self._make()]

    def _combine(self, history: Interactions, shoppers: np.ndarray, truth: sparse.csr_matrix) -> None:
        """Weights are given."""

    def _make(self) -> list[Recommender]:
        models = []
        for i, (name, parameters) in enumerate(self.members):
            seed = {"seed": self.seed * len(self.members) + i} if name == BundleViews.name else {}
            models.append(_CLASSES[name](**seed | parameters))
        return models

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(shoppers), self.log.n_items), dtype=np.float32)
        for weight, model in zip(self.weights, self._models, strict=True):
            scores += np.float32(weight) * z_scores(model.score(shoppers))
        return scores
