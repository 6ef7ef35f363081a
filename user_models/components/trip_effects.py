"""Trip effects: what all items of a category gain or lose together on one trip.

*Missions* are shopping missions (a party, a baby, baking) that lift some categories at once: category c's log
rate at a visit gains s (sum_r L_cr z_r + d_c e_c) with z and e standard normal, stronger (s) on small trips.
They explain what is left of R, the log lift of two categories after preferences and basket size, when
complementarity (`complementarity`) is taken out: a common cause, so that selling one does not sell the other.
A subcategory that holds many of all lines counts as a category of its own: single bottles of a soft drink and
packs of twelve, or eggs of two sizes, are not bought on one mission.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders import PersonalFrequency
from bundlegym.recommenders.copurchase import category_baskets
from bundlegym.user_models.components.basket_size import GRID, SIZE_EDGES, on_grid
from bundlegym.user_models.config import Config, Count, Positive, Share
from bundlegym.user_models.numeric.one_hot import one_hot_csr
from bundlegym.user_models.numeric.row_stable import row_stable_matmul
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws, normal


@dataclass(frozen=True)
class MissionsConfig(Config):
    """Hyper-parameters of `shares_by_category` and `fit_missions`."""

    own_share: Share = 0.005
    """Share of all lines from which a subcategory is a category of its own, unless it is nearly all of its
    category."""

    nearly_all: Share = 0.95
    """Share of its category's lines from which a subcategory is nearly all of it."""

    categories_a_mission: Count = 5
    """Categories for each mission."""

    most_missions: Count = 40
    """Missions at most."""

    least_variance: Positive = 0.15
    """Variance of a category's log rate between visits at least, so that it can take part in a mission."""

    pairs: Positive = 20.0
    """Ordered pairs of lines: weight of no missions in how strong they are in baskets of each size."""

    least_scale: Positive = 0.5
    """Factor on missions at least, by size of the trip."""

    most_scale: Positive = 2.5
    """Factor on missions at most, by size of the trip."""


def shares_by_category(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    config: MissionsConfig = MissionsConfig(),
) -> PersonalFrequency:
    """Personal frequency with the categories that missions tell apart, by the lines of `shoppers` (mask)."""
    code = mission_categories(dataset, weeks, shoppers, config)
    return PersonalFrequency.fit(dataset, weeks, shoppers=shoppers, category=code)


def mission_categories(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    config: MissionsConfig = MissionsConfig(),
) -> np.ndarray:
    """(I,) int64 code of each item's category; a subcategory with many of the lines of `shoppers` (mask) is a
    category of its own."""
    bought = lines_of(dataset, visit_rows(dataset, weeks, shoppers))[0]
    lines = np.bincount(dataset.purchases["item"].to_numpy()[bought], minlength=dataset.n_items)
    _, category = np.unique(dataset.items["category"].astype(str).to_numpy(), return_inverse=True)
    group = dataset.subcategory_code
    of_group, of_category = (lines @ one_hot_csr(code) for code in (group, category))
    own = (of_group >= config.own_share * lines.sum())[group]
    own &= of_group[group] < config.nearly_all * of_category[category]
    return np.unique(np.where(own, category.max() + 1 + group, category), return_inverse=True)[1]


@dataclass(frozen=True)
class Missions(Parameters):
    """Shopping missions, correlated effects of a trip (Manchanda, Ansari and Gupta 1999): see the module's
    docstring. C categories, R missions."""

    mission_loading: Tensor = parameter(
        "C R", "log rate of each category by each mission, a standard normal number", r"\Lambda_{cr}"
    )
    mission_spread: Tensor = parameter(
        "C", "standard deviation between trips of a category's own effect, beside missions", r"\sigma_c"
    )
    mission_scale: Tensor = parameter(
        f"{len(GRID)}", "factor on missions and own effects by the size of the trip", r"\xi_k"
    )
    category_level: Tensor = parameter(
        f"{len(GRID)} C",
        "added to log rates by the size of the trip: minus half the variance of missions and own effects, "
        "whose mean factor is then 1; a model without size constants moves it by simulated moments",
        r"\bar\xi_{kc}",
    )


def fit_missions(
    dataset: Dataset,
    frequency: PersonalFrequency,
    lift: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    *,
    config: MissionsConfig = MissionsConfig(),
) -> Missions:
    """Missions that explain a log lift (C, C)."""
    loading, spread = mission_loadings(lift, frequency.category_share[shoppers].mean(0), config)
    rows = visit_rows(dataset, weeks, shoppers)
    scale = on_grid(mission_scale(dataset, frequency, rows, config))
    variance = (loading**2).sum(1) + spread**2
    level = -(scale[:, None] ** 2) * variance / 2
    return Missions(
        *(as_tensor(array.astype(np.float32)) for array in (loading, spread, scale, level)),
    )


def mission_effect(p: Missions, draws: Draws, size: Tensor) -> Tensor:
    """(N, C) what the mission of a trip of `size` (N,) in the grid adds to log rates by category, and the
    category's level on such trips."""
    categories, missions = (torch.arange(n, device=size.device) for n in p.mission_loading.shape)
    effect = row_stable_matmul(normal(draws.uniform(streams.MISSION, missions)), p.mission_loading)
    effect = effect + normal(draws.uniform(streams.CATEGORY, categories)) * p.mission_spread
    return p.mission_scale[size, None] * effect + p.category_level[size]


def mission_loadings(
    lift: np.ndarray, share: np.ndarray, config: MissionsConfig = MissionsConfig()
) -> tuple[np.ndarray, np.ndarray]:
    """(C, R) loadings L such that L L' is near a log lift (C, C) that missions explain, each category
    weighted by a root of its share of lines (C,), and (C,) the spread d that a category has beyond. What a
    category's items add to each other bounds the variance it can have."""
    rank = min(config.most_missions, len(lift) // config.categories_a_mission)
    weight = (share / share.sum()) ** 0.25 + 0.03
    target = (lift + lift.T) / 2
    np.fill_diagonal(target, np.diag(lift).clip(min=config.least_variance))
    values, vectors = np.linalg.eigh(target * weight[:, None] * weight)
    lead = slice(len(lift) - rank, None)
    loading = vectors[:, lead] * np.sqrt(values[lead].clip(min=0)) / weight[:, None]
    spread = np.sqrt((np.diag(lift) - (loading**2).sum(1)).clip(min=0))
    return np.asarray(loading, dtype=np.float32), np.asarray(spread, dtype=np.float32)


def mission_scale(
    dataset: Dataset,
    frequency: PersonalFrequency,
    rows: np.ndarray,
    config: MissionsConfig = MissionsConfig(),
) -> np.ndarray:
    """(6,) how strong missions are in baskets of each class of `SIZE_EDGES`, as a factor on the loadings:
    small baskets are bought on one mission. From the lift of two lines of one category."""
    lines = category_baskets(dataset, frequency.category, rows)
    size, shopper = lines.sum(1), dataset.visits["shopper"].to_numpy()[rows]
    alike = (lines * (lines - 1)).sum(1)
    chance = (frequency.category_share**2).sum(1)[shopper] * size * (size - 1)
    bins, n = np.digitize(size, SIZE_EDGES), len(SIZE_EDGES) + 1
    observed, expected = (np.bincount(bins, weights=w, minlength=n) for w in (alike, chance))
    pairs = config.pairs
    lift = np.log((observed + pairs) / (expected + pairs)).clip(min=0)
    overall = np.log((observed.sum() + pairs) / (expected.sum() + pairs)).clip(min=0.05)
    return np.sqrt(lift / overall).clip(config.least_scale, config.most_scale).astype(np.float32)
