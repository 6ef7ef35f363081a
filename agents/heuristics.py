"""Rivals that do not learn, under the contract that every policy shares: `policy(core) -> actions (N,)`.

A heuristic fills the bundle up to the greatest size by its own score and offers it at one discount level;
which level is chosen on the training shoppers, so that no rival is held back by a bad discount.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bundlegym.agents.base import Policy
from bundlegym.envs.base import CANDIDATE_FEATURES
from bundlegym.envs.core import BundleCore
from bundlegym.user_models.draws import Draws

#: Scores (N, K) of the candidates for the bundle so far.
Score = Callable[[BundleCore], Tensor]

_RANDOM = 200  # a stream of draws that neither core nor user models use


def _feature(name: str) -> Score:
    column = CANDIDATE_FEATURES.index(name)
    return lambda core: core.features[:, :, column]


def _random(core: BundleCore) -> Tensor:
    draws = Draws(core.seed, core.episode, core.visit)
    return draws.uniform(_RANDOM, core.candidates)


def _co_purchase(core: BundleCore) -> Tensor:
    """Start with what this shopper buys most, then add what goes with the bundle, lift after taste."""
    return torch.where(core.n_picks[:, None] == 0, _feature("log_share")(core), _feature("lift")(core))


SCORES: dict[str, Score] = {
    "random": _random,
    "popularity": _feature("log_popularity"),
    "most_bought": _feature("log_share"),
    "co_purchase": _co_purchase,
}


def offer_nothing(core: BundleCore) -> Tensor:
    """What is done today: no offers."""
    return torch.full((core.n,), core.k, dtype=torch.int64, device=core.device)


def fill_by(score: Score, level: int) -> Policy:
    """Pick the best-scored candidates up to the greatest size, then offer at discount `level`."""

    def policy(core: BundleCore) -> Tensor:
        best = score(core).masked_fill(core.picked > 0, -torch.inf).argmax(1)
        return torch.where(core.n_picks >= core.config.max_size, core.k + level, best)

    return policy
