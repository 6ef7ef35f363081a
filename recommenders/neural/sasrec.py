"""A Transformer that reads the history forwards (SASRec)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.base import Network, NeuralRecommender
from bundlegym.recommenders.neural.histories import Histories
from bundlegym.recommenders.neural.transformer import TransformerNetwork


class SASRecNetwork(TransformerNetwork):
    """Shopper vector = state at the newest item; an item sees what was bought before it or with it."""

    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, size)."""
        older_or_same = histories.ago[:, None, :] >= histories.ago[:, :, None]
        hidden = ~(older_or_same & histories.known[:, None, :])
        return self.states(self.table(histories.items), histories.ago, hidden)[:, -1]


@dataclass(eq=False)
class SASRec(NeuralRecommender):
    """Kang and McAuley (2018), Self-Attentive Sequential Recommendation.

    h = Transformer(e_1 ... e_L), each position seeing those of its own visit and earlier ones;
    score(s, i) = h_L . v_i + b_i + gain, with v the table that e comes from.

    Attributes:
        layers, heads: of the Transformer.
    """

    name: ClassVar[str] = "sasrec"
    layers: int = 2
    heads: int = 2

    def _network(self, log: Interactions) -> Network:
        return SASRecNetwork(log.n_items, self.size, self.length, self.dropout, self.layers, self.heads)
