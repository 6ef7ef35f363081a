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
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.components.attribute_tastes import (
    AttributeTastesConfig,
    attributes,
    fit_attribute_tastes,
    log_sums,
)
from bundlegym.user_models.config import Config, Count, Part, Positive, Share
from bundlegym.user_models.numeric.one_hot import one_hot_csr


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


#: Gives what `low_rank_shares` does.
LowRank = Callable[[np.ndarray, np.ndarray, PreferencesConfig], np.ndarray]

_LEVELS = ("department", "category", "subcategory")  # from the coarsest


@dataclass(frozen=True)
class Preferences:
    """Attributes (S shoppers, I items, G subcategories):

    count: (S, I) float32 lines bought, older ones counting less.
    subcategory: (I,) int64 code.
    log_unbought: (S, G) float32, log of p(g | s) (b + D_sg) / (n_sg + b): a shopper's part of the share of an
        item never bought.
    new_lines: (S, G) float32, b + D_sg: how many lines p(i | g, s) weighs as much as.
    log_within: (I,) float32, log p(i | g): the item's part.
    log_popularity: (I,) float32, log of p(i) over that of the average item.
    attribute, attribute_taste: (I, K), (S, K) float32, by which p(i | g, s) departs from p(i | g).
    trend: (I,) float32, log of what the item's share is multiplied by.
    log_share: (S, I) float32, log p(i | s). Trends leave each one's sum near 1, and that over all shoppers.
    half_life: weeks after which a line of `count` counts half.
    """

    count: np.ndarray
    subcategory: np.ndarray
    log_unbought: np.ndarray
    new_lines: np.ndarray
    log_within: np.ndarray
    log_popularity: np.ndarray
    attribute: np.ndarray
    attribute_taste: np.ndarray
    trend: np.ndarray
    log_share: np.ndarray
    half_life: float

    @staticmethod
    def fit(
        dataset: Dataset,
        weeks: tuple[int, int],
        shoppers: np.ndarray,
        without: Collection[str] = (),
        *,
        config: PreferencesConfig = PreferencesConfig(),
        low_rank: LowRank | None = None,
    ) -> Preferences:
        """Count in `weeks`; averages and factors come from `shoppers` (mask), counts are each shopper's own.
        Of shopper_factors, attribute_tastes and trend those `without` are left out. `low_rank` stands in
        place of `low_rank_shares`."""
        group = dataset.subcategory_code
        count = _decayed_lines(dataset, weeks, config.half_life)
        recent = _decayed_lines(dataset, weeks, config.recent_half_life)[shoppers]
        sold = recent.sum(0, dtype=np.float64)
        popularity = (sold + config.floor) / (sold + config.floor).sum()
        one_hot = one_hot_csr(group)
        group_count, group_share = count @ one_hot, (popularity @ one_hot).astype(np.float32)
        within, tastes = popularity / group_share[group], config.attribute_tastes
        attribute = attributes(dataset, weeks, group, popularity, tastes)
        if "shopper_factors" in without:
            share = np.broadcast_to(group_share, group_count.shape)
        else:
            alike = (low_rank or low_rank_shares)(group_count, shoppers, config)
            share = config.factor_share * alike + (1 - config.factor_share) * group_share
        for level in _LEVELS:
            of_group = level_of_groups(dataset, group, level)
            share = _nearer(share, group_count, of_group, config.weight_of(level))
        new_lines = np.minimum(count, config.discount) @ one_hot + config.item_weight
        log_unbought = np.log(share * new_lines / (group_count + config.item_weight)).astype(np.float32)
        log_within, new_lines = np.log(within).astype(np.float32), new_lines.astype(np.float32)
        attribute_taste = np.zeros((len(count), attribute.shape[1]), dtype=np.float32)
        if "attribute_tastes" not in without:
            attribute_taste = fit_attribute_tastes(attribute, count > 0, group, within, shoppers, tastes)
        log_share = _log_share(
            count, group, log_unbought, new_lines, log_within, attribute, attribute_taste, config.discount
        )
        expected = recent.sum(1) @ np.exp(log_share[shoppers])
        trend = np.log((sold + config.trend_lines) / (expected + config.trend_lines)).astype(np.float32)
        trend *= "trend" not in without
        log_share += trend
        log_popularity = np.log(popularity * len(popularity)).astype(np.float32)
        return Preferences(
            count,
            group,
            log_unbought,
            new_lines,
            log_within,
            log_popularity,
            attribute,
            attribute_taste,
            trend,
            log_share,
            config.half_life,
        )

    def interval(self, shortlist: np.ndarray, weeks: tuple[int, int]) -> np.ndarray:
        """(S, L) float32 days between a shopper's purchases of the items of `shortlist` (S, L), at least
        1."""
        age = np.arange(weeks[1] - weeks[0])
        span = max(7.0 * (0.5 ** (age / self.half_life)).sum(), 28.0)
        return np.maximum(span / (np.take_along_axis(self.count, shortlist, 1) + 1.0), 1.0).astype(np.float32)

    def shortlist(self, size: int) -> np.ndarray:
        """(S, size) int64, each shopper's most likely items in ascending code order."""
        size = min(size, self.log_share.shape[1])
        return np.sort(np.argpartition(-self.log_share, size - 1, axis=1)[:, :size], axis=1).astype(np.int64)


def decay(weeks: tuple[int, int], config: PreferencesConfig = PreferencesConfig()) -> np.ndarray:
    """(n_weeks,) float32 weight of each of `weeks` in preferences; they sum to 1."""
    weight = 0.5 ** (np.arange(weeks[1] - weeks[0])[::-1] / config.half_life)
    return (weight / weight.sum()).astype(np.float32)


def _decayed_lines(dataset: Dataset, weeks: tuple[int, int], half_life: float) -> np.ndarray:
    """(S, I) float32 lines in `weeks`, each halved for every `half_life` weeks before their end."""
    rows = visit_rows(dataset, weeks)
    lines, place = lines_of(dataset, rows)
    visits = dataset.visits.iloc[rows]
    age = weeks[1] - 1 - visits["week"].to_numpy()[place]
    flat = visits["shopper"].to_numpy(dtype=np.int64)[place] * dataset.n_items
    flat += dataset.purchases["item"].to_numpy()[lines]
    size = dataset.n_shoppers * dataset.n_items
    count = np.bincount(flat, weights=0.5 ** (age / half_life), minlength=size)
    return count.astype(np.float32).reshape(dataset.n_shoppers, dataset.n_items)


def _log_share(
    count: np.ndarray,
    group: np.ndarray,
    log_unbought: np.ndarray,
    new_lines: np.ndarray,
    log_within: np.ndarray,
    attribute: np.ndarray,
    attribute_taste: np.ndarray,
    discount: float,
) -> np.ndarray:
    """(S, I) float32, log p(i | s) but for trends; see `Preferences`."""
    within = attribute_taste @ attribute.T + log_within
    within -= log_sums(within, group)[:, group]
    log_share = log_unbought[:, group] + within
    # What having bought the item adds: few have bought any one.
    row, item = np.nonzero(count > discount)
    like = new_lines[row, group[item]] * np.exp(within[row, item])
    log_share[row, item] += np.log1p((count[row, item] - discount) / like)
    return log_share


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


def low_rank_shares(count: np.ndarray, shoppers: np.ndarray, config: PreferencesConfig) -> np.ndarray:
    """(S, G) shares by a few factors learned from the rows in the mask `shoppers` of lines `count` (S, G)."""
    from sklearn.decomposition import NMF  # takes long to import, and only a fit needs it
    from sklearn.exceptions import ConvergenceWarning

    rank = min(config.factors, *(n // 4 for n in count[shoppers].shape))
    model = NMF(
        max(rank, 1), init="nndsvda", solver="mu", beta_loss="kullback-leibler",
        max_iter=config.factor_steps, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # further steps hardly change the shares
        model.fit(count[shoppers])
        weight = model.transform(np.ascontiguousarray(count))  # else copied at each step
    rate = weight @ model.components_ + 1e-3 * count[shoppers].mean(0)
    return (rate / rate.sum(1, keepdims=True)).astype(np.float32)
