"""Several fits of BundleViews and one of BundleEASE, added up."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.blend import z_scores
from bundlegym.recommenders.bundle_ease import BundleEASE
from bundlegym.recommenders.graph.bundle_views import BundleViews
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class BundleBlend(Recommender):
    """score(s, b) = mean over the fits of z(BundleViews) + w z(BundleEASE), z over the bundles for one s.

    The fits differ in their seeds only. Graphs and linear weights err on different bundles, and the mean over
    seeds takes out what chance put into each fit.

    Attributes:
        fits: of BundleViews, with seeds from `seed * fits` on.
        ease_weight: w, to be tuned on pairs that were not fitted on.
        views, ease: the members; the seed of `views` does not count.
        seed: blends of different seeds share no member but BundleEASE, which has no chance in it.
    """

    name: ClassVar[str] = "bundle-blend"
    fits: int = 3
    ease_weight: float = 0.5
    views: BundleViews = field(default_factory=BundleViews)
    ease: BundleEASE = field(default_factory=BundleEASE)
    seed: int = 0

    def _learn(self, log: Interactions) -> None:
        seeds = range(self.seed * self.fits, (self.seed + 1) * self.fits)
        self.members: list[Recommender] = [dataclasses.replace(self.views, seed=seed) for seed in seeds]
        self.members.append(dataclasses.replace(self.ease))
        for member in self.members:
            member.log = log
            member._learn(log)

    def _read(self, log: Interactions) -> None:
        for member in self.members:
            member.log = log
            member._read(log)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        *views, ease = (z_scores(member._score(shoppers)) for member in self.members)
        return np.mean(views, axis=0) + np.float32(self.ease_weight) * ease
