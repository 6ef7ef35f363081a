"""What recommenders over other recommenders share: members, and learning how to combine them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from bundlegym.recommenders.base import Recommender, State
from bundlegym.recommenders.interactions import Interactions

#: A registered name and the hyper-parameters that are not the defaults.
Member = tuple[str, dict[str, Any]]


@dataclass(eq=False)
class Ensemble(Recommender):
    """Hides each shopper's last visit, fits the members on the rest, learns from what was hidden how to
    combine them, and fits the members again on everything.

    Attributes:
        members: the recommenders to combine.
        learn_on: greatest number of shoppers whose last visits are learned from.
        seed: of the shoppers drawn.
    """

    members: tuple[Member, ...] = ()
    learn_on: int = 5000
    seed: int = 0

    def _learn(self, log: Interactions) -> None:
        history, last = log.split_last_visit()
        hidden = np.flatnonzero(np.diff(last.indptr))
        shoppers = np.random.default_rng(self.seed).permutation(hidden)[: self.learn_on]
        self._models = [model.fit(history) for model in self._make()]
        self._combine(history, shoppers, last[shoppers])
        self._models = [model.fit(log) for model in self._make()]

    @abstractmethod
    def _combine(self, history: Interactions, shoppers: np.ndarray, truth: sparse.csr_matrix) -> None:
        """Learn from visits `truth` (n, n_items) that shoppers (n,) made after `history`; members are fitted
        to it in `self._models`."""

    def _make(self) -> list[Recommender]:
        from bundlegym.recommenders.registry import make_recommender  # which knows the ensembles too

        return [make_recommender(name, **parameters) for name, parameters in self.members]

    def _read(self, log: Interactions) -> None:
        for model in self._models:
            model.log = log
            model._read(log)

    def _state(self) -> State:
        state = super()._state()
        for i, model in enumerate(self._models):
            state |= {f"{i}:{name}": value for name, value in model._state().items()}
        return state

    def _restore(self, state: State) -> None:
        super()._restore({name: value for name, value in state.items() if ":" not in name})
        self._models = self._make()
        for i, model in enumerate(self._models):
            model.log = self.log
            start = f"{i}:"
            model._restore(
                {name.removeprefix(start): v for name, v in state.items() if name.startswith(start)}
            )
