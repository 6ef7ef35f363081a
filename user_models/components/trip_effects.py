"""Trip effects: what all items of a category, or of a department, gain or lose together on one trip.

*Missions* are shopping missions (a party, a baby, baking) that lift some categories at once: category c's log
rate at a visit gains s (sum_r L_cr z_r + d_c e_c) with z and e standard normal, stronger (s) on small trips.
They explain what is left of R, the log lift of two categories after preferences and basket size, when
complementarity (`complementarity`) is taken out: a common cause, so that selling one does not sell the other.
A subcategory that holds many of all lines counts as a category of its own: single bottles of a soft drink and
packs of twelve, or eggs of two sizes, are not bought on one mission.

*Department trips*: small trips are often for one department, as fruit and vegetables, meat, the deli.
Missions are found from categories that meet in baskets of all sizes, so they know little of it. The log rates
of all of a department gain a normal number, less half its variance, whose standard deviation is of the
department and of the size of the trip. It is found by simulated moments: pairs of lines of one department, as
a multiple of what its share of lines says (a lift), are as many in simulated baskets of each size as in the
log's. The variance of a common log-normal factor adds to the log of this lift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
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


@dataclass(frozen=True)
class DepartmentTripsConfig(Config):
    """Hyper-parameters of `DepartmentMoment`."""

    steps: Count = 6
    """Steps of simulated moments."""

    pairs: Positive = 50.0
    """Ordered pairs of lines: weight of no variance."""

    most_variance: Positive = 3.0
    """Variance at most; no log tells from pairs how far an effect goes beyond."""


def shares_by_category(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    config: MissionsConfig = MissionsConfig(),
) -> PersonalFrequency:
    """Personal frequency with the categories that missions tell apart, by the lines of `shoppers` (mask)."""
    bought = lines_of(dataset, visit_rows(dataset, weeks, shoppers))[0]
    lines = np.bincount(dataset.purchases["item"].to_numpy()[bought], minlength=dataset.n_items)
    _, category = np.unique(dataset.items["category"].astype(str).to_numpy(), return_inverse=True)
    group = dataset.subcategory_code
    of_group, of_category = (lines @ one_hot_csr(code) for code in (group, category))
    own = (of_group >= config.own_share * lines.sum())[group]
    own &= of_group[group] < config.nearly_all * of_category[category]
    _, code = np.unique(np.where(own, category.max() + 1 + group, category), return_inverse=True)
    return PersonalFrequency.fit(dataset, weeks, shoppers=shoppers, category=code)


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


@dataclass(frozen=True)
class DepartmentTrips(Parameters):
    """Trips for one department: see the module's docstring. D departments."""

    department_spread: Tensor = parameter(
        f"{len(GRID)} D",
        "standard deviation between trips of a department's effect by the size of the trip",
        r"\sigma_{kd}",
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


def department_effect(
    p: DepartmentTrips, department_of_category: Tensor, draws: Draws, size: Tensor
) -> Tensor:
    """(N, C) what a trip for one department adds to log rates by category on a trip of `size` (N,) in the
    grid; `department_of_category` (C,) codes."""
    spread = p.department_spread[size]
    departments = torch.arange(spread.shape[1], device=size.device)
    effect = normal(draws.uniform(streams.DEPARTMENT, departments)) * spread - spread.square() / 2
    return effect.index_select(1, department_of_category)


def trip_effect(
    missions: Missions,
    departments: DepartmentTrips,
    department_of_category: Tensor,
    draws: Draws,
    size: Tensor,
) -> Tensor:
    """(N, C) what missions and departments of a trip of `size` (N,) in the grid add to log rates by
    category."""
    of_department = department_effect(departments, department_of_category, draws, size)
    return mission_effect(missions, draws, size) + of_department


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


def department_pairs(panel: pd.DataFrame, department: np.ndarray, n: int) -> np.ndarray:
    """(2, 6, n) ordered pairs of lines of one department (I,) of `n` in baskets of each class of
    `SIZE_EDGES`, and how many there would be by the departments' shares of lines in it."""
    visit = pd.factorize(panel["visit"])[0]
    lines = np.zeros((visit.max(initial=-1) + 1, n))
    np.add.at(lines, (visit, department[panel["item"]]), 1.0)
    size = lines.sum(1)
    pairs = np.zeros((2, len(SIZE_EDGES) + 1, lines.shape[1]))
    class_ = np.digitize(size, SIZE_EDGES)
    for k in np.unique(class_):
        here = lines[class_ == k]
        share = here.sum(0) / here.sum()
        possible = size[class_ == k] @ (size[class_ == k] - 1)
        pairs[:, k] = (here * (here - 1)).sum(0), possible * share**2
    return pairs


class DepartmentMoment:
    """`department_spread` with which simulated baskets of each size hold as many pairs of lines of one
    department, as a multiple of what shares of lines say, as a `panel` of the log's."""

    def __init__(
        self,
        panel: pd.DataFrame,
        department: np.ndarray,
        n: int,
        config: DepartmentTripsConfig = DepartmentTripsConfig(),
    ) -> None:
        self.department, self.n, self.config = department, n, config
        self.simulations = (1,) * config.steps
        self.real = department_pairs(panel, department, n)
        self.variance = np.zeros(self.real.shape[1:])

    def start(self, params: Any) -> Any:
        return params.changed(department_spread=torch.zeros(len(GRID), self.n))

    def update(self, params: Any, panels: list[pd.DataFrame], step: int) -> Any:
        simulated = department_pairs(panels[0], self.department, self.n)
        pairs = self.config.pairs
        free = (
            self.real[1] * (simulated[0] + pairs) / (simulated[1] + pairs)
            / np.exp(self.variance)
        )  # fmt: skip
        ratio = (self.real[0] + pairs) / (free + pairs)
        self.variance = np.log(ratio).clip(0.0, self.config.most_variance)
        # Baskets of one line hold no pairs: what brings them is taken to be as in those of the next class.
        self.variance[0] = self.variance[1]
        spread = on_grid(np.sqrt(self.variance)).astype(np.float32)
        return params.changed(department_spread=torch.from_numpy(spread))
