"""Complementarity: what holding one category adds to the log rate of another (Gentzkow 2007).

R, the log lift of two categories after preferences and basket size, has two explanations, which baskets alone
cannot tell apart: complementarity, holding one raises the log rate of the other by k R, or a common cause,
the missions of `trip_effects`. They are told apart by promotions, which move the one and have no business
with the other: k is the response of category b to the purchases of a that a's promotions bring, as a share of
R_ab. Every mean by week, basket size and category and by shopper and category is taken out first, so that
what is left compares shoppers who like a more with those who like it less in weeks when a is promoted (a
shift-share instrument).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from torch import Tensor

from bundlegym.data import Dataset, visit_rows
from bundlegym.recommenders import PersonalFrequency, category_synergy
from bundlegym.recommenders.copurchase import category_baskets
from bundlegym.user_models.config import Config, Positive
from bundlegym.user_models.parameters import Parameters, parameter

_SIZE_EDGES = (2, 4, 8, 14, 22, 35)  # lines of a basket


@dataclass(frozen=True)
class ComplementarityConfig(Config):
    """Hyper-parameters of `synergy_share`, and of the lift that is shared out."""

    lift_pairs: Positive = 5.0
    """Pairs of lines: weight of no lift in that of two categories; smaller than in a recommender's features,
    which need no scale."""

    spread: Positive = 0.25
    """Standard deviation of the prior of the synergy share, 0 to 0.5, about 0: half of the range
    (`numeric.shrink`)."""


@dataclass(frozen=True)
class Complementarity(Parameters):
    """Complementarity (Gentzkow 2007): see the module's docstring. C categories."""

    synergy: Tensor = parameter(
        "C C", "what an item of one category in the basket adds to the log rate of another", r"\Gamma_{cc'}"
    )
    synergy_share: Tensor = parameter(
        "2",
        "share of the log lift that is complementarity, as estimated, and its standard error",
        r"\gamma",
        with_error=True,
    )


def synergy_share(
    dataset: Dataset,
    frequency: PersonalFrequency,
    effect: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int = 0,
    *,
    config: ComplementarityConfig = ComplementarityConfig(),
) -> tuple[float, float]:
    """K and its standard error, clustered by shopper; `effect` (n_weeks, I) is what promotions add to
    utility. 0 and infinity where the halves' lifts have nothing in common.

    The lift of one half of the shoppers explains the purchases of the other half: in one and the same baskets
    the noise of the one would explain that of the other. Noise in the lift itself would pull k to 0; it is no
    part of what the two halves' lifts have in common, by which the response is measured (instrumental
    variables).
    """
    codes = np.random.default_rng(seed).permutation(np.flatnonzero(shoppers))
    score, information = [], 0.0
    for mine in (codes[::2], codes[1::2]):
        half = np.isin(np.arange(dataset.n_shoppers), mine)
        lifts = [
            category_synergy(dataset, frequency, weeks, config.lift_pairs, shoppers=mask)
            for mask in (shoppers & ~half, half)
        ]
        part, amount = _response_to(dataset, frequency, lifts, effect, weeks, half)
        score.append(part)
        information += amount
    if information <= 0:
        return 0.0, float("inf")
    share = sum(part.sum() for part in score) / information
    return float(share), float(np.sqrt(sum((part**2).sum() for part in score)) / information)


def _response_to(
    dataset: Dataset,
    frequency: PersonalFrequency,
    lifts: list[np.ndarray],
    effect: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
) -> tuple[np.ndarray, float]:
    """(n_shoppers,) score of k at 0 by the first lift, and what k = 1 would add to it by the second, from the
    visits of `shoppers`."""
    n_categories = len(lifts[0])
    rows = visit_rows(dataset, weeks, shoppers)
    visits = dataset.visits.iloc[rows]
    shopper, week = visits["shopper"].to_numpy(), visits["week"].to_numpy()
    lines = category_baskets(dataset, frequency.category, rows)
    size = lines.sum(1)
    base = np.bincount(frequency.category, weights=frequency.popularity, minlength=n_categories)
    attraction = np.stack(
        [
            np.bincount(frequency.category, frequency.popularity * np.exp(p), minlength=n_categories) / base
            for p in effect
        ]
    ).astype(np.float32)
    mean = size[:, None] * frequency.category_share[shopper]
    brought = mean * (attraction[week] - 1)
    signals = [brought @ (lift - np.diag(np.diag(lift))) for lift in lifts]
    mean *= attraction[week]
    cells = week * (len(_SIZE_EDGES) + 1) + np.digitize(size, _SIZE_EDGES)
    for _ in range(2):
        mean *= ((_sums(cells, lines) + 0.5) / (_sums(cells, mean) + 0.5))[cells]
        mean *= (size / mean.sum(1))[:, None]
    for signal in signals:
        for _ in range(2):
            for code in (cells, shopper):
                signal -= (_sums(code, mean * signal) / np.maximum(_sums(code, mean), 1e-9))[code]
            signal -= ((mean * signal).sum(1) / size)[:, None]
    score = np.bincount(shopper, weights=((lines - mean) * signals[0]).sum(1))
    return score, float((mean * signals[0] * signals[1]).sum(dtype=np.float64))


def _sums(code: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(max(code) + 1, C) sums of the rows of `table` by code."""
    shape = int(code.max(initial=-1)) + 1, len(code)
    one_hot = csr_matrix((np.ones(len(code), np.float32), (code, np.arange(len(code)))), shape)
    return one_hot @ table
