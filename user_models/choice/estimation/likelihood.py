"""How likely the baskets of a log are by the coefficients of a `ChoiceShopper`: which items a basket of n
lines holds, given the shopper.

The likelihood is multinomial over the whole catalogue but what else the basket holds. Price, display and
mailer enter as departures from the item's own mean over the weeks of preferences, since these count what the
usual price and promotions brought.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders.profile import deal_share
from bundlegym.recommenders.recency import last_bought_at_visits
from bundlegym.user_models.choice.estimation.trial_tables import trials_at_visits
from bundlegym.user_models.choice.reference.recent_trials import by_item, fading
from bundlegym.user_models.components.basket_size import GAP_EDGES as SIZE_GAP_EDGES
from bundlegym.user_models.components.marketing import (
    NEW,
    ONCE,
    Marketing,
    MarketingConfig,
    familiarity,
    recency_bins,
    steadily_sold,
    subcategory_recency_bins,
)
from bundlegym.user_models.components.preferences import Preferences, PreferencesConfig
from bundlegym.user_models.numeric.ragged import expand_ranges

_TOGETHER = 4096  # visits


@dataclass(frozen=True)
class Free:
    """What is fitted, each a tensor with a gradient: as in `Coefficients`, and

    known: () common to all that was bought; recency and known make that of `Coefficients` (`recency_table`).
    price_department: (D,) added to price, (), before softplus makes slopes of it; price_unsteady: () of items
        that are not sold steadily; promotion_sensitivity: (F,) its log.
    season: (W, n) what befell a department in each week.
    own_trend: (I,) an item's trend since its preference was counted.
    """

    preference: Tensor
    known: Tensor
    recency: Tensor
    recency_of_subcategory: Tensor
    memory: Tensor
    trial: Tensor
    trial_popularity: Tensor
    trial_fade: Tensor
    price: Tensor
    price_department: Tensor
    price_by_deal_share: Tensor
    competitor_discount: Tensor
    display: Tensor
    mailer: Tensor
    display_unsteady: Tensor
    mailer_unsteady: Tensor
    promotion_sensitivity: Tensor
    recency_of_new: Tensor
    season: Tensor
    own_trend: Tensor
    price_unsteady: Tensor


@dataclass(frozen=True)
class ChoiceData:
    """V visits to explain, P lines bought at them, S shoppers who make them, L shortlisted items, W weeks, I
    items:

    shopper, week, gap: (V,) int64, place among the S, week counted from the first of W, class of days since
        the last visit.
    line, line_item, line_class: (V + 1,) where the lines of each visit begin, (P,) their items, and classes
        of familiarity, int64.
    shortlist, familiar: (S, L) int64 items and their classes of familiarity.
    recency_bin, subcategory_bin: (V, L) uint8 time since it, and its subcategory, was last bought.
    known: (S, I) bool, bought in the weeks of preferences.
    remembered, remembered_item: (S + 1,), (M,) int64 what of this is off the shortlist, as `line`.
    recent_trials: (V, TRIALS) as in `trials_at_visits`.
    deal: (S,) as in `deal_share`.
    log_share: (S, I) of preferences; log_popularity: (I,).
    department, season: (I,) int64, the second the group of items with which an item's demand moves by week;
    steady: (I,) bool, sold steadily.
    marketing: (W, I) each.
    """

    shopper: Tensor
    week: Tensor
    gap: Tensor
    line: Tensor
    line_item: Tensor
    line_class: Tensor
    shortlist: Tensor
    familiar: Tensor
    recency_bin: Tensor
    subcategory_bin: Tensor
    known: Tensor
    remembered: Tensor
    remembered_item: Tensor
    recent_trials: Tensor
    deal: Tensor
    log_share: Tensor
    log_popularity: Tensor
    department: Tensor
    season: Tensor
    steady: Tensor
    log_discount: Tensor
    display: Tensor
    mailer: Tensor
    competitor_discount: Tensor

    @staticmethod
    def of(
        dataset: Dataset,
        weeks: tuple[int, int],
        cut: int,
        shoppers: np.ndarray,
        shortlist_size: int,
        without: Collection[str] = (),
        *,
        preferences: PreferencesConfig = PreferencesConfig(),
        marketing: MarketingConfig = MarketingConfig(),
    ) -> ChoiceData:
        """Visits of `shoppers` (mask) in `weeks` from `cut` on, by preferences counted before; `requirements`
        says how many there must be."""
        before, end = (weeks[0], cut), weeks[1]
        rows = visit_rows(dataset, (cut, end), shoppers)
        rows = rows[np.unique(lines_of(dataset, rows)[1])]  # a part of a catalogue leaves visits without any
        liking = Preferences.fit(dataset, before, shoppers, without, config=preferences)
        own = liking.known_items(shortlist_size, shoppers)
        mine, shortlist = np.flatnonzero(shoppers), own.shortlist
        since = dataset.visits.groupby("shopper")["day"].diff().fillna(SIZE_GAP_EDGES[-1]).to_numpy()[rows]
        shopper, week, day = (
            dataset.visits[name].to_numpy()[rows].astype(np.int64) for name in ("shopper", "week", "day")
        )
        lines, place = lines_of(dataset, rows)
        item = dataset.purchases["item"].to_numpy()[lines].astype(np.int64)
        remembered = own.remembered[mine]
        tables = Marketing.of(dataset, before, known=weeks, config=marketing, preferences=preferences)
        own_days = (
            torch.from_numpy(day),
            torch.from_numpy(last_bought_at_visits(dataset, shortlist, rows)),
            torch.from_numpy(liking.interval(shortlist, before)[shopper]),
        )
        group = torch.from_numpy(liking.subcategory[shortlist])
        arrays = {
            "shopper": np.searchsorted(mine, shopper),
            "week": week - cut,
            "gap": np.digitize(since, SIZE_GAP_EDGES),
            "line": np.searchsorted(place, np.arange(len(rows) + 1)),
            "line_item": item,
            "line_class": familiarity(liking.lines(shopper[place], item)).astype(np.int64),
            "shortlist": shortlist[mine],
            "familiar": familiarity(liking.lines(mine[:, None], shortlist[mine])).astype(np.int64),
            "recency_bin": recency_bins(*own_days).to(torch.uint8).numpy(),
            "subcategory_bin": _subcategory_bins(*own_days, group, torch.from_numpy(shopper)).numpy(),
            "known": liking.count[mine].toarray() > 0,
            "remembered": remembered.indptr.astype(np.int64),
            "remembered_item": remembered.indices.astype(np.int64),
            "recent_trials": trials_at_visits(dataset, shortlist, rows, cut),
            "deal": deal_share(dataset, before, shoppers)[mine],
            "log_share": liking.of(mine).table(),
            "log_popularity": liking.log_popularity,
            "department": dataset.department_code,
            "season": dataset.department_code,
            "steady": steadily_sold(dataset, weeks, marketing),
            **{name: table[cut:end] for name, table in vars(tables).items()},
        }
        return ChoiceData(**{name: torch.from_numpy(value) for name, value in arrays.items()})

    def lines(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """(P,) row in `batch` and item of each line of some visits."""
        row, place = _lists(self.line, batch)
        return row, self.line_item[place]


def log_rates(data: ChoiceData, params: Free, batch: Tensor) -> Tensor:
    """(N, I) log rates at the visits `batch` (N,), up to what all items of a visit have in common; `params`
    are those that are fitted.

    A table of visits and items is large and takes long to read. So what follows from the week is made by
    week and spread by one product, and what some items have beside is added at their places.
    """
    shopper, week = data.shopper[batch], data.week[batch]
    promotion, sensitivity = _promotion(data, params), torch.exp(params.promotion_sensitivity)
    slope = softplus(params.price + params.price_department)[data.department]
    slope = torch.where(data.steady, slope, softplus(params.price_unsteady))
    common = sensitivity[NEW] * promotion + params.own_trend + params.season.index_select(1, data.season)
    by_week = torch.cat([common, data.log_discount * slope])
    in_week = one_hot(week, len(promotion)).float()
    deal = torch.exp(params.price_by_deal_share * data.deal[shopper])
    spread = torch.cat([in_week, deal[:, None] * in_week], 1)
    utility = (params.preference * data.log_share.index_select(0, shopper)).addmm_(spread, by_week)
    row, item, own = _own(data, params, batch, promotion)
    return utility.view(-1).index_add(0, row * utility.shape[1] + item, own).view(utility.shape)


def negative_log_likelihood(utility: Tensor, row: Tensor, item: Tensor) -> Tensor:
    """() sum over lines of -log of the item's share among all items that are not otherwise in the basket: an
    item is bought once a visit, so what is held already is no alternative."""
    log_share = _at(utility.log_softmax(1), row, item)
    held = torch.zeros(len(utility)).index_add(0, row, log_share.exp())
    others = (held[row] - log_share.exp()).clamp(max=0.95)
    return (torch.log1p(-others) - log_share).sum()


def recency_table(params: Free) -> Tensor:
    """(n_classes, n_bins) by familiarity and time since last bought; never bought is the reference. What is
    common to all that was bought is a number of its own, which few steps move far enough."""
    return torch.cat([torch.zeros(len(params.recency), 1), params.known + params.recency[:, 1:]], 1)


def _promotion(data: ChoiceData, params: Free) -> Tensor:
    """(W, I) what display, mailer and other items' prices add to the utility of the mean line."""
    promotion = params.competitor_discount * data.competitor_discount
    for steady, unsteady, table in (
        (params.display, params.display_unsteady, data.display),
        (params.mailer, params.mailer_unsteady, data.mailer),
    ):
        promotion = promotion + torch.where(data.steady, steady, unsteady) * table
    return promotion


def _own(data: ChoiceData, params: Free, batch: Tensor, promotion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row in `batch`, item, and what is added to the log rate, of what is shortlisted, remembered or
    tried of late; an item may occur twice. `promotion` as in `_promotion`."""
    shopper, week = data.shopper[batch], data.week[batch]
    sensitivity = torch.exp(params.promotion_sensitivity)
    beside, less = sensitivity - sensitivity[NEW], params.recency_of_new[data.gap[batch]]

    def not_new(row: Tensor, item: Tensor, class_: Tensor) -> Tensor:
        """What is new is most of the shop, so what differs is told of the rest: shares are the same."""
        effect = _at(promotion, week[row], item) * beside.index_select(0, class_)
        return effect - less.index_select(0, row)

    short, class_ = data.shortlist[shopper], data.familiar[shopper].flatten()
    short_row = torch.repeat_interleave(torch.arange(len(batch)), short.shape[1])
    short_item = short.flatten()
    own = _at(recency_table(params), class_, data.recency_bin[batch].flatten())
    own = own + params.recency_of_subcategory.index_select(0, data.subcategory_bin[batch].flatten().int())
    own = own + not_new(short_row, short_item, class_)

    row, place = _lists(data.remembered, shopper)
    item = data.remembered_item[place]
    again = params.memory + not_new(row, item, torch.full_like(row, ONCE))

    each = torch.exp(params.trial + params.trial_popularity * data.log_popularity)
    tried_row, tried_item, more = by_item(
        data.recent_trials[batch], each, fading(torch.exp(params.trial_fade))
    )
    who = shopper[tried_row]
    # What is remembered is told above.
    known = data.known[who, tried_item]
    alone = params.preference * data.log_share[who, tried_item] + params.memory * known
    gained = softplus(torch.log(more) - alone)  # to `alone`, when rates are added
    gained = gained + not_new(tried_row, tried_item, torch.full_like(tried_row, ONCE)) * ~known
    return (
        torch.cat([short_row, row, tried_row]),
        torch.cat([short_item, item, tried_item]),
        torch.cat([own, again, gained]),
    )


def _subcategory_bins(
    day: Tensor, last: Tensor, interval: Tensor, subcategory: Tensor, shopper: Tensor
) -> Tensor:
    """(V, L) uint8 `subcategory_recency_bins`, `subcategory` (S, L), some visits at a time: a table of visits
    and subcategories is large."""
    found = [
        subcategory_recency_bins(day[part], last[part], interval[part], subcategory[shopper[part]]).to(
            torch.uint8
        )
        for part in torch.arange(len(day)).split(_TOGETHER)
    ]
    return torch.cat(found)


def _lists(start: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """(M,) row in `which` (N,) and place of all that is on some of the lists which begin at `start`."""
    return expand_ranges(start[which], start[which + 1] - start[which])


def _at(table: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """(M,) `table[row, column]`, whose gradient takes a fraction of the time when it is asked for so."""
    return table.reshape(-1).index_select(0, row * table.shape[1] + column)
