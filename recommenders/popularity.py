"""What most shoppers buy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class Popularity(Recommender):
    """score(s, i) = visits with item i, of all shoppers."""

    name: ClassVar[str] = "popularity"

    def _learn(self, log: Interactions) -> None:
        pass

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return np.tile(self.log.popularity, (len(shoppers), 1))
