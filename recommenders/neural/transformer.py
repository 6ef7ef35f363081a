"""What the two Transformers share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bundlegym.recommenders.neural.base import Network
from bundlegym.recommenders.neural.histories import MAX_AGO


class TransformerNetwork(Network):
    """Transformer blocks over item + position + age embeddings."""

    def __init__(self, n_items: int, size: int, length: int, dropout: float, layers: int, heads: int) -> None:
        super().__init__(n_items, size, length)
        self.position = nn.Parameter(torch.randn(length + 1, size) * 0.02)
        self.age = nn.Embedding(MAX_AGO + 1, size)
        nn.init.normal_(self.age.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        block = nn.TransformerEncoderLayer(
            size, heads, 2 * size, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, nn.LayerNorm(size), enable_nested_tensor=False)

    def states(self, entries: Tensor, ago: Tensor, hidden: Tensor) -> Tensor:
        """(N, L, E) states of entries (N, L, E) of ages (N, L); `hidden` (N, L, L) says who sees whom not."""
        entries = self.dropout(entries + self.position[-entries.shape[1] :] + self.age(ago))
        # Padding sees itself, since a softmax over nothing is not a number.
        hidden = hidden & ~torch.eye(hidden.shape[1], dtype=torch.bool)
        heads = self.blocks.layers[0].self_attn.num_heads
        return self.blocks(entries, mask=hidden.repeat_interleave(heads, 0))
