"""Graph attention over items bought together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv

from bundlegym.recommenders.graph.graphs import copurchase_graph
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.base import Network, NeuralRecommender
from bundlegym.recommenders.neural.histories import MAX_AGO, Histories


class GATNetwork(Network):
    """Item vectors take from their neighbours' by attention; shoppers are weighted means of their items."""

    def __init__(
        self, log: Interactions, size: int, length: int, dropout: float, heads: int, neighbours: int,
        temperature: float,
    ) -> None:  # fmt: skip
        super().__init__(log.n_items, size, length)
        self.register_buffer("edges", copurchase_graph(log, neighbours), persistent=False)
        self.attention = GATv2Conv(size, size // heads, heads=heads, add_self_loops=False)
        self.age = nn.Embedding(MAX_AGO + 1, 1)
        nn.init.zeros_(self.age.weight)
        self.dropout = nn.Dropout(dropout)
        self.temperature = temperature

    def nodes(self) -> Tensor:
        """(n_items, size), of length 1 / sqrt(temperature)."""
        table = self.table.weight[: self.n_items]
        vectors = table + self.attention(self.dropout(table), self.edges)
        return nn.functional.normalize(vectors, dim=1) * self.temperature**-0.5

    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, size), of length 1 / sqrt(temperature)."""
        weight = self.age(histories.ago).squeeze(2).exp() * histories.known
        items = nodes[histories.items.clamp(max=self.n_items - 1)]
        mean = (weight[:, None] @ items).squeeze(1)
        return nn.functional.normalize(mean, dim=1) * self.temperature**-0.5


@dataclass(eq=False)
class GraphAttention(NeuralRecommender):
    """Brody, Alon and Yahav (2022), How Attentive are Graph Attention Networks? (GATv2), on the graph of
    items bought together.

    v_i = e_i + sum_j a_ij W e_j over the nearest items j of i and i itself, with a_ij the softmax of
    a . leaky relu(W1 e_i + W2 e_j); a shopper is the mean of his items' vectors, weighted by age, and
    score(s, i) = cos / temperature + b_i + gain.

    Attributes:
        heads: of the attention; must divide `size`.
        neighbours: items that each item takes from.
        temperature: the smaller, the sharper the softmax.
    """

    name: ClassVar[str] = "gat"
    heads: int = 4
    neighbours: int = 10
    temperature: float = 0.1

    def _network(self, log: Interactions) -> Network:
        return GATNetwork(
            log, self.size, self.length, self.dropout, self.heads, self.neighbours, self.temperature
        )
