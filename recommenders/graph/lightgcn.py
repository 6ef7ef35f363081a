"""Graph convolution over shoppers and items (LightGCN)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch_geometric.nn import LGConv

from bundlegym.recommenders.graph.graphs import shopper_item_graph
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.base import Network, NeuralRecommender
from bundlegym.recommenders.neural.histories import Histories


class ShopperItemNetwork(Network):
    """A network over `shopper_item_graph`, with a table of shoppers; untrained shoppers have 0 in it."""

    def __init__(self, log: Interactions, size: int, length: int) -> None:
        super().__init__(log.n_items, size, length)
        known = torch.from_numpy(~log.held_out & (log.n_visits > 0))
        self.shoppers = nn.Parameter(torch.randn(log.n_shoppers, size) * size**-0.5 * known[:, None])
        self.graph = shopper_item_graph(log)

    def __deepcopy__(self, memo: dict[int, Any]) -> ShopperItemNetwork:
        """A network of its own that shares the graph: torch copies none, and nothing changes one in place."""
        twin = object.__new__(type(self))
        memo |= {id(self): twin, id(self.graph): self.graph}
        twin.__setstate__(deepcopy(self.__dict__, memo))
        return twin

    def inputs(self) -> Tensor:
        """(n_shoppers + n_items, size), with 0 for shoppers of the graph who came after training."""
        strangers = self.graph.shape[0] - self.n_items - len(self.shoppers)
        none = self.shoppers.new_zeros(strangers, self.shoppers.shape[1])
        return torch.cat([self.shoppers, none, self.table.weight[: self.n_items]])

    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, size)."""
        return nodes[histories.shopper]


class LightGCNNetwork(ShopperItemNetwork):
    """Mean of the vectors after 0, 1, ... rounds of taking from neighbours."""

    def __init__(self, log: Interactions, size: int, length: int, layers: int, temperature: float) -> None:
        super().__init__(log, size, length)
        self.layers = layers
        self.temperature = temperature
        self.convolution = LGConv(normalize=False)

    def nodes(self) -> Tensor:
        """(n_shoppers + n_items, size), of length 1 / sqrt(temperature)."""
        vectors = [self.inputs()]
        for _ in range(self.layers):
            vectors.append(self.convolution(vectors[-1], self.graph))
        mean = torch.stack(vectors).mean(0)
        return nn.functional.normalize(mean, dim=1) * self.temperature**-0.5


@dataclass(eq=False)
class GraphRecommender(NeuralRecommender):
    """A recommender over the shopper-item graph. Held-out and new shoppers are known by their items only."""

    batch: int = 2048

    def _read(self, log: Interactions) -> None:
        self.network.graph = shopper_item_graph(log)
        super()._read(log)


@dataclass(eq=False)
class LightGCN(GraphRecommender):
    """He et al. (2020), LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation.

    e_s^(l+1) = sum over the items i of s of e_i^(l) / sqrt(d_s d_i), and the same for items; the vectors are
    the means over l = 0..layers, and score(s, i) = cos / temperature + b_i + gain. The loss is the softmax
    over all items (Wu et al. 2024, On the Effectiveness of Sampled Softmax Loss for Item Recommendation)
    instead of the paper's BPR.

    Attributes:
        layers: rounds of convolution.
        temperature: the smaller, the sharper the softmax.
    """

    name: ClassVar[str] = "lightgcn"
    layers: int = 3
    temperature: float = 0.1

    def _network(self, log: Interactions) -> Network:
        return LightGCNNetwork(log, self.size, self.length, self.layers, self.temperature)
