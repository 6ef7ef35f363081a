"""Quantity, how many units a line holds: a mean of its own, and the log's spread about such a mean.

The mean of the log of units is the item's own, shrunk to its category's and the shop's, times the shopper's,
times what this shopper usually takes of this item over what was expected, times that of trips of the size,
times (price / usual price)^-g: whoever buys on a deal buys more. A wholesaler's order of few lines holds many
units of each. It is of the log, since a few lines of hundreds would else decide it. Lines of alike means form
a class, in which units are spread as in the log: pairs, fours and sixes are likelier than any smooth law
says, and so are, with a wholesaler, dozens and cases.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.components.basket_size import GRID, SIZE_EDGES, on_grid
from bundlegym.user_models.components.fit_weeks import part_end
from bundlegym.user_models.config import Config, Count, Part, Positive
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws

_HALVINGS, _HALF_LINES = 6, 5.0  # of the lowest class; least lines below, as a multiple of `class_lines`
_LEAST = 1e-4  # log of units, where a log has single units alone
_EXACT = 24  # units up to which every number is one that a line can hold


@dataclass(frozen=True)
class QuantityConfig(Config):
    """Hyper-parameters of `fit_units` and `fit_quantity`."""

    item_lines: Positive = 80.0
    """Lines: weight of the category's mean in an item's, and of the shop's in a category's."""

    shopper_lines: Positive = 10.0
    """Lines: weight of the average shopper in one's own factor."""

    pair_lines: tuple[Positive, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)
    """Lines: weights of no difference in what a shopper takes of an item, of which later lines choose one."""

    mean_part: Part = 0.8
    """Part of the weeks by which means are set before the spread about them is seen in the rest."""

    classes: Count = 16
    """Classes of lines of alike means, in each of which units are spread as in the log."""

    class_lines: Positive = 20.0
    """Lines like those of the classes beside it, added to each one's."""

    slope_precision: Positive = 1.0
    """Information that is added to what the log tells of the slope in price, so that steps stay small."""

    steps: Count = 10
    """Steps between the factors of shoppers and of sizes of trips, the items' means and the slope."""

    large: Count = 40
    """Numbers of units beyond 24 that a line can hold, the log's most frequent: by the dozen or the case."""


@dataclass(frozen=True)
class _Lines:
    """Columns of the lines of some weeks: who bought what when, the class of the visit by its lines, how many
    units and their log, and whether the averages are learned from the shopper."""

    size: np.ndarray
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
        shopper, week = (visits[name].to_numpy(np.int64)[place] for name in ("shopper", "week"))
        item = dataset.purchases["item"].to_numpy(np.int64)[lines]
        units = dataset.purchases["quantity"].to_numpy(np.int64)[lines]
        size = np.digitize(np.bincount(place)[place], SIZE_EDGES)
        return _Lines(size, shopper, week, item, units, np.log(units), shoppers[shopper])


@dataclass(frozen=True)
class Units(Parameters):
    """How units are spread about a mean, B + 1 classes of lines, and what is known of a shopper's own."""

    units_edges: Tensor = parameter("B", "expected log of units, between classes of lines")
    units_support: Tensor = parameter("U", "numbers of units that a line can hold", "", rising=1)
    units_cdf: Tensor = parameter("B+1 U", "chance of at most so many units in each class of lines", "U_{bn}")
    pair_lines: Tensor = parameter("1", "lines: weight of no difference in what a shopper takes of an item")


@dataclass(frozen=True)
class Quantity(Units):
    """How many units a line holds (Gupta 1988): see the module's docstring. S shoppers, I items, L
    shortlisted items."""

    log_units: Tensor = parameter("I", "mean log of the units of the item's lines", "E_i")
    log_units_factor: Tensor = parameter("S", "factor of the shopper on the log of units", "E_s")
    regular_quantity: Tensor = parameter(
        "S L",
        "log of the factor on the log of units of each shortlisted item: what the shopper usually takes",
        r"\eta_{si}",
    )
    quantity_by_size: Tensor = parameter(
        f"{len(GRID)}", "log of the factor on the log of units by the size of the trip", r"\eta_k"
    )
    log_units_slope: Tensor = parameter(
        "1", "minus the price elasticity of the log of units, at least 0", r"\beta^E"
    )


def fit_units(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    log_discount: np.ndarray,
    *,
    config: QuantityConfig = QuantityConfig(),
) -> Units:
    """From the lines of `shoppers` (mask) in `weeks`: the last of them, about means of those before."""
    cut = part_end(weeks, config.mean_part)
    early, late = (_Lines.of(dataset, span, shoppers) for span in ((weeks[0], cut), (cut, weeks[1])))
    means = _fit_means(dataset, early, log_discount, config)
    tried = {
        weight: _expected(with_pairs, late, log_discount)
        for weight, with_pairs in _with_pairs(means, early, log_discount, config.pair_lines).items()
    }
    weight = min(tried, key=lambda weight: _deviance(tried[weight], late))
    units = late.units[late.known]
    support = _support(np.concatenate([early.units[early.known], units]), config.large)
    edges, cdf = _spread(tried[weight][late.known], units, support, config)
    return Units(
        units_edges=as_tensor(edges.astype(np.float32)),
        units_support=as_tensor(support),
        units_cdf=as_tensor(cdf.astype(np.float32)),
        pair_lines=torch.tensor([weight], dtype=torch.float32),
    )


def fit_quantity(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    log_discount: np.ndarray,
    shortlist: np.ndarray,
    units: Units,
    *,
    config: QuantityConfig = QuantityConfig(),
) -> Quantity:
    """Means of the lines of `weeks`, with averages from `shoppers` (mask), beside how `units` are spread
    about them. `log_discount` (n_weeks, I) is log(usual price / price), `shortlist` (S, L) are items in the
    order of their codes."""
    lines, weight = _Lines.of(dataset, weeks, shoppers), float(units.pair_lines)
    means = _fit_means(dataset, lines, log_discount, config)
    means = _with_pairs(means, lines, log_discount, (weight,))[weight]
    found = {
        "log_units": means.item,
        "log_units_factor": means.shopper,
        "regular_quantity": np.log(means.regular(np.arange(len(shortlist))[:, None], shortlist)),
        "quantity_by_size": np.log(on_grid(means.size)),
        "log_units_slope": means.slope,
    }
    tensors = {name: as_tensor(np.array(value, dtype=np.float32)) for name, value in found.items()}
    return Quantity(**dict(units.leaves()), **tensors)


def _support(units: np.ndarray, large: int) -> np.ndarray:
    """(U,) int64, ascending: 1 to 24, and of what else the `units` of lines (P,) are the most frequent."""
    more, count = np.unique(units[units > _EXACT], return_counts=True)
    return np.concatenate(
        [np.arange(1, _EXACT + 1), np.sort(more[np.argsort(-count, kind="stable")[:large]])]
    )


@dataclass(frozen=True)
class _Means:
    """Log of units: `item` (I,), factor of the `shopper` (S,), of the trip by its `size` (6,) and of each of
    the ascending `pairs` of shopper and item, `slope` in log price."""

    item: np.ndarray
    shopper: np.ndarray
    size: np.ndarray
    slope: float
    pairs: np.ndarray = field(default_factory=lambda: np.array([-1]))
    of_pair: np.ndarray = field(default_factory=lambda: np.ones(1))

    def regular(self, shopper: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Factors of pairs, 1 where the shopper never bought the item."""
        asked = shopper * len(self.item) + item
        place = np.searchsorted(self.pairs, asked).clip(max=len(self.pairs) - 1)
        return np.where(self.pairs[place] == asked, self.of_pair[place], 1.0)


def _fit_means(dataset: Dataset, lines: _Lines, log_discount: np.ndarray, config: QuantityConfig) -> _Means:
    shopper, item, log_units, known = lines.shopper, lines.item, lines.log_units, lines.known
    category, weight = pd.factorize(dataset.items["category"])[0], config.item_lines
    average = _average(lines)

    def shrunk(code: np.ndarray, of: np.ndarray, prior: np.ndarray | float) -> np.ndarray:
        count = np.bincount(code[known], minlength=len(of))
        total = np.bincount(code[known], weights=log_units[known], minlength=len(of))
        return (total + weight * prior) / (count + weight)

    def over(seen: np.ndarray, expected: np.ndarray, code: np.ndarray, weight: float) -> np.ndarray:
        """(n,) log of units `seen` by code over what was `expected` of lines of each `code`, shrunk to 1."""
        wanted = np.bincount(code, expected, minlength=len(seen))
        return np.asarray((seen + weight * average) / (wanted + weight * average))

    by_category = shrunk(category[item], np.arange(category.max() + 1), average)
    mean = shrunk(item, category, by_category[category]) + _LEAST
    x = log_discount[lines.week, item]
    slope, factor, by_size = 0.0, np.ones(dataset.n_shoppers), np.ones(len(SIZE_EDGES) + 1)
    size_known, item_known, x_known, units_known = lines.size[known], item[known], x[known], log_units[known]
    of_shopper = np.bincount(shopper, log_units, minlength=len(factor))
    of_size = np.bincount(size_known, units_known, minlength=len(by_size))
    of_item = np.bincount(item_known, units_known, minlength=len(mean))
    for _ in range(config.steps):  # alternate between the factors, the slope and the items' means
        expected = mean[item] * np.exp(slope * x)
        factor = over(of_shopper, expected * by_size[lines.size], shopper, config.shopper_lines)
        wanted = (expected * factor[shopper])[known]
        by_size = over(of_size, wanted, size_known, weight)
        wanted *= by_size[size_known]
        residual = (units_known - wanted) / (1 + wanted)
        curvature = (wanted / (1 + wanted) * x_known**2).sum() + config.slope_precision
        slope += float((residual * x_known).sum() / curvature)
        of_item_wanted = np.bincount(item_known, wanted, minlength=len(mean))
        mean *= (of_item + weight * mean) / (of_item_wanted + weight * mean)
    return _Means(mean, factor, by_size, np.float64(max(slope, 0.0)))  # in double precision wherever used


def _average(lines: _Lines) -> float:
    """Mean log of the units of lines of known shoppers."""
    return float(max(lines.log_units[lines.known].mean(), _LEAST))


def _with_pairs(
    means: _Means, lines: _Lines, log_discount: np.ndarray, weights: Collection[float]
) -> dict[float, _Means]:
    """By each weight, with the factors of pairs of shopper and item, shrunk to 1 by so many lines."""
    pairs, pair = np.unique(lines.shopper * len(means.item) + lines.item, return_inverse=True)
    expected = _expected(means, lines, log_discount)
    seen, wanted = (np.bincount(pair, w, minlength=len(pairs)) for w in (lines.log_units, expected))
    prior = {weight: weight * _average(lines) for weight in weights}
    return {
        weight: replace(means, pairs=pairs, of_pair=(seen + prior[weight]) / (wanted + prior[weight]))
        for weight in weights
    }


def _deviance(expected: np.ndarray, lines: _Lines) -> float:
    """How far the log of units of lines of known shoppers is from what was `expected` (P,), as a Poisson law
    measures it; less is nearer."""
    wanted = expected[lines.known].clip(min=1e-9)
    return float((wanted - lines.log_units[lines.known] * np.log(wanted)).sum())


def _expected(means: _Means, lines: _Lines, log_discount: np.ndarray) -> np.ndarray:
    """(P,) expected log of the units of each line."""
    level = means.item[lines.item] * means.shopper[lines.shopper] * means.size[lines.size]
    level = level * means.regular(lines.shopper, lines.item)
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
    p: Quantity,
    shortlist: Tensor,
    shopper: Tensor,
    item: Tensor,
    size: Tensor,
    log_discount: Tensor,
    luck: Draws,
) -> Tensor:
    """(P,) int64 units of lines of a `shopper`, an `item`, the `size` of the trip, a place in `GRID`, and
    the item's `log_discount` (P,) each, with the luck of each one's visit; of `shortlist` (S, L) are the
    regular quantities."""
    own = shortlist[shopper]
    place = torch.searchsorted(own, item[:, None]).clamp(max=own.shape[1] - 1)
    listed = (own.gather(1, place) == item[:, None])[:, 0]
    regular = torch.where(listed, p.regular_quantity[shopper].gather(1, place)[:, 0], 0.0)
    level = p.log_units[item] * p.log_units_factor[shopper]
    level = level * torch.exp(p.log_units_slope * log_discount + p.quantity_by_size[size] + regular)
    cdf = p.units_cdf[torch.searchsorted(p.units_edges, level, right=True)]
    fewer = luck.uniform(streams.QUANTITY, item[:, None]) > cdf[:, :-1]
    return p.units_support[fewer.sum(1)]
