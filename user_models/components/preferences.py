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

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders.likeliest import values_at
from bundlegym.user_models.components.attribute_tastes import (
    AttributeTastesConfig,
    attribute_range,
    attributes,
    fit_attribute_tastes,
    log_total,
)
from bundlegym.user_models.components.shortlists import best_items
from bundlegym.user_models.config import Config, Count, Part, Positive, Share
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
    """Attributes (S shoppers, I items, G subcategories):

    count: (S, I) float32 lines bought, older ones counting less; it holds what was bought alone, with sorted
        rows.
    subcategory: (I,) int64 code.
    log_unbought: (S, G) float32, log of p(g | s) (b + D_sg) / (n_sg + b): a shopper's part of the share of an
        item never bought.
    log_within: (I,) float32, log p(i | g): the item's part.
    log_popularity: (I,) float32, log of p(i) over that of the average item.
    attribute, attribute_taste: (I, K), (S, K) float32, by which p(i | g, s) departs from p(i | g).
    trend: (I,) float32, log of what the item's share is multiplied by.
    config: hyper-parameters that it was fitted with.
    """

    count: csr_matrix
    subcategory: np.ndarray
    log_unbought: np.ndarray
    log_within: np.ndarray
    log_popularity: np.ndarray
    attribute: np.ndarray
    attribute_taste: np.ndarray
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
    ) -> Preferences:
        """Count in `weeks`; averages and factors come from `shoppers` (mask), counts are each shopper's own.
        Of shopper_factors, attribute_tastes and trend those `without` are left out."""
        group = dataset.subcategory_code
        count = _decayed_lines(dataset, weeks, config.half_life)
        recent = _decayed_lines(dataset, weeks, config.recent_half_life)[shoppers]
        sold = np.bincount(recent.indices, recent.data, dataset.n_items)
        popularity = (sold + config.floor) / (sold + config.floor).sum()
        group_share = (popularity @ one_hot_csr(group)).astype(np.float32)
        within, tastes = popularity / group_share[group], config.attribute_tastes
        attribute = attributes(dataset, weeks, group, popularity, tastes)
        attribute_taste = np.zeros((count.shape[0], attribute.shape[1]), dtype=np.float32)
        if "attribute_tastes" not in without:
            attribute_taste = fit_attribute_tastes(attribute, count, group, within, shoppers, tastes)
        found = Preferences(
            count=count,
            subcategory=group,
            log_unbought=_log_unbought(dataset, count, group_share, shoppers, without, config),
            log_within=np.log(within).astype(np.float32),
            log_popularity=np.log(popularity * len(popularity)).astype(np.float32),
            attribute=attribute,
            attribute_taste=attribute_taste,
            trend=np.zeros(dataset.n_items, dtype=np.float32),
            config=config,
        )
        if "trend" in without:
            return found
        expected, known = np.zeros(dataset.n_items, dtype=np.float32), np.flatnonzero(shoppers)
        for rows in row_blocks(np.arange(len(known)), dataset.n_items):
            expected += recent[rows].toarray().sum(1) @ np.exp(found.log_share(known[rows]))
        trend = np.log((sold + config.trend_lines) / (expected + config.trend_lines)).astype(np.float32)
        return replace(found, trend=trend)

    def log_share(self, shoppers: np.ndarray) -> np.ndarray:
        """(n, I) float32, log p(i | s) of `shoppers` (codes), of so few that the table is small. Trends leave
        each one's sum near 1, and that over all shoppers."""
        group, theta, count = self.subcategory, self.attribute_taste[shoppers], self.count[shoppers]
        within = theta @ self.attribute.T + self.log_within
        within -= np.take(self._log_total(shoppers), group, axis=1)
        log_share = np.take(self.log_unbought[shoppers], group, axis=1) + within
        row, item = _pairs(count)
        log_share[row, item] += self._habit(count, row, item, within[row, item])
        log_share += self.trend
        return log_share

    def known_items(self, size: int, shoppers: np.ndarray | None = None) -> KnownItems:
        """The likeliest items of `shoppers` (mask; by default of all), and what else these have bought."""
        (n, n_items), group = self.count.shape, self.subcategory
        size, everyone = min(size, n_items), np.arange(n)
        shortlist, log_share = np.tile(np.arange(size), (n, 1)), np.zeros((n, size), dtype=np.float32)
        part, span, rest = self.log_within + self.trend, attribute_range(self.attribute, group), []
        for some in row_blocks(everyone if shoppers is None else everyone[shoppers], len(span)):
            count, total, theta = self.count[some], self._log_total(some), self.attribute_taste[some]
            row, item = _pairs(count)
            within = self._within(some[row], item, total[row, group[item]])
            habit = self._habit(count, row, item, within)
            told = self.log_unbought[some[row], group[item]] + within + habit + self.trend[item]
            short = best_items(
                csr_matrix((told, count.indices, count.indptr), count.shape),
                self.log_unbought[some] - total, part, theta, self.attribute, span, group, size,
            )  # fmt: skip
            who = np.arange(len(some))[:, None]
            within = self._within(some[who], short, total[who, group[short]])
            of_short = self.log_unbought[some[who], group[short]] + within + self.trend[short]
            listed = (who * n_items + short).ravel()
            key = row * n_items + item
            place = np.searchsorted(listed, key).clip(max=listed.size - 1)
            hit = listed[place] == key
            of_short.ravel()[place[hit]] = told[hit]
            shortlist[some], log_share[some] = short, of_short
            rest.append((some[row[~hit]], item[~hit], told[~hit]))
        row, item, told = (np.concatenate(column) for column in zip(*rest, strict=True))
        return KnownItems(shortlist, log_share, csr_matrix((told, (row, item)), (n, n_items)))

    def _log_total(self, shoppers: np.ndarray) -> np.ndarray:
        """(n, G) float32, log Z of `attribute_tastes` of `shoppers` (codes)."""
        tastes = self.attribute_taste[shoppers]
        return log_total(tastes, self.attribute, self.subcategory, self.log_within)

    def _within(self, shopper: np.ndarray, item: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Float32 log p(i | g, s) of pairs of a shopper and an item, with the `total` of each."""
        taste = (self.attribute_taste[shopper] * self.attribute[item]).sum(-1)
        return taste + self.log_within[item] - total

    def _habit(self, count: csr_matrix, row: np.ndarray, item: np.ndarray, within: np.ndarray) -> np.ndarray:
        """Float32, what having bought an item adds to its log share, of pairs of a row of `count` (n, I) and
        an item that it holds, in their order, with log p(i | g, s) `within`."""
        like = _new_lines(count, self.subcategory, self.config)[row, self.subcategory[item]] * np.exp(within)
        return np.log1p(np.maximum(count.data - self.config.discount, 0) / like)

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
    """Attributes:

    shortlist: (S, L) int64, each shopper's likeliest items in ascending code order; the first items of those
        of whom nothing is told.
    log_share: (S, L) float32, log p(i | s) of these.
    remembered: (S, I) float32, the same of what else was bought, and nothing else.
    """

    shortlist: np.ndarray
    log_share: np.ndarray
    remembered: csr_matrix


def decay(weeks: tuple[int, int], config: PreferencesConfig = PreferencesConfig()) -> np.ndarray:
    """(n_weeks,) float32 weight of each of `weeks` in preferences; they sum to 1."""
    weight = 0.5 ** (np.arange(weeks[1] - weeks[0])[::-1] / config.half_life)
    return (weight / weight.sum()).astype(np.float32)


def _decayed_lines(dataset: Dataset, weeks: tuple[int, int], half_life: float) -> csr_matrix:
    """(S, I) float32 lines in `weeks`, each halved for every `half_life` weeks before their end; rows are
    sorted."""
    rows = visit_rows(dataset, weeks)
    lines, place = lines_of(dataset, rows)
    visits = dataset.visits.iloc[rows]
    age = weeks[1] - 1 - visits["week"].to_numpy()[place]
    flat = visits["shopper"].to_numpy(dtype=np.int64)[place] * dataset.n_items
    flat += dataset.purchases["item"].to_numpy()[lines]
    pair, code = np.unique(flat, return_inverse=True)
    count = np.bincount(code, weights=0.5 ** (age / half_life), minlength=len(pair)).astype(np.float32)
    shape = dataset.n_shoppers, dataset.n_items
    return csr_matrix((count, np.divmod(pair, dataset.n_items)), shape)


def _pairs(count: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Row and item of what a table (n, I) holds, in its order."""
    return np.repeat(np.arange(count.shape[0]), np.diff(count.indptr)), count.indices.astype(np.int64)


def _new_lines(count: csr_matrix, group: np.ndarray, config: PreferencesConfig) -> np.ndarray:
    """(n, G) float32, b + D_sg: how many lines p(i | g, s) weighs as much as, by counts of lines (n, I)."""
    capped = csr_matrix((np.minimum(count.data, config.discount), count.indices, count.indptr), count.shape)
    return (capped @ one_hot_csr(group)).toarray() + config.item_weight


def _log_unbought(
    dataset: Dataset,
    count: csr_matrix,
    group_share: np.ndarray,
    shoppers: np.ndarray,
    without: Collection[str],
    config: PreferencesConfig,
) -> np.ndarray:
    """(S, G) float32; see `Preferences`."""
    group = dataset.subcategory_code
    group_count = count @ one_hot_csr(group)
    if "shopper_factors" not in without:
        low_rank = _low_rank(group_count[shoppers].toarray(), config)
    levels = [(level_of_groups(dataset, group, level), config.weight_of(level)) for level in _LEVELS]
    found = np.empty(group_count.shape, dtype=np.float32)
    for rows in row_blocks(np.arange(len(found)), found.shape[1]):
        lines = group_count[rows].toarray()
        if "shopper_factors" in without:
            share = np.broadcast_to(group_share, lines.shape)
        else:
            share = config.factor_share * low_rank(lines) + (1 - config.factor_share) * group_share
        for of_group, weight in levels:
            share = _nearer(share, lines, of_group, weight)
        new_lines = _new_lines(count[rows], group, config)
        found[rows] = np.log(share * new_lines / (lines + config.item_weight))
    return found


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


def _low_rank(count: np.ndarray, config: PreferencesConfig) -> Callable[[np.ndarray], np.ndarray]:
    """What makes of lines (n, G) shares (n, G) by a few factors, learned from the lines `count` (N, G)."""
    from sklearn.decomposition import NMF  # takes long to import, and only a fit needs it
    from sklearn.exceptions import ConvergenceWarning

    rank = min(config.factors, *(n // 4 for n in count.shape))
    model = NMF(
        max(rank, 1), init="nndsvda", solver="mu", beta_loss="kullback-leibler",
        max_iter=config.factor_steps, random_state=0,
    )  # fmt: skip

    def shares(lines: np.ndarray) -> np.ndarray:
        rate = model.transform(lines) @ model.components_ + 1e-3 * usual
        return (rate / rate.sum(1, keepdims=True)).astype(np.float32)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # further steps hardly change the shares
        model.fit(count)
    usual = count.mean(0)
    return shares
