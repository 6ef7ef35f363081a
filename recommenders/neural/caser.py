"""Convolutions over a shopper's last items (Caser)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.base import Network, NeuralRecommender
from bundlegym.recommenders.neural.histories import MAX_AGO, Histories

_HEIGHTS = (2, 3, 4)


class CaserNetwork(Network):
    """Shopper vector = linear map of horizontal (max-pooled) and vertical convolutions."""

    def __init__(self, n_items: int, size: int, length: int, dropout: float, filters: int) -> None:
        super().__init__(n_items, size, length)
        self.age = nn.Embedding(MAX_AGO + 1, size, padding_idx=0)
        nn.init.normal_(self.age.weight, std=0.02)
        self.horizontal = nn.ModuleList(nn.Conv1d(size, 4 * filters, height) for height in _HEIGHTS)
        self.vertical = nn.Linear(length, filters, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(4 * filters * len(_HEIGHTS) + filters * size, size)

    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, size)."""
        image = (self.table(histories.items) + self.age(histories.ago)).mT
        across = [conv(image).relu().amax(2) for conv in self.horizontal]
        down = self.vertical(image).flatten(1)
        return self.out(self.dropout(torch.cat([*across, down], 1)))


@dataclass(eq=False)
class Caser(NeuralRecommender):
    """Tang and Wang (2018), Personalized Top-N Sequential Recommendation via Convolutional Sequence
    Embedding.

    The history is an image of L items by E embedding units. Horizontal filters of height 2, 3 and 4 find
    runs of items, vertical ones weigh the L positions; score(s, i) = W [both] . v_i + b_i + gain. The paper's
    embedding of the shopper is left out, so that held-out shoppers are served alike.

    Attributes:
        filters: vertical filters, and a quarter of the horizontal ones of each height.
    """

    name: ClassVar[str] = "caser"
    filters: int = 8

    def _network(self, log: Interactions) -> Network:
        return CaserNetwork(log.n_items, self.size, self.length, self.dropout, self.filters)
