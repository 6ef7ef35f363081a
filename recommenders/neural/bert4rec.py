"""A Transformer that reads the history both ways and fills in masked items (BERT4Rec)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.base import Network, NeuralRecommender
from bundlegym.recommenders.neural.histories import Histories
from bundlegym.recommenders.neural.transformer import TransformerNetwork


class BERT4RecNetwork(TransformerNetwork):
    """Shopper vector = state at a mask put after the history, at an age of 0."""

    def __init__(
        self, n_items: int, size: int, length: int, dropout: float, layers: int, heads: int, masked: float
    ) -> None:
        super().__init__(n_items, size, length, dropout, layers, heads)
        self.mask = nn.Parameter(torch.randn(self.table.embedding_dim) * 0.02)
        self.masked = masked

    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, size)."""
        return self._states(histories, torch.zeros_like(histories.known))[:, -1]

    def _states(self, histories: Histories, masked: Tensor) -> Tensor:
        """(N, L + 1, size), with the items at `masked` (N, L) hidden from view."""
        entries = torch.where(masked[..., None], self.mask, self.table(histories.items))
        entries = torch.cat([entries, self.mask.expand(len(entries), 1, -1)], 1)
        ago = nn.functional.pad(histories.ago, (0, 1))
        known = nn.functional.pad(histories.known, (0, 1), value=True)
        return self.states(entries, ago, ~known[:, None, :].expand(-1, known.shape[1], -1))

    def loss(self, histories: Histories, target: Tensor) -> Tensor:
        """The next visit at the last mask, and the masked items of the history, equally."""
        seen = histories.last(self.length)
        masked = seen.known & (torch.rand(seen.items.shape) < self.masked)
        states = self._states(seen, masked)
        nodes = self.nodes()
        forward = self.logits(states[:, -1], histories, nodes).log_softmax(1)
        loss = -(target * forward).sum(1).mean()
        if masked.any():
            filled = states[:, :-1][masked] @ nodes.T + self.bias
            loss = loss + nn.functional.cross_entropy(filled, seen.items[masked])
        return loss


@dataclass(eq=False)
class BERT4Rec(NeuralRecommender):
    """Sun et al. (2019), BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations.

    Every position sees every other. A share of the items is masked, and the states at the masks must name
    them; a mask after the last item asks for the next visit. score(s, i) = h_mask . v_i + b_i + gain.

    Attributes:
        layers, heads: of the Transformer.
        masked: share of a history's items that are masked in training.
    """

    name: ClassVar[str] = "bert4rec"
    layers: int = 2
    heads: int = 2
    masked: float = 0.15

    def _network(self, log: Interactions) -> Network:
        return BERT4RecNetwork(
            log.n_items, self.size, self.length, self.dropout, self.layers, self.heads, self.masked
        )  # fmt: skip
