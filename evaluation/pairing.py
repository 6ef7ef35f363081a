"""Policies held against each other on the same episodes: differences with intervals, and who is best.

Shoppers, visits and luck are the same for all, so that what they share cancels in a difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bundlegym.evaluation.rollout import episode_variance, interval, ratio, seed_variance, t_factor

#: Draws behind the chance of being best, and their seed.
_DRAWS, _SEED = 20_000, 6_000_011


@dataclass(frozen=True, eq=False)
class Scored:
    """A policy's incremental margins by episode.

    Attributes:
        policy, kind: as in the tables.
        sums: (S seeds, N episodes, 2) incremental margin of an episode's visits, and how many there were.
    """

    policy: str
    kind: str
    sums: np.ndarray

    @property
    def episodes(self) -> int:
        return self.sums.shape[1]

    @property
    def seeds(self) -> int:
        return self.sums.shape[0]

    @cached_property
    def ratio(self) -> tuple[np.ndarray, np.ndarray]:
        return ratio(self.sums)

    @property
    def gain(self) -> dict[str, float]:
        """Incremental margin a visit with its 95 % interval."""
        return interval(*self.ratio)

    def first(self, episodes: int) -> Scored:
        """The same in the first episodes alone."""
        return Scored(self.policy, self.kind, self.sums[:, :episodes])


def scored(table: pd.DataFrame) -> list[Scored]:
    """The policies in a table of `episodes.read_episodes`, of one user model and assumption."""
    found = []
    for (policy, kind), rows in table.groupby(["policy", "kind"], sort=False, observed=True):
        seeds = [one.sort_values("episode") for _, one in rows.groupby("seed")]
        sums = [one[["incremental_margin", "visits"]].to_numpy(np.float64) for one in seeds]
        found.append(Scored(str(policy), str(kind), np.stack(sums)))
    return found


def difference(one: Scored, other: Scored) -> dict[str, float]:
    """What a visit earns more with one policy than with the other, on the episodes that both played, with its
    95 % interval over episodes and over the seeds of either."""
    episodes = min(one.episodes, other.episodes)
    (means, mine), (others, theirs) = (side.first(episodes).ratio for side in (one, other))
    variance = episode_variance(mine - theirs) + seed_variance(means) + seed_variance(others)
    several = [side.seeds for side in (one, other) if side.seeds > 1]
    half = t_factor(min(several, default=1)) * math.sqrt(variance)
    mean = float(means.mean() - others.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}


def best_chances(policies: Sequence[Scored]) -> list[float]:
    """The chance that each policy is the best of them, as far as episodes and seeds tell.

    Means are drawn from their normal distribution, with what is common to policies on the same episodes in
    it. Policies that are equally good share the chance.
    """
    means = np.array([policy.ratio[0].mean() for policy in policies])
    covariance = np.diag([seed_variance(policy.ratio[0]) for policy in policies])
    for i, one in enumerate(policies):
        for j, other in enumerate(policies):
            episodes = min(one.episodes, other.episodes)
            if episodes > 1:
                common = np.cov(one.ratio[1][:episodes], other.ratio[1][:episodes])[0, 1]
                covariance[i, j] += common / max(one.episodes, other.episodes)
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(_SEED).standard_normal((_DRAWS, len(means)))
    drawn = means + normal * np.sqrt(values.clip(min=0)) @ vectors.T
    scale = max(1e-12, float(np.abs(drawn).max()))
    best = drawn >= drawn.max(1, keepdims=True) - 1e-9 * scale
    return [float(chance) for chance in (best / best.sum(1, keepdims=True)).mean(0)]
