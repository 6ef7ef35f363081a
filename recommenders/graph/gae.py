"""A graph auto-encoder over shoppers and items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import GAE, GCNConv

from bundlegym.recommenders.graph.lightgcn import GraphRecommender, ShopperItemNetwork
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.base import Network
from bundlegym.recommenders.neural.histories import Histories


class GAENetwork(ShopperItemNetwork):
    """Two graph convolutions as encoder, the inner product as decoder."""

    def __init__(self, log: Interactions, size: int, length: int, negatives: int) -> None:
        super().__init__(log, size, length)
        nn.init.zeros_(self.gain)
        self.negatives = negatives
        self.first = GCNConv(size, size, normalize=False)
        self.second = GCNConv(size, size, normalize=False)

    def begin(self, popularity: np.ndarray) -> None:
        """Nothing: the decoder is the inner product alone, without bias and gain, which stay 0."""

    def nodes(self) -> Tensor:
        """(n_shoppers + n_items, size)."""
        inputs = self.inputs()
        hidden = inputs + self.first(inputs, self.graph).relu()
        return hidden + self.second(hidden, self.graph)

    def loss(self, histories: Histories, target: Tensor) -> Tensor:
        """Cross-entropy of edges that are there and of as many times `negatives` that are drawn."""
        row, item = target.nonzero(as_tuple=True)
        shopper = histories.shopper[row]
        first_item = len(self.shoppers)
        drawn = torch.randint(self.n_items, (self.negatives * len(row),))
        there = torch.stack([shopper, first_item + item])
        not_there = torch.stack([shopper.repeat(self.negatives), first_item + drawn])
        nodes = self.nodes()
        return GAE(nn.Identity()).recon_loss(nodes, there, not_there)


@dataclass(eq=False)
class GraphAutoEncoder(GraphRecommender):
    """Kipf and Welling (2016), Variational Graph Auto-Encoders, the plain kind; van den Berg et al. (2018),
    Graph Convolutional Matrix Completion, on shoppers and items.

    H = X + relu(A X W1), Z = H + A H W2 with X a table of shoppers and items; an edge is there with
    probability sigmoid(z_s . z_i), and score(s, i) = z_s . z_i.

    Attributes:
        negatives: drawn edges for each edge that is there.
    """

    name: ClassVar[str] = "gae"
    negatives: int = 5

    def _network(self, log: Interactions) -> Network:
        return GAENetwork(log, self.size, self.length, self.negatives)
