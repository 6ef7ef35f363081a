"""A network as a recommender: shopper vectors from histories, item vectors, one loss, one training loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from bundlegym.recommenders.base import Recommender, State
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.neural.histories import (
    MAX_AGO,
    Histories,
    histories_before,
    histories_of,
    one_visit_each,
    visits_with_a_past,
)

#: Shoppers encoded at once when scoring is prepared.
_CHUNK = 1024


class Network(nn.Module):
    """score(s, i) = shopper vector . item vector + bias of the item + gain of an item that s has bought.

    The gain is a log(1 + sum of g(age)) over the purchases of the item, with g and a learned: what a shopper
    comes back to need not pass through the vectors (the repeat mode of Ren et al. 2019, RepeatNet).
    Subclasses say how a history becomes a shopper vector, and may derive item vectors instead of taking them
    from the table.

    Args:
        length: newest items that become the shopper vector.
    """

    def __init__(self, n_items: int, size: int, length: int) -> None:
        super().__init__()
        self.n_items = n_items
        self.length = length
        self.log_age_gain = nn.Embedding(MAX_AGO + 1, 1)
        nn.init.constant_(self.log_age_gain.weight, 2.0)
        self.gain = nn.Parameter(torch.ones(()))
        self.table = nn.Embedding(n_items + 1, size, padding_idx=n_items)
        nn.init.normal_(self.table.weight, std=size**-0.5)
        with torch.no_grad():
            self.table.weight[n_items] = 0.0
        self.bias = nn.Parameter(torch.zeros(n_items))

    def begin(self, popularity: np.ndarray) -> None:
        """Before training: biases are the logs of the shop's own shares, from counts (n_items,)."""
        share = torch.from_numpy(popularity) + 0.5
        self.bias.data = (share / share.sum()).log()

    def nodes(self) -> Tensor:
        """(M, E) vectors that no history changes; the last n_items are those of the items."""
        return self.table.weight[: self.n_items]

    @abstractmethod
    def shopper_vectors(self, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, E) of N histories of at most `length` items."""

    def age_gains(self, histories: Histories) -> Tensor:
        """(N, L): g of each purchase, 0 at padding."""
        return self.log_age_gain(histories.ago).squeeze(2).exp() * histories.known

    def logits(self, shopper_vectors: Tensor, histories: Histories, nodes: Tensor) -> Tensor:
        """(N, n_items) scores."""
        gains = self.age_gains(histories)
        total = gains.new_zeros(len(gains), self.n_items + 1).scatter_add(1, histories.items, gains)
        repeat = self.gain * total[:, : self.n_items].log1p()
        return shopper_vectors @ nodes[-self.n_items :].T + self.bias + repeat

    def loss(self, histories: Histories, target: Tensor) -> Tensor:
        """Cross-entropy of softmax scores with the visits that followed, (N, n_items) rows of sum 1."""
        nodes = self.nodes()
        vectors = self.shopper_vectors(histories.last(self.length), nodes)
        logits = self.logits(vectors, histories, nodes)
        return -(target * logits.log_softmax(1)).sum(1).mean()


@dataclass(eq=False)
class NeuralRecommender(Recommender):
    """A recommender around a `Network`.

    Trained to tell the items of a visit from the visits before it, one visit of each shopper drawn anew in
    each epoch. On new days training goes on from what was learned, for a fifth of the epochs. The vector of a
    new item begins as the mean of its category's; all else of new items and shoppers as in a new network.

    Attributes:
        size: length of the vectors.
        length: newest items of a history that become the shopper's vector.
        memory: newest items that may gain from having been bought.
        dropout: share of the units left out in training.
        epochs, batch, learning_rate, weight_decay: of AdamW.
        seed: of the first weights, of the visits drawn and of dropout.
    """

    size: int = 64
    length: int = 50
    memory: int = 200
    dropout: float = 0.2
    epochs: int = 30
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
            self.network.begin(log.popularity)
            self._train(log, self.epochs)

    def _relearn(self, log: Interactions) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            learned = self.network.state_dict()
            self.network = self._network(log)
            self.network.begin(log.popularity)
            category = log.content.attributes.get("category", np.zeros(log.n_items, dtype=np.int64))
            begun = self.network.state_dict().items()
            self.network.load_state_dict(
                {
                    name: _grown(name, learned[name], fresh, torch.from_numpy(category))
                    for name, fresh in begun
                }
            )
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
            yield histories_before(log, batch, self.memory), target / target.sum(1, keepdim=True)

    @torch.no_grad()
    def _read(self, log: Interactions) -> None:
        histories = histories_of(log, np.arange(log.n_shoppers), self.memory)
        nodes = self.network.nodes()
        vectors = torch.cat(
            [
                self.network.shopper_vectors(histories[first : first + _CHUNK].last(self.length), nodes)
                for first in range(0, len(histories), _CHUNK)
            ]
        )
        vectors[torch.from_numpy(log.n_visits == 0)] = 0.0
        self._shoppers = vectors.numpy()
        self._items = nodes[-log.n_items :].clone().numpy()
        self._bias = self.network.bias.numpy()
        shopper, place = histories.known.nonzero(as_tuple=True)
        gains = self.network.age_gains(histories)[shopper, place].numpy()
        where = (shopper.numpy(), histories.items[shopper, place].numpy())
        self._repeat = sparse.csr_matrix((gains, where), (log.n_shoppers, log.n_items)).log1p()
        self._repeat *= float(self.network.gain)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return self._shoppers[shoppers] @ self._items.T + self._bias + self._repeat[shoppers].toarray()

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


def _grown(name: str, learned: Tensor, fresh: Tensor, category: Tensor) -> Tensor:
    """What was learned, with rows for new items or shoppers behind those that there were, where `fresh`, of a
    network that has learned nothing, has more; `category` (n_items,) of each item."""
    if learned.shape == fresh.shape:
        return learned
    if name != "table.weight":
        return torch.cat([learned, fresh[len(learned) :]])
    known, padding = learned[:-1], learned[-1:]
    means = torch.stack([known.mean(0)] * (int(category.max()) + 1))
    for code in category[: len(known)].unique():
        means[code] = known[category[: len(known)] == code].mean(0)
    return torch.cat([known, means[category[len(known) :]], padding])
