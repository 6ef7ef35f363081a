"""What most shoppers buy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.private import PrivateRecommender


@dataclass(eq=False)
class Popularity(PrivateRecommender):
    """score(s, i) = visits with item i, of all shoppers; where `epsilon` is given, with noise, and
    visits of a shopper with many of them count less."""

    name: ClassVar[str] = "popularity"

    def _learn(self, log: Interactions) -> None:
        if self.epsilon is not None:
            self._release_popularity(log)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return np.tile(self.popularity, (len(shoppers), 1))
