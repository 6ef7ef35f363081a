"""A network as a recommender: shopper vectors from histories, item vectors, one loss, one training loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bundlegym.recommenders.base import Recommender, State
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.histories import (
    Histories,
    histories_before,
    histories_of,
    one_visit_each,
    visits_with_a_past,
)

#: Shoppers encoded at once when scoring is prepared.
_CHUNK = 1024


class Network(nn.Module):
    """score(s, i) = shopper vector . item vector + bias of the item.

    Subclasses say how a history becomes a shopper vector, and may derive item vectors instead of taking them
    from the table.
    """

    def __init__(self, n_items: int, size: int) -> None:
        super().__init__()
        self.n_items = n_items
        self.table = nn.Embedding(n_items + 1, size, padding_idx=n_items)
        nn.init.normal_(self.table.weight, std=size**-0.5)
        with torch.no_grad():
            self.table.weight[n_items] = 0.0
        self.bias = nn.Parameter(torch.zeros(n_items))

    def nodes(self) -> Tensor:
        """(M, E) vectors that no history changes; the last n_items are those of the items."""
        return self.table.weight[: self.n_items]

    @abstractmethod
    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, E) of N histories."""

    def loss(self, histories: Histories, target: Tensor) -> Tensor:
        """Cross-entropy of softmax scores with the visits that followed, (N, n_items) rows of sum 1."""
        nodes = self.nodes()
        logits = self.shopper_vectors(histories, nodes) @ nodes[-self.n_items :].T + self.bias
        return -(target * logits.log_softmax(1)).sum(1).mean()


@dataclass(eq=False)
class NeuralRecommender(Recommender):
    """A recommender around a `Network`.

    Trained to tell the items of a visit from the visits before it, one visit of each shopper drawn anew in
    each epoch. On new days training goes on from what was learned, for a fifth of the epochs.

    Attributes:
        size: length of the vectors.
        length: last items of a history that the network sees.
        dropout: share of the units left out in training.
        epochs, batch, learning_rate, weight_decay: of AdamW.
        seed: of the first weights, of the visits drawn and of dropout.
    """

    size: int = 64
    length: int = 50
    dropout: float = 0.2
    epochs: int = 60
    batch: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    seed: int = 0

    @abstractmethod
    def _network(self, log: Interactions) -> Network:
        """Untrained; may read the training log's graph, and `log` only."""

    def _learn(self, log: Interactions) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = self._network(log)
            self._train(log, self.epochs)

    def _relearn(self, log: Interactions) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            learned = self.network.state_dict()
            self.network = self._network(log)
            self.network.load_state_dict(learned)
            self._train(log, -(-self.epochs // 5))

    def _train(self, log: Interactions, epochs: int) -> None:
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        rng = np.random.default_rng(self.seed)
        self.network.train()
        for _ in range(epochs):
            for histories, target in self._batches(log, rng):
                optimizer.zero_grad()
                self.network.loss(histories, target).backward()
                nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
                optimizer.step()
        self.network.eval()

    def _batches(self, log: Interactions, rng: np.random.Generator) -> Iterator[tuple[Histories, Tensor]]:
        visits = one_visit_each(visits_with_a_past(log), log.visit_shopper, rng)
        for first in range(0, len(visits), self.batch):
            batch = visits[first : first + self.batch]
            target = torch.from_numpy(log.baskets[batch].toarray())
            yield histories_before(log, batch, self.length), target / target.sum(1, keepdim=True)

    @torch.no_grad()
    def _read(self, log: Interactions) -> None:
        histories = histories_of(log, np.arange(log.n_shoppers), self.length)
        nodes = self.network.nodes()
        vectors = torch.cat(
            [
                self.network.shopper_vectors(histories[first : first + _CHUNK], nodes)
                for first in range(0, len(histories), _CHUNK)
            ]
        )
        vectors[torch.from_numpy(log.n_visits == 0)] = 0.0
        self._shoppers = vectors.numpy()
        self._items = nodes[-log.n_items :].clone().numpy()
        self._bias = self.network.bias.detach().numpy()

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return self._shoppers[shoppers] @ self._items.T + self._bias

    @property
    def item_embeddings(self) -> np.ndarray:
        return self._items

    @property
    def shopper_embeddings(self) -> np.ndarray:
        return self._shoppers

    def _state(self) -> State:
        return {name: value.numpy() for name, value in self.network.state_dict().items()}

    def _restore(self, state: State) -> None:
        self.network = self._network(self.log.training()).eval()
        self.network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
