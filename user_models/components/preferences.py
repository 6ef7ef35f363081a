"""What a shopper likes: shares of purchase lines, shrunk through subcategories to shoppers alike.

p(i | s) = p(g | s) p(i | s, g) over subcategories g. With n the shopper's lines, older ones counting less,
p(g | s) = (n_sg + a q_sg) / (n_s + a), where q mixes a low-rank model of shoppers' lines by subcategory
(Poisson factorisation: non-negative matrix factorisation under the Kullback-Leibler loss, Lee and Seung 1999)
with the shop's shares and is then moved to the shopper's own departments, and categories, by the same
formula: what is new to them is of the kinds that they buy. Within a subcategory lines are new or old by a
Pitman-Yor process (Pitman and Yor 1997; Teh 2006):

    p(i | s, g) = (n_si - min(n_si, d) + (b + D_sg) p(i | g, s)) / (n_sg + b),

where D_sg is the sum of min(n_si, d) over items. So a shopper who has tried many items of a subcategory goes
on trying, and an item bought once is less of a habit than its line would say. p(i | g, s) are the shop's
shares, moved by the shopper's `attribute_tastes`.

Lines of a whole year tell what a shopper likes, and nothing of an item that the shop has sold more, or less,
of late. So the share of each item is multiplied by its `trend`: what all shoppers bought of it in the last
weeks over what their preferences say, (n_i + m) / (E_i + m).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders.likeliest import values_at
from bundlegym.recommenders.shortlist_slots import slots_of
from bundlegym.user_models.components.attribute_tastes import (
    AttributeTastesConfig,
    attribute_range,
    attributes,
    log_total,
    shopper_tastes,
)
from bundlegym.user_models.components.shopper_factors import ShopperFactors, fit_components
from bundlegym.user_models.components.shortlists import best_items
from bundlegym.user_models.config import Config, Count, Part, Positive, Share
from bundlegym.user_models.numeric.group_sums import exp_sums, sums_of_items
from bundlegym.user_models.numeric.one_hot import one_hot_csr
from bundlegym.user_models.numeric.row_blocks import row_blocks


@dataclass(frozen=True)
class PreferencesConfig(Config):
    """Hyper-parameters of `Preferences`.

    The defaults were chosen on The Complete Journey, by likelihood of the shares alone: weights of
    departments and categories, b and d in the last training weeks, half-lives, factors and the weight of
    subcategories in the validation weeks. A fit tries others on its own log (`preference_selection`).
    """

    half_life: Positive = 39.0
    """Weeks after which a shopper's line counts half."""

    recent_half_life: Positive = 8.0
    """Weeks after which a line counts half in the shop's shares of items."""

    department_weight: Positive = 300.0
    """Lines, a of departments: weight of the shares that were there before the shopper's own lines by
    department."""

    category_weight: Positive = 1500.0
    """Lines, a of categories, as of departments."""

    subcategory_weight: Positive = 250.0
    """Lines, a of subcategories, as of departments."""

    item_weight: Positive = 1.0
    """Lines, b: weight of the shop's shares within a subcategory."""

    discount: Part = 0.4
    """Lines, d: what an item's lines lose to items that were never bought (Pitman-Yor)."""

    factors: Count = 15
    """Factors of the low-rank model of subcategories, at most a quarter of shoppers and of subcategories."""

    factor_steps: Count = 80
    """Steps of the factorisation at most; further ones hardly change the shares."""

    factor_share: Share = 0.85
    """Share of the low-rank model in what it mixes with the shop's shares."""

    floor: Positive = 0.5
    """Lines added to those of each item in the shop's shares, so that no item is impossible."""

    trend_lines: Positive = 30.0
    """Lines, m: weight of no trend in an item's; so shrunk, likelihood in the last training weeks of The
    Complete Journey takes a trend as it is."""

    attribute_tastes: AttributeTastesConfig = AttributeTastesConfig()
    """Hyper-parameters of attribute tastes."""

    def weight_of(self, level: str) -> float:
        """A of departments, categories or subcategories."""
        return float(getattr(self, f"{level}_weight"))


_LEVELS = ("department", "category", "subcategory")  # from the coarsest


@dataclass(frozen=True)
class Preferences:
    """What is known of the shop, and what shoppers bought; `of` says what that makes of some of them.

    Attributes (S shoppers, I items, G subcategories):

    count: (S, I) float32 lines bought, older ones counting less; it holds what was bought alone, with sorted
        rows.
    subcategory: (I,) int64 code.
    group_share: (G,) float32, p(g) of the shop.
    factors: the low-rank model; None where it is left out.
    levels: for each of `_LEVELS`, (G,) code of each subcategory.
    log_within: (I,) float32, log p(i | g): the item's part.
    log_popularity: (I,) float32, log of p(i) over that of the average item.
    attribute: (I, K) float32, by which p(i | g, s) departs from p(i | g).
    taste: (S, K) float32, tastes for them, theta of `attribute_tastes`; 0 where they are left out.
    trend: (I,) float32, log of what the item's share is multiplied by.
    config: hyper-parameters that it was fitted with.
    """

    count: csr_matrix
    subcategory: np.ndarray
    group_share: np.ndarray
    factors: ShopperFactors | None
    levels: tuple[np.ndarray, ...]
    log_within: np.ndarray
    log_popularity: np.ndarray
    attribute: np.ndarray
    taste: np.ndarray
    trend: np.ndarray
    config: PreferencesConfig

    @staticmethod
    def fit(
        dataset: Dataset,
        weeks: tuple[int, int],
        shoppers: np.ndarray,
        without: Collection[str] = (),
        *,
        config: PreferencesConfig = PreferencesConfig(),
        factors_of: Callable[[csr_matrix, np.ndarray, PreferencesConfig], ShopperFactors] | None = None,
    ) -> Preferences:
        """Count in `weeks`; averages and factors come from `shoppers` (mask), counts are each shopper's own.
        Of shopper_factors, attribute_tastes and trend those `without` are left out. `factors_of` stands in
        place of `fit_factors`."""
        group, tastes = dataset.subcategory_code, config.attribute_tastes
        count, recent = _decayed_lines(dataset, weeks, (config.half_life, config.recent_half_life))
        recent = recent[shoppers]
        sold = np.bincount(recent.indices, recent.data, dataset.n_items)
        popularity = (sold + config.floor) / (sold + config.floor).sum()
        one_hot = one_hot_csr(group)
        group_share = (popularity @ one_hot).astype(np.float32)
        within = popularity / group_share[group]
        attribute = attributes(dataset, weeks, group, popularity, tastes)
        taste = np.zeros((dataset.n_shoppers, attribute.shape[1]), dtype=np.float32)
        if "attribute_tastes" not in without:
            taste = shopper_tastes(attribute, count, group, within, shoppers, tastes)
        factors = None
        if "shopper_factors" not in without:
            factors = (factors_of or fit_factors)(count @ one_hot, shoppers, config)
        found = Preferences(
            count=count,
            subcategory=group,
            group_share=group_share,
            factors=factors,
            levels=tuple(level_of_groups(dataset, group, level) for level in _LEVELS),
            log_within=np.log(within).astype(np.float32),
            log_popularity=np.log(popularity * len(popularity)).astype(np.float32),
            attribute=attribute,
            taste=taste,
            trend=np.zeros(dataset.n_items, dtype=np.float32),
            config=config,
        )
        if "trend" in without:
            return found
        lines, expected = np.asarray(recent.sum(1)).ravel(), np.zeros(dataset.n_items)
        for rows, some in found.blocks(np.flatnonzero(shoppers)):
            expected += some.expected_lines(lines[rows])
        trend = np.log((sold + config.trend_lines) / (expected + config.trend_lines)).astype(np.float32)
        return replace(found, trend=trend)

    def of(self, shoppers: np.ndarray) -> Shares:
        """What `shoppers` (n,) codes like, of so few that a table of them by subcategory is small."""
        return Shares.of(self, shoppers)

    def blocks(self, shoppers: np.ndarray) -> Iterator[tuple[np.ndarray, Shares]]:
        """Places in `shoppers` (n,) codes, and what these like, part by part."""
        for rows in row_blocks(np.arange(len(shoppers)), len(self.group_share)):
            yield rows, self.of(shoppers[rows])

    def known_items(self, size: int, shoppers: np.ndarray | None = None) -> KnownItems:
        """What `shoppers` (mask; by default all) like best, and what else they have bought."""
        (n, n_items), n_groups = self.count.shape, len(self.group_share)
        codes, size = np.arange(n) if shoppers is None else np.flatnonzero(shoppers), min(size, n_items)
        shortlist, log_share = np.tile(np.arange(size), (n, 1)), np.zeros((n, size), dtype=np.float32)
        log_unbought = np.zeros((n, n_groups), dtype=np.float32)
        taste, rest = np.zeros((n, self.attribute.shape[1]), dtype=np.float32), []
        for rows, some in self.blocks(codes):
            who = codes[rows]
            shortlist[who] = some.likeliest(size)
            row = np.arange(len(who))[:, None]
            log_share[who] = some.log_share(row, shortlist[who])
            log_unbought[who], taste[who] = some.log_unbought, some.taste
            row, item = some.pairs
            off = slots_of(shortlist[who], row, item, n_items) < 0
            rest.append((who[row[off]], item[off], some.log_share(row[off], item[off])))
        row, item, told = (np.concatenate(column) for column in zip(*rest, strict=True))
        remembered = csr_matrix((told, (row, item)), (n, n_items))
        return KnownItems(shortlist, log_share, remembered, log_unbought, taste)

    def lines(self, shopper: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Float32 lines of pairs of a shopper and an item, of any shapes that go together."""
        return values_at(self.count, shopper, item)

    def interval(self, shortlist: np.ndarray, weeks: tuple[int, int]) -> np.ndarray:
        """(S, L) float32 days between a shopper's purchases of the items of `shortlist` (S, L), at least
        1."""
        age = np.arange(weeks[1] - weeks[0])
        span = max(7.0 * (0.5 ** (age / self.config.half_life)).sum(), 28.0)
        lines = self.lines(np.arange(len(shortlist))[:, None], shortlist)
        return np.maximum(span / (lines + 1.0), 1.0).astype(np.float32)


@dataclass(frozen=True)
class KnownItems:
    """What S shoppers like best and know; 0, and the first items of all, of those of whom nothing is told.

    Attributes:
        shortlist: (S, L) int64, each one's likeliest items in ascending code order.
        log_share: (S, L) float32, log p(i | s) of these.
        remembered: (S, I) float32, the same of what else was bought, and nothing else.
        log_unbought, taste: as in `Shares`.
    """

    shortlist: np.ndarray
    log_share: np.ndarray
    remembered: csr_matrix
    log_unbought: np.ndarray
    taste: np.ndarray


@dataclass(frozen=True)
class Shares:
    """What n shoppers like. The share of an item never bought is a product of the shopper's part for its
    subcategory, the item's own and the shopper's tastes; what was bought has more (`habit`).

    Attributes:
        shop: the preferences that it is made of.
        log_unbought: (n, G) float32, log of p(g | s) (b + D_sg) / (n_sg + b): the shopper's part.
        taste: (n, K) float32, theta of `attribute_tastes`.
        log_total: (n, G) float32, log Z_sg of `attribute_tastes`.
        habit: (n, I) float32, what having bought an item adds to its log share, and nothing else; rows are
            sorted.
    """

    shop: Preferences
    log_unbought: np.ndarray
    taste: np.ndarray
    log_total: np.ndarray
    habit: csr_matrix

    @staticmethod
    def of(shop: Preferences, shoppers: np.ndarray) -> Shares:
        """Those of `shoppers` (n,) codes."""
        group, config, count = shop.subcategory, shop.config, shop.count[shoppers]
        one_hot = one_hot_csr(group)
        lines = (count @ one_hot).toarray()
        share = np.broadcast_to(shop.group_share, lines.shape)
        if shop.factors is not None:
            share = config.factor_share * shop.factors.shares(shoppers) + (1 - config.factor_share) * share
        for level, of_group in zip(_LEVELS, shop.levels, strict=True):
            share = _nearer(share, lines, of_group, config.weight_of(level))
        capped = csr_matrix(
            (np.minimum(count.data, config.discount), count.indices, count.indptr), count.shape
        )
        new_lines = (capped @ one_hot).toarray() + config.item_weight
        log_unbought = np.log(share * new_lines / (lines + config.item_weight)).astype(np.float32)
        taste = shop.taste[shoppers]
        total = log_total(taste, shop.attribute, group, shop.log_within)
        found = Shares(shop, log_unbought, taste, total, count)
        row, item = found.pairs
        like = new_lines[row, group[item]] * np.exp(found._within(row, item))
        more = np.log1p(np.maximum(count.data - config.discount, 0) / like)
        return replace(found, habit=csr_matrix((more, count.indices, count.indptr), count.shape))

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and item of what was bought, in the order of `habit`."""
        row = np.repeat(np.arange(len(self.taste)), np.diff(self.habit.indptr))
        return row, self.habit.indices.astype(np.int64)

    def _within(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Log p(i | g, s) of pairs of a row and an item, of any shapes that go together."""
        shop = self.shop
        taste = (self.taste[row] * shop.attribute[item]).sum(-1)
        return taste + shop.log_within[item] - self.log_total[row, shop.subcategory[item]]

    def as_if_new(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Float32 log shares of pairs of a row and an item, of any shapes that go together, as if none had
        ever been bought. Trends leave each shopper's sum near 1, and that over all shoppers."""
        group = self.shop.subcategory[item]
        return self.log_unbought[row, group] + self._within(row, item) + self.shop.trend[item]

    def log_share(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Float32 log p(i | s) of pairs of a row and an item, of any shapes that go together."""
        return self.as_if_new(row, item) + values_at(self.habit, row, item)

    def table(self) -> np.ndarray:
        """(n, I) float32 log p(i | s), of so few shoppers that the table is small."""
        shop, group = self.shop, self.shop.subcategory
        table = self.taste @ shop.attribute.T + (shop.log_within + shop.trend)
        table += np.take(self.log_unbought - self.log_total, group, axis=1)
        table[self.pairs] += self.habit.data
        return table

    def log_sum(self) -> np.ndarray:
        """(n,) float64 log of each shopper's sum of shares."""
        shop, own = self.shop, np.exp(self.log_unbought - self.log_total)
        part = exp_sums(self.taste, shop.attribute, shop.log_within + shop.trend, shop.subcategory)
        row, item = self.pairs
        more = np.exp(self.as_if_new(row, item)) * np.expm1(self.habit.data)
        return np.log((own * part).sum(1, dtype=np.float64) + np.bincount(row, more, len(own)))

    def expected_lines(self, lines: np.ndarray) -> np.ndarray:
        """(I,) float64 lines of each item that shares make of each shopper's `lines` (n,), in all."""
        shop, weight = self.shop, lines[:, None] * np.exp(self.log_unbought - self.log_total)
        total = sums_of_items(self.taste, shop.attribute, weight, shop.subcategory)
        total *= np.exp(shop.log_within + shop.trend)
        row, item = self.pairs
        more = lines[row] * np.exp(self.as_if_new(row, item)) * np.expm1(self.habit.data)
        return total + np.bincount(item, more, len(total))

    def likeliest(self, size: int) -> np.ndarray:
        """(n, size) int64, each shopper's likeliest items in ascending code order."""
        shop, (row, item) = self.shop, self.pairs
        told = self.as_if_new(row, item) + self.habit.data
        return best_items(
            csr_matrix((told, self.habit.indices, self.habit.indptr), self.habit.shape),
            self.log_unbought - self.log_total,
            shop.log_within + shop.trend,
            self.taste,
            shop.attribute,
            attribute_range(shop.attribute, shop.subcategory),
            shop.subcategory,
            size,
        )


def fit_factors(lines: csr_matrix, shoppers: np.ndarray, config: PreferencesConfig) -> ShopperFactors:
    """The low-rank model of `lines` (S, G), learned from the rows in the mask `shoppers`."""
    component = fit_components(lines, shoppers, rank=config.factors, steps=config.factor_steps)
    return ShopperFactors.of(lines, shoppers, component, steps=config.factor_steps)


def decay(weeks: tuple[int, int], config: PreferencesConfig = PreferencesConfig()) -> np.ndarray:
    """(n_weeks,) float32 weight of each of `weeks` in preferences; they sum to 1."""
    weight = 0.5 ** (np.arange(weeks[1] - weeks[0])[::-1] / config.half_life)
    return (weight / weight.sum()).astype(np.float32)


def _decayed_lines(
    dataset: Dataset, weeks: tuple[int, int], half_lives: tuple[float, ...]
) -> list[csr_matrix]:
    """(S, I) float32 lines in `weeks`, each halved for every half-life, in weeks, before their end; one table
    a half-life, with sorted rows."""
    rows = visit_rows(dataset, weeks)
    lines, place = lines_of(dataset, rows)
    visits = dataset.visits.iloc[rows]
    age = weeks[1] - 1 - visits["week"].to_numpy()[place]
    flat = visits["shopper"].to_numpy(dtype=np.int64)[place] * dataset.n_items
    flat += dataset.purchases["item"].to_numpy()[lines]
    pair, code = np.unique(flat, return_inverse=True)
    shape, cell = (dataset.n_shoppers, dataset.n_items), np.divmod(pair, dataset.n_items)
    weights = (0.5 ** (age / half_life) for half_life in half_lives)
    counts = (np.bincount(code, weight, len(pair)).astype(np.float32) for weight in weights)
    return [csr_matrix((count, cell), shape) for count in counts]


def level_of_groups(dataset: Dataset, group: np.ndarray, level: str) -> np.ndarray:
    """(G,) code of each subcategory's department, category or own."""
    code = np.zeros(group.max() + 1, dtype=np.int64)
    code[group] = group if level == "subcategory" else pd.factorize(dataset.items[level].astype(str))[0]
    return code


def _nearer(share: np.ndarray, count: np.ndarray, level: np.ndarray, weight: float) -> np.ndarray:
    """`share` (S, G) moved to the shopper's own lines `count` (S, G) by `level` (G,); it weighs as much as
    `weight` lines."""
    one_hot = one_hot_csr(level)
    before, own = share @ one_hot, count @ one_hot
    after = (own + weight * before) / (own.sum(1, keepdims=True) + weight)
    return share * (after / before)[:, level]
