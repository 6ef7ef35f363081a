"""How much the shop's averages weigh beside a shopper's own purchases, and old lines beside new ones: chosen
on the log at hand.

A grocer's customers are known by their habits, those of a gift shop by what is new there; one set of weights
cannot be right for both. So the hyper-parameters of `Preferences` are empirical Bayes estimates: those by
which a fit on the first four fifths of the weeks forecasts the lines of the last fifth best. Each climbs its
ladder by one rung at a time, and only where the mean gain a line is more than two of its standard errors (of
paired differences, clustered by shopper), so that a small log keeps the defaults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from tqdm import tqdm

from bundlegym.data import Dataset, lines_of, part_of, visit_rows
from bundlegym.terminal import say
from bundlegym.user_models.components.fit_weeks import last_fifth
from bundlegym.user_models.components.preferences import Preferences, PreferencesConfig, fit_factors
from bundlegym.user_models.components.shopper_factors import ShopperFactors
from bundlegym.user_models.parameters import Parameters, parameter

#: Values that are tried, from the one in the configuration upward and downward.
LADDERS: dict[str, tuple[float, ...]] = {
    "recent_half_life": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    "floor": (0.1, 0.5, 2.0, 8.0, 32.0),
    "item_weight": (0.25, 1.0, 4.0, 16.0, 64.0),
    "subcategory_weight": (15.0, 60.0, 250.0, 1000.0, 4000.0, 16000.0),
    "factor_share": (0.0, 0.5, 0.85),
    "half_life": (10.0, 20.0, 39.0, 80.0, 160.0),
    "category_weight": (100.0, 400.0, 1500.0, 6000.0),
    "discount": (0.1, 0.4, 0.7),
    "trend_lines": (5.0, 30.0, 180.0),
}
_SHOPPERS = 600
_LEAST_GAIN = 2.0  # standard errors
_ROUNDS = 2


@dataclasses.dataclass(frozen=True)
class ChosenPreferences(Parameters):
    """Weights of preferences, chosen on the log at hand."""

    chosen: torch.Tensor = parameter(
        str(len(LADDERS)), "value of each hyper-parameter of `LADDERS`, in order"
    )

    @staticmethod
    def of_config(config: PreferencesConfig) -> ChosenPreferences:
        """The values of a configuration."""
        return ChosenPreferences(
            torch.tensor([float(getattr(config, name)) for name in LADDERS], dtype=torch.float64)
        )

    def applied_to(self, config: PreferencesConfig) -> PreferencesConfig:
        """`config` with the chosen values."""
        return dataclasses.replace(config, **dict(zip(LADDERS, self.chosen.tolist(), strict=True)))


def choose_preferences(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
    without: Collection[str] = (),
    *,
    config: PreferencesConfig = PreferencesConfig(),
    progress: Callable[[str], None] = say,
) -> ChosenPreferences:
    """By the lines of the last fifth of `weeks` of at most 600 of `shoppers` (mask), drawn by `seed`."""
    some = np.random.default_rng(seed).permutation(np.flatnonzero(shoppers))[:_SHOPPERS]
    part, later = part_of(dataset, np.sort(some)), last_fifth(weeks)
    everyone = np.ones(part.n_shoppers, dtype=bool)
    lines, place = lines_of(part, visit_rows(part, later))
    shopper = part.visits["shopper"].to_numpy()[visit_rows(part, later)][place]
    item = part.purchases["item"].to_numpy()[lines]
    size = np.bincount(shopper, minlength=part.n_shoppers)

    factorised: dict[float, ShopperFactors] = {}

    def factors_of(lines: csr_matrix, known: np.ndarray, tried: PreferencesConfig) -> ShopperFactors:
        """Of all that is tried, the half-life alone changes the lines that are factorised."""
        if tried.half_life not in factorised:
            factorised[tried.half_life] = fit_factors(lines, known, tried)
        return factorised[tried.half_life]

    @cache  # rungs are tried again in the second round, and on the way down
    def loss(tried: PreferencesConfig) -> np.ndarray:
        """(S,) nats of each shopper's lines. Tastes for attributes are left out, which are fitted anyway."""
        left_out, first = {*without, "attribute_tastes"}, (weeks[0], later[0])
        found = Preferences.fit(part, first, everyone, left_out, config=tried, factors_of=factors_of)
        some = found.of(np.flatnonzero(everyone))
        total = some.log_sum()  # trends leave it near 0
        return np.bincount(shopper, total[shopper] - some.log_share(shopper, item), part.n_shoppers)

    if later[0] <= weeks[0] or not len(lines) or not len(visit_rows(part, (weeks[0], later[0]))):
        progress("user model: too few weeks to choose weights of preferences by; the defaults stay")
        return ChosenPreferences.of_config(config)
    best = first = loss(config)
    for _ in range(_ROUNDS):
        before = config
        for name, ladder in tqdm(LADDERS.items(), desc="weights of preferences", leave=False, disable=None):
            for direction in (1, -1):
                while (value := _next(ladder, getattr(config, name), direction)) is not None:
                    change: dict[str, Any] = {name: value}
                    tried = dataclasses.replace(config, **change)
                    new = loss(tried)
                    if not _better(new - best, size):
                        break
                    config, best = tried, new
        if config == before:
            break
    told = ", ".join(f"{name} {getattr(config, name):g}" for name in LADDERS)
    gain = (first - best).sum() / size.sum()
    progress(f"user model: preferences by {told}: {gain:.3f} nats a line better than by the defaults")
    return ChosenPreferences.of_config(config)


def _next(ladder: tuple[float, ...], value: float, direction: int) -> float | None:
    """The next rung above or below, None beyond the last."""
    beyond = [rung for rung in ladder if (rung - value) * direction > 1e-9 * abs(value)]
    return min(beyond, key=lambda rung: abs(rung - value)) if beyond else None


def _better(difference: np.ndarray, size: np.ndarray) -> bool:
    """Whether the sum of `difference` (S,) over lines is below 0 by more than its error; `size` (S,)
    lines."""
    mean = difference.sum() / size.sum()
    error = np.sqrt(((difference - mean * size) ** 2).sum()) / size.sum()
    return bool(mean < -_LEAST_GAIN * error)
