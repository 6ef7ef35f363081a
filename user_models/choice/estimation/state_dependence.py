"""How much of what is bought after a first purchase is the first purchase's doing.

Who tries an item likes it more than others do, and would have bought it later anyway: repeats after a trial
show liking and habit together. Chance tells them apart. An item that happens to be promoted in the very weeks
in which a shopper buys much is tried more often than their liking explains, by those who like it no more
than others; if a trial leaves a habit, they buy more of it in the weeks after, else not.

Pairs of shopper and item without a purchase before some early weeks: T, tried in the early weeks; Y, lines in
the later ones. The expectation of either is a product of the shopper's share of the item, an effect of the
shopper and one of the item; Y's has the promotions that the shopper met later, too. The instrument is Z, the
sum over early weeks of the shopper's other lines times exp(effect) less its mean for the item, less effects
of the shopper and of the item. Sum Z (Y - E Y) / sum Z (T - E T) is what a trial that a promotion brought
about adds to later lines (Wald); what Y exceeds its expectation by among all who tried is what is seen after
one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bundlegym.data import Dataset, lines_of, part_of_catalogue, visit_rows
from bundlegym.user_models.choice.estimation.best_sellers import best_sellers
from bundlegym.user_models.components.preferences import Preferences, PreferencesConfig
from bundlegym.user_models.config import Config, Count, Positive
from bundlegym.user_models.numeric.two_way import demean, rake

_LITTLE = 0.01  # lines, so that a margin without any has a factor


@dataclass(frozen=True)
class StateDependenceConfig(Config):
    """Hyper-parameters of `state_dependence_share`, and of what it is shrunk by."""

    before: Count = 4
    """Weeks of the fit over those before the first early week, in which the item was not bought."""

    early: Count = 6
    """Weeks of the fit over the early weeks of a window, in which an item is tried."""

    late: Count = 4
    """Weeks of the fit over the later weeks of a window, in which the item is bought again."""

    windows: Count = 3
    """Windows of early and later weeks, each begun where the early weeks of the one before end."""

    margins: Count = 3
    """Alternating fits to the margins."""

    spread: Positive = 0.5
    """Standard deviation of the prior of the share, 0 to 1, about 0: half of the range (`numeric.shrink`)."""


def state_dependence_share(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    effect: np.ndarray,
    *,
    config: StateDependenceConfig = StateDependenceConfig(),
    preferences: PreferencesConfig = PreferencesConfig(),
) -> tuple[float, float]:
    """Share of the repeats seen after a first purchase that it brought about, and its standard error,
    clustered by shopper; `effect` (n_weeks, I) is what price and promotions add to utility. Of a
    catalogue that is large beside the shoppers, the `best_sellers` stand for all. 0 and infinity where too
    few items are tried to tell."""
    items = best_sellers(dataset, weeks, shoppers)
    dataset, effect = part_of_catalogue(dataset, items), effect[:, items]
    span = weeks[1] - weeks[0]
    early, first = max(span // config.early, 1), weeks[0] + max(span // config.before, 1)
    liking = Preferences.fit(dataset, (weeks[0], first), shoppers, config=preferences)
    share = np.exp(liking.of(np.flatnonzero(shoppers)).table())
    later, tried = (np.zeros(int(shoppers.sum())) for _ in range(2))
    seen = trials = 0.0
    for window in range(config.windows):
        start = first + window * early
        end = min(start + early + max(span // config.late, 1), weeks[1])
        if start + early >= end:
            continue
        edges = weeks[0], start, start + early, end
        parts = _window(dataset, edges, shoppers, effect, share, config.margins)
        later, tried = later + parts[0], tried + parts[1]
        seen, trials = seen + parts[2], trials + parts[3]
    if seen <= 0 or tried.sum() <= 0:
        return 0.0, float("inf")
    brought = later.sum() / tried.sum()
    error = np.sqrt(((later - brought * tried) ** 2).sum()) / tried.sum()
    after = seen / trials
    return float(brought / after), float(error / after)


def _window(
    dataset: Dataset,
    edges: tuple[int, int, int, int],
    shoppers: np.ndarray,
    effect: np.ndarray,
    share: np.ndarray,
    margins: int,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """(S,) sums of Z (Y - E Y) and of Z (T - E T) by shopper; Y - E Y of all who tried, and how many they
    are. `edges` are the first weeks before, of the early weeks, of the later ones, and the end; `share` (S,
    I) of each shopper's lines."""
    before, start, middle, end = edges
    lift = np.exp(effect).astype(np.float32)
    early = lift[start:middle]
    timing = early - early.mean(0)
    by_week = _lines_by_week(dataset, (start, end), shoppers)
    first, second = by_week[:, : middle - start], by_week[:, middle - start :]

    untried = _lines_by_item(dataset, (before, start), shoppers) == 0
    share = share * untried
    tried = (_lines_by_item(dataset, (start, middle), shoppers) > 0) * untried.astype(np.float32)
    later = _lines_by_item(dataset, (middle, end), shoppers) * untried

    residual = later - rake(share * (second @ lift[middle:end]), later, margins, _LITTLE)
    seen = float((tried * residual).sum(dtype=np.float64))
    instrument = first @ timing - _lines_by_item(dataset, (start, middle), shoppers, timing)
    instrument = demean(instrument, share * second.sum(1, keepdims=True), margins)
    residual *= instrument
    instrument *= tried - rake(share * first.sum(1, keepdims=True), tried, margins, _LITTLE)
    return (
        residual.sum(1, dtype=np.float64),
        instrument.sum(1, dtype=np.float64),
        seen,
        float(tried.sum(dtype=np.float64)),
    )


def _lines_by_week(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> np.ndarray:
    """(S, weeks) float32 lines of `shoppers` (mask)."""
    rows = visit_rows(dataset, weeks, shoppers)
    _, place = lines_of(dataset, rows)
    visits, code = dataset.visits.iloc[rows], np.cumsum(shoppers) - 1
    shape = (int(shoppers.sum()), weeks[1] - weeks[0])
    cell = code[visits["shopper"].to_numpy()] * shape[1] + visits["week"].to_numpy() - weeks[0]
    return np.bincount(cell[place], minlength=shape[0] * shape[1]).reshape(shape).astype(np.float32)


def _lines_by_item(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """(S, I) float32 lines of `shoppers` (mask), each counted as `weight` (weeks, I) of its week and item."""
    rows = visit_rows(dataset, weeks, shoppers)
    lines, place = lines_of(dataset, rows)
    item, code = dataset.purchases["item"].to_numpy()[lines], np.cumsum(shoppers) - 1
    visits = dataset.visits.iloc[rows]
    shape = (int(shoppers.sum()), dataset.n_items)
    cell = code[visits["shopper"].to_numpy()][place] * shape[1] + item
    each = None if weight is None else weight[visits["week"].to_numpy()[place] - weeks[0], item]
    return np.bincount(cell, each, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float32)
