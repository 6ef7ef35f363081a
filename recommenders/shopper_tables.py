"""What a shop reads off the purchases of shoppers before a visit: the one place where these rules stand.

The market of a simulation has it of the log's shoppers as of the training weeks; offers outside the simulator
have it of anybody, as of any day. Everything is numpy, so that it needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bundlegym.data import Dataset
from bundlegym.recommenders.dirichlet_shares import PersonalFrequency, ShopAverages, counted, likeliest
from bundlegym.recommenders.likeliest import likeliest_items, values_at
from bundlegym.recommenders.profile import DealAverages, deal_averages, deal_counts, is_deal, own_intervals
from bundlegym.recommenders.recency import NEVER

SHOPPER_FEATURES = ("visits", "lines_per_visit", "deal_share")
#: Spread of the noise in retrieval: it lets items outside the top K become candidates on some visits.
RETRIEVAL_NOISE = 0.5


@dataclass(frozen=True)
class ShopperTables:
    """Of n shoppers with L shortlisted items each.

    Attributes:
        shortlist: (n, L) int64, ascending item codes; only these become candidates.
        retrieval_penalty: (n, L) exp((best score - score) / noise).
        log_share: (n, L) log of the shopper's share of purchase lines, shrunk to the shop's.
        interval: (n, L) days between purchases.
        shopper_features: (n, F) standardised; names in `SHOPPER_FEATURES`.
    """

    shortlist: np.ndarray
    retrieval_penalty: np.ndarray
    log_share: np.ndarray
    interval: np.ndarray
    shopper_features: np.ndarray


@dataclass(frozen=True)
class Purchases:
    """Lines of n shoppers in any order, each item once a visit; (P,) int64 each.

    Attributes:
        shopper: in 0..n-1.
        visit: codes that tell a shopper's visits apart.
        item: codes of the catalogue.
        day: since the first day of the log's week 0.
    """

    shopper: np.ndarray
    visit: np.ndarray
    item: np.ndarray
    day: np.ndarray

    @staticmethod
    def of(dataset: Dataset) -> Purchases:
        """Those of the log's shoppers."""
        visit = dataset.purchases["visit"].to_numpy(np.int64)
        shopper, day = (dataset.visits[name].to_numpy(np.int64)[visit] for name in ("shopper", "day"))
        return Purchases(shopper, visit, dataset.purchases["item"].to_numpy(np.int64), day)

    def joined(self, more: Purchases) -> Purchases:
        """These lines, then others."""
        parts = zip(vars(self).values(), vars(more).values(), strict=True)
        return Purchases(*(np.concatenate(part) for part in parts)) if len(more.item) else self

    def where(self, rows: np.ndarray) -> Purchases:
        """The lines of a mask (P,), or by their numbers."""
        return Purchases(self.shopper[rows], self.visit[rows], self.item[rows], self.day[rows])


@dataclass(frozen=True)
class ShopperRule:
    """How tables are made of counts: what the training weeks say of all shoppers together.

    Attributes:
        averages: of shares of purchase lines.
        deals: of lines bought on deal.
        mean, spread: of each of `SHOPPER_FEATURES` over the log's shoppers, as numpy scalars.
        weeks: how many weeks of purchases are counted.
        size: items on a shortlist.
        cut: (W, I) bool, which items the shelf asked less than the list price for in which weeks.
    """

    averages: ShopAverages
    deals: DealAverages
    mean: tuple[np.floating, ...]
    spread: tuple[np.floating, ...]
    weeks: int
    size: int
    cut: np.ndarray

    @staticmethod
    def of(dataset: Dataset, weeks: tuple[int, int], taste: PersonalFrequency, size: int) -> ShopperRule:
        """The rule of the training weeks."""
        in_train = dataset.visits["week"].between(weeks[0], weeks[1] - 1)
        visits = np.bincount(dataset.visits["shopper"][in_train], minlength=dataset.n_shoppers)
        deals, lines = deal_counts(dataset, weeks)
        averages = deal_averages(deals, lines, ~dataset.split.held_out)
        columns = _columns(visits, lines.astype(np.float32), averages.share(deals, lines))
        item, week = np.arange(dataset.n_items), np.arange(dataset.n_weeks)[:, None]
        return ShopperRule(
            averages=taste.averages,
            deals=averages,
            mean=tuple(c.mean() for c in columns),
            spread=tuple(np.maximum(c.std(), 1e-6) for c in columns),
            weeks=weeks[1] - weeks[0],
            size=size,
            cut=is_deal(dataset, item, week),
        )

    def tables(
        self,
        counts: sparse.csr_matrix,
        visits: np.ndarray,
        deals: np.ndarray,
        *,
        chosen: tuple[np.ndarray, np.ndarray] | None = None,
        excluded: np.ndarray | None = None,
    ) -> ShopperTables:
        """The tables of n shoppers.

        Args:
            counts: (n, n_items) float32 purchase lines in `weeks`, rows sorted.
            visits, deals: (n,) visits and lines on deal in `weeks`.
            chosen: items (n, L), ascending, and scores on a log scale in place of the greatest shares.
            excluded: (n, n_items) bool, or (n_items,): what stands on no shortlist.
        """
        if chosen is None:
            size = most_allowed(excluded, counts.shape[1], self.size)
            shortlist = likeliest_items(self.averages, counts, size, excluded)
        else:
            shortlist = chosen[0]
        row = np.arange(len(shortlist))[:, None]
        own = values_at(counts, row, shortlist)
        log_share = self.averages.log_shares(own, row, shortlist, self.averages.lines_by_category(counts))
        score = log_share if chosen is None else chosen[1]
        lines = np.asarray(counts.sum(1)).ravel()
        columns = _columns(visits, lines, self.deals.share(deals, lines))
        features = [(c - m) / s for c, m, s in zip(columns, self.mean, self.spread, strict=True)]
        return ShopperTables(
            shortlist=shortlist,
            retrieval_penalty=np.exp(
                ((score.max(1, keepdims=True) - score) / RETRIEVAL_NOISE).clip(max=80.0)
            ),
            log_share=log_share,
            interval=own_intervals(own, (0, self.weeks)),
            shopper_features=np.stack(features, 1),
        )

    def as_of(
        self,
        purchases: Purchases,
        n: int,
        day: int,
        *,
        chosen: tuple[np.ndarray, np.ndarray] | None = None,
        score: np.ndarray | None = None,
        excluded: np.ndarray | None = None,
    ) -> tuple[ShopperTables, np.ndarray]:
        """The tables of n shoppers by their purchases before `day`: of the last `weeks` weeks; and (n, L)
        int16, the day on which each shortlisted item was last bought, or -1 for never, by all of them.

        Args:
            chosen, excluded: as in `tables`.
            score: (n, n_items) of a recommender, on a log scale, in place of the shares of purchase lines.
        """
        shape = n, self.cut.shape[1]
        purchases = purchases.where((purchases.day < day) & (purchases.shopper < n))
        recent = purchases.where(purchases.day >= day - 7 * self.weeks)
        week = (recent.day // 7).clip(0, len(self.cut) - 1)
        key = recent.shopper * (recent.visit.max(initial=0) + 1) + recent.visit
        visits = np.unique(key, return_index=True)[1]
        if score is not None:
            chosen = _best(score, excluded, self.size)
        tables = self.tables(
            counted(recent.shopper, recent.item, shape),
            np.bincount(recent.shopper[visits], minlength=n),
            np.bincount(recent.shopper, weights=self.cut[week, recent.item], minlength=n),
            chosen=chosen,
            excluded=excluded,
        )
        return tables, last_bought(purchases, tables.shortlist, shape[1])


def last_bought(purchases: Purchases, shortlist: np.ndarray, n_items: int) -> np.ndarray:
    """(n, L) int16, the day on which each item of a shortlist (n, L) was last bought, or NEVER."""
    key, place = np.unique(purchases.shopper * n_items + purchases.item, return_inverse=True)
    day = np.full(len(key), NEVER, dtype=np.int16)
    np.maximum.at(day, place, purchases.day.astype(np.int16))
    start = np.searchsorted(key, np.arange(len(shortlist) + 1) * n_items)
    table = sparse.csr_matrix((day, key % n_items, start), (len(shortlist), n_items))
    return values_at(table, np.arange(len(shortlist))[:, None], shortlist, NEVER)


def most_allowed(excluded: np.ndarray | None, n_items: int, size: int) -> int:
    """The most items, up to `size`, that each shopper has left where `excluded` ones, (n, n_items) or
    (n_items,), are not looked at."""
    if excluded is None:
        return min(size, n_items)
    return min(size, int((~np.atleast_2d(excluded)).sum(1).min(initial=size)))


def allowed(score: np.ndarray, excluded: np.ndarray | None, size: int) -> tuple[np.ndarray, int]:
    """Scores (n, n_items) with minus infinity where `excluded`, and the most items that each of the n
    shoppers has left, up to `size`."""
    if excluded is None:
        return score, size
    return np.where(excluded, -np.inf, score), most_allowed(excluded, score.shape[1], size)


def by_rank(scores: np.ndarray) -> np.ndarray:
    """(n, L) float32: the item of rank r in its row has the score -log r (Zipf's law), since the scales of
    recommenders differ."""
    rank = np.argsort(np.argsort(-scores, 1, kind="stable"), 1) + 1
    return -np.log(rank).astype(np.float32)


def _best(score: np.ndarray, excluded: np.ndarray | None, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Items (n, L) and their scores by rank."""
    items = likeliest(*allowed(score, excluded, size))
    return items, by_rank(np.take_along_axis(score, items, 1))


def _columns(visits: np.ndarray, lines: np.ndarray, deal_share: np.ndarray) -> list[np.ndarray]:
    """Each of `SHOPPER_FEATURES`, (n,), before it is standardised."""
    return [np.log1p(visits), np.log((lines + 40) / (visits + 5)), deal_share]
