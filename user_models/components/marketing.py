"""Features of shoppers, items and weeks that a `ChoiceShopper` is fitted on and looks up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.data.support import deepest_discount
from bundlegym.errors import UserError
from bundlegym.user_models.components.preferences import PreferencesConfig, decay
from bundlegym.user_models.config import Config, Share
from bundlegym.user_models.numeric.row_blocks import row_blocks

#: Edges of (days since last bought) / (the shopper's own interval). Bin 0 is "never bought", 1 "today".
GAP_EDGES = (1e-6, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0)
#: Edges of an item's lines as preferences count them, between classes of familiarity; class 0 is "none".
FAMILIAR_EDGES = (0.0, 1.0, 2.0, 4.0, 8.0)
#: Classes of familiarity of what is off the shortlist: never bought, and bought all the same.
NEW, ONCE = 0, 1


@dataclass(frozen=True)
class MarketingConfig(Config):
    """Hyper-parameters of `Marketing`."""

    steady_share: Share = 0.9
    """Share of the weeks with a sale from which on an item is sold steadily: of other items the log shows
    the price only when they sell."""


@dataclass(frozen=True)
class Marketing:
    """What the shop did, (n_weeks, n_items) float32 each, less the item's mean over some weeks:
    `log_discount` is log(list price / shelf price), at most that of the deepest discount that some weeks
    know well (what is cheaper still is seldom a promotion, but a price for others, or what is left of an item
    that the shop gives up), `display` and `mailer` shares of stores, `competitor_discount` the mean
    log_discount of the other items of the subcategory that are sold steadily."""

    log_discount: np.ndarray
    display: np.ndarray
    mailer: np.ndarray
    competitor_discount: np.ndarray

    @staticmethod
    def of(
        dataset: Dataset,
        weeks: tuple[int, int],
        *,
        known: tuple[int, int] | None = None,
        config: MarketingConfig = MarketingConfig(),
        preferences: PreferencesConfig = PreferencesConfig(),
    ) -> Marketing:
        """Less the means over `weeks`, which count as much as in preferences; the weeks `known`, by default
        the same, say how deep a discount is known.

        Raises:
            UserError: a price is none.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            log_discount = np.log(dataset.list_price / dataset.shelf_price)
        if not (finite := np.isfinite(log_discount).all(1)).all():
            item = dataset.items["item"].iloc[int(finite.argmin())]
            raise UserError(f"{dataset.name}: a list or shelf price of item {item} is 0 or not finite")
        deepest = np.float32(-np.log1p(-deepest_discount(dataset, known or weeks)))
        log_discount = np.minimum(log_discount, deepest)
        competitor_discount = mean_of_others(
            log_discount, dataset.subcategory_code, steadily_sold(dataset, weeks, config)
        )
        tables = (log_discount, dataset.display, dataset.mailer, competitor_discount)
        weight = decay(weeks, preferences)
        return Marketing(*((t - (t[:, slice(*weeks)] @ weight)[:, None]).T.copy() for t in tables))


def mean_of_others(table: np.ndarray, group: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(n_items, T) float32 mean of the rows of the other items of each item's group (n_items,) that are
    `counted` (mask); 0 where there is none."""
    total = np.zeros((group.max() + 1, table.shape[1]))
    np.add.at(total, group[counted], table[counted])
    others = (np.bincount(group[counted], minlength=len(total))[group] - counted)[:, None]
    found = np.empty(table.shape, dtype=np.float32)
    for rows in row_blocks(np.arange(len(table)), table.shape[1]):
        mean = (total[group[rows]] - counted[rows, None] * table[rows]) / np.maximum(others[rows], 1)
        found[rows] = np.where(others[rows] > 0, mean, 0.0)
    return found


def recency_bins(day: Tensor, last: Tensor, interval: Tensor) -> Tensor:
    """(N, L) int64 bins of time since last bought: day (N,), last (N, L; -1 never), interval (N, L)."""
    ratio = (day[:, None] - last) / interval
    bins = torch.bucketize(ratio, torch.tensor(GAP_EDGES, device=ratio.device)) + 1
    return torch.where(last < 0, 0, bins)


def subcategory_recency_bins(day: Tensor, last: Tensor, interval: Tensor, subcategory: Tensor) -> Tensor:
    """As `recency_bins`, of the time since anything of an item's `subcategory` (N, L) on the shortlist was
    last bought, over the shopper's interval between such purchases."""
    n_groups = int(subcategory.max()) + 1
    often = torch.zeros(len(day), n_groups, device=day.device).scatter_add(1, subcategory, 1 / interval)
    never = torch.full((len(day), n_groups), -1, device=day.device)
    latest = never.scatter_reduce(1, subcategory, last.long(), "amax")
    return recency_bins(day, latest.gather(1, subcategory), 1 / often.gather(1, subcategory))


def familiarity(lines: np.ndarray) -> np.ndarray:
    """Int8 classes of familiarity of items of which a shopper has bought so many `lines`, as `Preferences`
    count them.

    A favourite is bought again when it is used up. Of an item bought once, another purchase soon after says
    that it is liked: what the time since last bought does differs by class. So does the sensitivity to
    promotions, which tell most to shoppers who do not know the item.
    """
    return np.searchsorted(FAMILIAR_EDGES, lines).astype(np.int8)


def steadily_sold(
    dataset: Dataset, weeks: tuple[int, int], config: MarketingConfig = MarketingConfig()
) -> np.ndarray:
    """(n_items,) bool: sold in a share `steady_share` of `weeks` or more. Of other items the log shows the
    price only in weeks with a sale; promotions that sold nothing are missing, and their price response looks
    too strong."""
    lines, place = lines_of(dataset, rows := visit_rows(dataset, weeks))
    sold = np.zeros((dataset.n_items, weeks[1]), dtype=bool)
    sold[dataset.purchases["item"].to_numpy()[lines], dataset.visits["week"].to_numpy()[rows][place]] = True
    return sold[:, weeks[0] :].mean(1) >= config.steady_share
