"""Recurrent networks over a shopper's items: GRU and LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.base import Network, NeuralRecommender
from bundlegym.recommenders.neural.histories import MAX_AGO, Histories


class RecurrentNetwork(Network):
    """Shopper vector = last state of a recurrent cell over item + age embeddings."""

    def __init__(
        self, n_items: int, size: int, length: int, dropout: float, cell: type[nn.GRU] | type[nn.LSTM]
    ) -> None:
        super().__init__(n_items, size, length)
        self.age = nn.Embedding(MAX_AGO + 1, size, padding_idx=0)
        nn.init.normal_(self.age.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        self.cell = cell(size, size, batch_first=True)

    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, size)."""
        entries = self.dropout(self.table(histories.items) + self.age(histories.ago))
        return self.cell(entries)[0][:, -1]


@dataclass(eq=False)
class GRU(NeuralRecommender):
    """Hidasi et al. (2016), Session-based Recommendations with Recurrent Neural Networks (GRU4Rec).

    h_l = GRU(e_l, h_(l-1)) over the items of the history, oldest first;
    score(s, i) = h_L . v_i + b_i + gain. The loss is the full softmax instead of the paper's sampled ranking
    loss.
    """

    name: ClassVar[str] = "gru"

    def _network(self, log: Interactions) -> Network:
        return RecurrentNetwork(log.n_items, self.size, self.length, self.dropout, nn.GRU)


@dataclass(eq=False)
class LSTM(NeuralRecommender):
    """As `GRU`, with the cell of Hochreiter and Schmidhuber (1997), Long Short-Term Memory."""

    name: ClassVar[str] = "lstm"

    def _network(self, log: Interactions) -> Network:
        return RecurrentNetwork(log.n_items, self.size, self.length, self.dropout, nn.LSTM)
