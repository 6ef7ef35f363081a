"""Deep matrix factorisation: two towers over the rows and columns of the matrix of who bought what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.base import Network, NeuralRecommender
from bundlegym.recommenders.neural.histories import Histories


class DMFNetwork(Network):
    """Towers f over a shopper's items and g over an item's buyers, compared by cosine."""

    def __init__(self, log: Interactions, size: int, length: int, dropout: float, temperature: float) -> None:
        super().__init__(log.n_items, size, length)
        bought_by = log.counts.sign().T.tocsr()
        self.register_buffer("buyers", torch.from_numpy(bought_by.indices.astype("int64")), persistent=False)
        start = torch.from_numpy(bought_by.indptr[:-1].astype("int64"))
        self.register_buffer("buyers_start", start, persistent=False)
        self.column = nn.EmbeddingBag(log.n_shoppers, size, mode="mean")
        self.shopper_tower = _tower(size, dropout)
        self.item_tower = _tower(size, dropout)
        self.temperature = temperature

    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, size), of length 1 / temperature."""
        items = self.table(histories.items).sum(1) / histories.known.sum(1, keepdim=True).clamp(min=1)
        return nn.functional.normalize(self.shopper_tower(items), dim=1) / self.temperature

    def nodes(self) -> Tensor:
        """(n_items, size), of length 1."""
        buyers = self.column(self.buyers, self.buyers_start)
        return nn.functional.normalize(self.item_tower(buyers), dim=1)


def _tower(size: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(size),
        nn.Linear(size, 2 * size),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(2 * size, size),
    )


@dataclass(eq=False)
class DMF(NeuralRecommender):
    """Xue et al. (2017), Deep Matrix Factorization Models for Recommender Systems.

    score(s, i) = cos(f(row s), g(column i)) / temperature + b_i + gain: f reads which items the shopper
    bought, g which shoppers bought the item. The loss is the full softmax instead of the paper's sampled
    cross-entropy.

    Attributes:
        temperature: the smaller, the sharper the softmax.
    """

    name: ClassVar[str] = "dmf"
    temperature: float = 0.1

    def _network(self, log: Interactions) -> Network:
        return DMFNetwork(log, self.size, self.length, self.dropout, self.temperature)
