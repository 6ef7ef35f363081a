"""Differences between policies that lived the same episodes: the same shoppers, visits and luck.

Where two played a different number of episodes, those that both played count: an episode is the same, however
many others are played beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from bundlegym.evaluation.rollout import quantile, ratio

#: Kinds of policies that a shop could use; others know what no shop knows.
DEPLOYABLE = ("learned", "heuristic", "planner")
GAIN = "incremental_margin_per_visit"
_DRAWS, _SEED = 20_000, 4_000_037

#: Of a policy: (N, 2) gains and visits by episode, from each of its seeds.
Gains = Sequence[np.ndarray]


def difference(one: Gains, other: Gains) -> dict[str, float]:
    """What `one` gains a visit more than `other`: mean, 95 % interval and the number of common episodes.

    The variance is that of the episodes' differences; where a policy is an agent of several seeds, the
    variance between them is added, and Student's t used.
    """
    n = _common((one, other))
    (mean, residual, between), (rival, rival_residual, rival_between) = (
        _of(gains, n) for gains in (one, other)
    )
    gap = residual - rival_residual
    variance = (gap.var(ddof=1) / n if n > 1 else 0.0) + between + rival_between
    half = quantile(min((len(gains) for gains in (one, other) if len(gains) > 1), default=1)) * math.sqrt(
        variance
    )
    found = mean - rival
    return {"mean": found, "low": found - half, "high": found + half, "episodes": n}


def best(gains: Mapping[str, Gains]) -> dict[str, float]:
    """The probability of each policy to be the best of them, by the episodes that all of them played.

    Means are taken to be normal, with the covariance of the episodes; policies that are alike share.
    """
    n = _common(list(gains.values()))
    means, residuals, between = zip(*(_of(each, n) for each in gains.values()), strict=True)
    covariance = (
        np.atleast_2d(np.cov(np.stack(residuals))) / n if n > 1 else np.zeros((len(gains), len(gains)))
    )
    covariance = covariance + np.diag(between)
    draws = np.random.default_rng(_SEED).multivariate_normal(means, covariance, _DRAWS, method="eigh")
    first = draws >= draws.max(1, keepdims=True) - 1e-9
    share = (first / first.sum(1, keepdims=True)).mean(0)
    return {name: float(value) for name, value in zip(gains, share, strict=True)}


def against_the_best(rows: Sequence[dict[str, Any]], gains: Mapping[str, Gains]) -> list[dict[str, Any]]:
    """An entry of `paired` in results.json for each deployable policy of a table: its difference to the best
    other one, and the probability that it is the best of all."""
    table = {row["policy"]: row for row in rows if row["kind"] in DEPLOYABLE}
    chance = best({name: gains[name] for name in table})
    found = []
    for name, row in table.items():
        rivals = [other for other in table if other != name]
        if not rivals:
            continue
        rival = max(rivals, key=lambda other: table[other][GAIN]["mean"])
        gap = difference(gains[name], gains[rival])
        found.append(
            {
                "user_model": row["user_model"],
                "offer_exposure": row["offer_exposure"],
                "policy": name,
                "rival": rival,
                "episodes": gap.pop("episodes"),
                "difference": gap,
                "probability_best": chance[name],
            }
        )
    return found


def rank_correlations(tables: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Spearman's correlation of the orders in which each two user models put the deployable policies; None
    where a model finds no difference at all."""
    means = {
        name: {row["policy"]: row[GAIN]["mean"] for row in rows if row["kind"] in DEPLOYABLE}
        for name, rows in tables.items()
    }
    names, found = list(means), []
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            both = [policy for policy in means[one] if policy in means[other]]
            pair = [[means[name][policy] for policy in both] for name in (one, other)]
            varies = len(both) > 1 and all(len(set(values)) > 1 for values in pair)
            rank = float(spearmanr(*pair).statistic) if varies else None
            found.append({"between": [one, other], "policies": len(both), "spearman": rank})
    return found


def _common(policies: Sequence[Gains]) -> int:
    return min(len(play) for gains in policies for play in gains)


def _of(gains: Gains, n: int) -> tuple[float, np.ndarray, float]:
    """Of the first n episodes: the mean over seeds, (n,) deviations, and the variance that seeds add."""
    means, residual = ratio(np.stack([play[:n] for play in gains]))
    return float(means.mean()), residual, float(means.var(ddof=1) / len(means)) if len(means) > 1 else 0.0
