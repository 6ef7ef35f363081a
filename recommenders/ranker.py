"""A small network that ranks the best items of several recommenders for the next visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from bundlegym.recommenders.base import State, slices
from bundlegym.recommenders.ensemble import Ensemble, Member
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.pair_features import PAIR_FEATURES, PairFeatures

_EPSILON = 1e-4


@dataclass(eq=False)
class Ranker(Ensemble):
    """Two stages, as Covington et al. (2016), Deep Neural Networks for YouTube Recommendations: members
    propose items, a network orders them.

    Candidates are all items that the shopper has bought and the `candidates` best of each member. A network
    of two hidden layers reads `PAIR_FEATURES` and two features a member, log(x + e) and the root of x over
    its greatest for the shopper; the loss is the cross-entropy of the softmax over a shopper's candidates
    with the visit that was hidden (ListNet, Cao et al. 2007). Other items come after them, in the order of
    the first member.

    Attributes:
        candidates: proposals of each member.
        hidden: units in each layer.
        epochs, batch, learning_rate, weight_decay, dropout: of AdamW under a one-cycle schedule; a batch is
            shoppers.
    """

    name: ClassVar[str] = "ranker"
    members: tuple[Member, ...] = (
        ("up-cf", {"locality": 2.0, "asymmetry": 0.75}),
        ("up-cf", {"locality": 1.0, "asymmetry": 0.75}),
        ("item-knn", {}),
        ("markov", {}),
        ("rules", {}),
    )
    learn_on: int = 10_000
    candidates: int = 100
    hidden: int = 32
    epochs: int = 10
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    dropout: float = 0.1

    def _network(self) -> nn.Sequential:
        n_features = len(PAIR_FEATURES) + 2 * len(self.members)
        return nn.Sequential(
            nn.BatchNorm1d(n_features, affine=False, momentum=None),
            nn.Linear(n_features, self.hidden), nn.SiLU(), nn.Dropout(self.dropout),
            nn.Linear(self.hidden, self.hidden), nn.SiLU(), nn.Dropout(self.dropout),
            nn.Linear(self.hidden, 1),
        )  # fmt: skip

    def _combine(self, history: Interactions, shoppers: np.ndarray, truth: sparse.csr_matrix) -> None:
        self._features = PairFeatures(history)
        features, wanted, start = [], [], [0]
        for some in slices(len(shoppers), history.n_items):
            row, item, x, _ = self._pairs(shoppers[some], history)
            features.append(x)
            wanted.append(np.asarray(truth[some.start + row, item], dtype=np.float32).ravel())
            start.extend(start[-1] + np.cumsum(np.bincount(row)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = self._network()
            self._train(
                torch.from_numpy(np.concatenate(features)), torch.from_numpy(np.concatenate(wanted)), start
            )

    def _train(self, features: Tensor, wanted: Tensor, start: list[int]) -> None:
        """Shopper g has the candidates start[g] : start[g + 1] of features (P, F) and wanted (P,)."""
        groups = [g for g in range(len(start) - 1) if wanted[start[g] : start[g + 1]].any()]
        # The scale of a feature is that of all pairs, so the first layer is fitted to them once.
        self.network[0](features)
        self.network[0].eval()
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        batches = max(1, -(-len(groups) // self.batch))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=max(self.epochs * batches, 2)
        )
        rng = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            for some in np.array_split(rng.permutation(groups), batches):
                if not len(some):  # no member proposes anything that was bought
                    continue
                rows = torch.cat([torch.arange(start[g], start[g + 1]) for g in some])
                sizes = [start[g + 1] - start[g] for g in some]
                scores = self.network(features[rows]).squeeze(1).split(sizes)
                losses = [
                    -(want / want.sum() * score.log_softmax(0)).sum()
                    for score, want in zip(scores, wanted[rows].split(sizes), strict=True)
                ]
                optimizer.zero_grad()
                torch.stack(losses).mean().backward()
                optimizer.step()
                schedule.step()
        self.network.eval()

    def _pairs(
        self, shoppers: np.ndarray, log: Interactions
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Candidates as (P,) row in `shoppers` and item, their (P, F) features, the first member's scores."""
        scores = [model.score(shoppers) for model in self._models]
        chosen = log.counts[shoppers].toarray() > 0
        k = min(self.candidates, log.n_items)
        for score in scores:
            np.put_along_axis(chosen, np.argpartition(-score, k - 1, axis=1)[:, :k], True, axis=1)
        row, item = chosen.nonzero()
        parts = [self._features(shoppers[row], item)]
        for score in scores:
            x = np.maximum(score[row, item], 0)
            greatest = np.maximum(score.max(1), _EPSILON)[row]
            parts.append(np.stack([np.log(x + _EPSILON), np.sqrt(x / greatest)], 1))
        return row, item, np.concatenate(parts, axis=1, dtype=np.float32), scores[0]

    def _read(self, log: Interactions) -> None:
        super()._read(log)
        self._features = PairFeatures(log)

    @torch.no_grad()
    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        out = np.empty((len(shoppers), self.log.n_items), dtype=np.float32)
        for some in slices(len(shoppers), self.log.n_items):
            row, item, features, others = self._pairs(shoppers[some], self.log)
            ranked = self.network(torch.from_numpy(features)).squeeze(1).numpy()
            others = others / np.maximum(np.abs(others).max(1, keepdims=True), _EPSILON)
            least = np.minimum.reduceat(ranked, np.searchsorted(row, np.arange(len(others))))
            out[some] = others + (least[:, None] - 2)
            out[some.start + row, item] = ranked
        return out

    def _state(self) -> State:
        network = {f"network.{name}": value.numpy() for name, value in self.network.state_dict().items()}
        return super()._state() | network

    def _restore(self, state: State) -> None:
        mine = {name: value for name, value in state.items() if name.startswith("network.")}
        super()._restore({name: value for name, value in state.items() if name not in mine})
        self.network = self._network().eval()
        self.network.load_state_dict(
            {name.removeprefix("network."): torch.from_numpy(value) for name, value in mine.items()}
        )
