"""Quantity, how many units a line holds: a mean of its own, and the log's spread about such a mean.

The mean of the log of units is the item's own, shrunk to its category's and the shop's, times the shopper's,
times (price / usual price)^-g: whoever buys on a deal buys more. It is of the log, since a few lines of
hundreds would else decide it. Lines of alike means form a class, in which units are spread as in the log:
pairs, fours and sixes are likelier than any smooth law says, and so are, with a wholesaler, dozens and cases.
Whoever takes two of one yogurt takes two of the other: with the chance `same_units_prob` a line's luck is
that of its subcategory at the visit, else its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.components.windows import part_end
from bundlegym.user_models.config import Config, Count, Part, Positive
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws

_HALVINGS, _HALF_LINES = 6, 5.0  # of the lowest class; least lines below, as a multiple of `class_lines`
_EXACT = 24  # units up to which every number is one that a line can hold


@dataclass(frozen=True)
class QuantityConfig(Config):
    """Hyper-parameters of `fit_quantity`."""

    item_lines: Positive = 80.0
    """Lines: weight of the category's mean in an item's, and of the shop's in a category's."""

    shopper_lines: Positive = 10.0
    """Lines: weight of the average shopper in one's own factor."""

    mean_part: Part = 0.8
    """Part of the weeks by which means are set before the spread about them is seen in the rest."""

    classes: Count = 16
    """Classes of lines of alike means, in each of which units are spread as in the log."""

    class_lines: Positive = 20.0
    """Lines like those of the classes beside it, added to each one's."""

    slope_precision: Positive = 1.0
    """Information that is added to what the log tells of the slope in price, so that steps stay small."""

    steps: Count = 10
    """Steps between the shoppers' factors, the items' means and the slope."""

    large: Count = 40
    """Numbers of units beyond 24 that a line can hold, the log's most frequent: by the dozen or the case."""


@dataclass(frozen=True)
class _Lines:
    """Columns of the lines of some weeks: who bought what when, how many units and their log, and whether the
    averages are learned from the shopper."""

    visit: np.ndarray
    shopper: np.ndarray
    week: np.ndarray
    item: np.ndarray
    units: np.ndarray
    log_units: np.ndarray
    known: np.ndarray

    @staticmethod
    def of(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> _Lines:
        rows = visit_rows(dataset, weeks)
        lines, place = lines_of(dataset, rows)
        visits = dataset.visits.iloc[rows]
        shopper, week = (visits[name].to_numpy()[place] for name in ("shopper", "week"))
        item = dataset.purchases["item"].to_numpy()[lines]
        units = dataset.purchases["quantity"].to_numpy(np.int64)[lines]
        return _Lines(place, shopper, week, item, units, np.log(units), shoppers[shopper])


@dataclass(frozen=True)
class Quantity(Parameters):
    """How many units a line holds (Gupta 1988): see the module's docstring. S shoppers, I items, B + 1
    classes of lines."""

    log_units: Tensor = parameter("I", "mean log of the units of the item's lines", "E_i")
    log_units_factor: Tensor = parameter("S", "factor of the shopper on the log of units", "E_s")
    log_units_slope: Tensor = parameter(
        "1", "minus the price elasticity of the log of units, at least 0", r"\beta^E"
    )
    units_edges: Tensor = parameter("B", "expected log of units, between classes of lines")
    units_support: Tensor = parameter("U", "numbers of units that a line can hold", "", rising=1)
    units_cdf: Tensor = parameter("B+1 U", "chance of at most so many units in each class of lines", "U_{bn}")
    same_units_prob: Tensor = parameter(
        "1", "chance that a line's units follow the luck of its subcategory at the visit", r"\rho^E"
    )


def fit_quantity(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    log_discount: np.ndarray,
    *,
    config: QuantityConfig = QuantityConfig(),
) -> Quantity:
    """From the lines of `weeks`; averages come from `shoppers` (mask). `log_discount` (n_weeks, I) is
    log(usual price / price)."""
    cut = part_end(weeks, config.mean_part)
    early = _fit_means(dataset, _Lines.of(dataset, (weeks[0], cut), shoppers), log_discount, config)
    late = _Lines.of(dataset, (cut, weeks[1]), shoppers)
    expected = _expected(early, late, log_discount)
    lines = _Lines.of(dataset, weeks, shoppers)
    support = _support(lines.units[lines.known], config.large)
    edges, cdf = _spread(expected[late.known], late.units[late.known], support, config)
    means, known = _fit_means(dataset, lines, log_discount, config), lines.known
    several = 1 - cdf[np.digitize(_expected(means, lines, log_discount)[known], edges), 0]
    group = lines.visit * (dataset.subcategory_code.max() + 1) + dataset.subcategory_code[lines.item]
    alike = _likeness(lines.units[known] > 1, several, group[known])
    single = {
        "log_units": means.item,
        "log_units_factor": means.shopper,
        "log_units_slope": means.slope,
        "units_edges": edges,
        "units_cdf": cdf,
        "same_units_prob": np.sqrt(alike),
    }
    tensors = {name: as_tensor(np.array(value, dtype=np.float32)) for name, value in single.items()}
    return Quantity(**tensors, units_support=as_tensor(support))


def _support(units: np.ndarray, large: int) -> np.ndarray:
    """(U,) int64, ascending: 1 to 24, and of what else the `units` of lines (P,) are the most frequent."""
    more, count = np.unique(units[units > _EXACT], return_counts=True)
    return np.concatenate(
        [np.arange(1, _EXACT + 1), np.sort(more[np.argsort(-count, kind="stable")[:large]])]
    )


@dataclass(frozen=True)
class _Means:
    """Log of units: `item` (I,), factor of the `shopper` (S,), `slope` in log price."""

    item: np.ndarray
    shopper: np.ndarray
    slope: float


def _fit_means(dataset: Dataset, lines: _Lines, log_discount: np.ndarray, config: QuantityConfig) -> _Means:
    shopper, item, log_units, known = lines.shopper, lines.item, lines.log_units, lines.known
    category, weight = pd.factorize(dataset.items["category"])[0], config.item_lines

    def shrunk(code: np.ndarray, of: np.ndarray, prior: np.ndarray | float) -> np.ndarray:
        count = np.bincount(code[known], minlength=len(of))
        total = np.bincount(code[known], weights=log_units[known], minlength=len(of))
        return (total + weight * prior) / (count + weight)

    by_category = shrunk(category[item], np.arange(category.max() + 1), log_units[known].mean())
    mean = shrunk(item, category, by_category[category]) + 1e-4
    x = log_discount[lines.week, item]
    slope = 0.0
    factor = np.ones(dataset.n_shoppers)
    for _ in range(config.steps):  # alternate between the shoppers' factors, the items' means and the slope
        expected = mean[item] * np.exp(slope * x)
        totals = [np.bincount(shopper, weights=w, minlength=len(factor)) for w in (log_units, expected)]
        pseudo = config.shopper_lines * log_units[known].mean()
        factor = (totals[0] + pseudo) / (totals[1] + pseudo)
        expected = expected * factor[shopper]
        residual = (log_units - expected)[known] / (1 + expected[known])
        curvature = (expected[known] / (1 + expected[known]) * x[known] ** 2).sum() + config.slope_precision
        slope += float((residual * x[known]).sum() / curvature)
        ratio = [
            np.bincount(item[known], weights=w[known], minlength=len(mean)) for w in (log_units, expected)
        ]
        mean *= (ratio[0] + weight * mean) / (ratio[1] + weight * mean)
    return _Means(mean, factor, np.float64(max(slope, 0.0)))  # in double precision wherever it is used


def _expected(means: _Means, lines: _Lines, log_discount: np.ndarray) -> np.ndarray:
    """(P,) expected log of the units of each line."""
    level = means.item[lines.item] * means.shopper[lines.shopper]
    return np.asarray(level * np.exp(means.slope * log_discount[lines.week, lines.item]))


def _spread(
    expected: np.ndarray, units: np.ndarray, support: np.ndarray, config: QuantityConfig
) -> tuple[np.ndarray, np.ndarray]:
    """(B - 1,) edges between classes of an equal sum of what is `expected` of the log of units, the lowest of
    which is halved as long as it holds lines enough, since most of what is bought one by one is in it; (B, U)
    chances of at most so many units of `support` (U,) in each; what is not in it counts as the nearest."""
    order = np.argsort(expected, kind="stable")
    share = np.cumsum(expected[order]) / max(expected.sum(), 1e-9)
    place = np.searchsorted(share, np.arange(1, config.classes) / config.classes)
    edges = expected[order][place.clip(max=len(order) - 1)]
    halves = edges[0] * 0.5 ** np.arange(_HALVINGS, 0, -1)
    enough = np.searchsorted(expected[order], halves) >= _HALF_LINES * config.class_lines
    edges = np.concatenate([halves[enough], edges])
    count = np.zeros((len(edges) + 1, len(support)))
    nearest = np.digitize(units, (support[1:] + support[:-1]) / 2)
    np.add.at(count, (np.digitize(expected, edges), nearest), 1.0)
    padded = np.pad(count, ((1, 1), (0, 0)), mode="edge")
    beside = padded[:-2] + padded[2:]
    count += config.class_lines * (beside + 1e-9) / (beside + 1e-9).sum(1, keepdims=True)
    return edges, (count / count.sum(1, keepdims=True)).cumsum(1)


def draw_quantity(
    p: Quantity, shopper: Tensor, item: Tensor, log_discount: Tensor, subcategory: Tensor, luck: Draws
) -> Tensor:
    """(P,) int64 units of lines of a `shopper`, an `item`, its `log_discount` and its `subcategory` (P,)
    each, with the luck of each one's visit."""
    level = p.log_units[item] * p.log_units_factor[shopper]
    level = level * torch.exp(p.log_units_slope * log_discount)
    alike = luck.uniform(streams.SAME_UNITS, item[:, None])[:, 0] < p.same_units_prob
    own = luck.uniform(streams.QUANTITY, item[:, None])[:, 0]
    common = luck.uniform(streams.SUBCATEGORY_UNITS, subcategory[:, None])[:, 0]
    cdf = p.units_cdf[torch.searchsorted(p.units_edges, level, right=True)]
    fewer = torch.where(alike, common, own)[:, None] > cdf[:, :-1]
    return p.units_support[fewer.sum(1)]


def _likeness(happened: np.ndarray, chance: np.ndarray, group: np.ndarray) -> float:
    """Correlation of events of the given chances within groups, in 0..1."""
    spread = np.sqrt(chance * (1 - chance))

    def pairs(value: np.ndarray) -> float:
        """Sum of products over pairs of one group."""
        _, code = np.unique(group, return_inverse=True)
        return float((np.bincount(code, value) ** 2 - np.bincount(code, value**2)).sum())

    return float(np.clip(pairs(happened - chance) / max(pairs(spread), 1e-9), 0.0, 1.0))
