"""Rivals that do not learn, under the contract that every policy shares: `policy(core) -> actions (N,)`.

A heuristic fills the bundle up to the greatest size by its own score and offers it at one discount level;
which level is chosen on the training shoppers, so that no rival is held back by a bad discount.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bundlegym.agents.base import Policy
from bundlegym.envs.base import CANDIDATE_FEATURES
from bundlegym.envs.core import BundleCore
from bundlegym.recommenders import Recommender
from bundlegym.user_models.rng.counter import Draws

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


def recommended_score(model: Recommender) -> Score:
    """How a fitted recommender scores the candidates, whatever is in the bundle already.

    It is asked for all shoppers when it first meets a market, and its answers for their shortlists are kept.
    """
    tables: dict[int, Tensor] = {}

    def score(core: BundleCore) -> Tensor:
        market = core.market
        if id(market) not in tables:
            tables[id(market)] = _shortlist_scores(model, market.shortlist.cpu().numpy()).to(core.device)
        shopper = core.records.shopper
        slot = torch.searchsorted(market.shortlist[shopper], core.candidates)
        return tables[id(market)][shopper].gather(1, slot)

    return score


def _shortlist_scores(model: Recommender, shortlist: np.ndarray, batch: int = 512) -> Tensor:
    """(S, L) float32 scores of each shopper's shortlisted items (S, L)."""
    scores = np.empty(shortlist.shape, dtype=np.float32)
    for first in range(0, len(shortlist), batch):
        some = np.arange(first, min(first + batch, len(shortlist)))
        scores[some] = np.take_along_axis(model.score(some), shortlist[some], 1)
    return torch.from_numpy(scores)


def offer_nothing(core: BundleCore) -> Tensor:
    """What is done today: no offers."""
    return torch.full((core.n,), core.k, dtype=torch.int64, device=core.device)


def fill_by(score: Score, level: int) -> Policy:
    """Pick the best-scored candidates up to the greatest size, then offer at discount `level`."""

    def policy(core: BundleCore) -> Tensor:
        best = score(core).masked_fill(core.picked > 0, -torch.inf).argmax(1)
        return torch.where(core.n_picks >= core.config.max_size, core.k + level, best)

    return policy
