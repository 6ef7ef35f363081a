"""The arrays that the compiled path of a `ChoiceShopper` reads."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bundlegym.compiling import njit
from bundlegym.numba_struct import Struct, as_struct
from bundlegym.user_models.choice.compiled.prefetch import LINE
from bundlegym.user_models.choice.parameters import ChoiceParameters

#: Columns of `Tables.week_effects`.
PRICE_EFFECT, PROMOTION_EFFECT = range(2)
#: Missions that are gone through at once.
TOGETHER = 4
#: Columns of `Tables.prices`.
LOG_DISCOUNT, SHELF_PRICE = range(2)
#: Bytes above which a table is not copied.
_LARGE = 2**28


class Tables(NamedTuple):
    """Arrays of `ChoiceParameters` by their names, none of them without a dimension, and others made of them
    that save searching: see `tables_of`."""

    shortlist: Any
    log_preference: Any
    familiarity: Any
    purchase_interval: Any
    recency: Any
    recency_of_subcategory: Any
    price_sensitivity: Any
    sensitivity_class: Any
    price_slope: Any
    category: Any
    subcategory: Any
    log_within: Any
    attribute: Any
    attribute_range: Any
    attribute_taste: Any
    attribute_log_total: Any
    tail_weight: Any
    tail_attraction: Any
    tail_cdf: Any
    tail_item: Any
    product_line: Any
    product_line_start: Any
    follow_prob: Any
    memory_rate: Any
    memory_start: Any
    memory_cdf: Any
    memory_item: Any
    trial_weight: Any
    trial_fading: Any
    promotion_sensitivity: Any
    recency_of_new: Any
    mission_spread: Any
    category_level: Any
    mission_scale: Any
    synergy: Any
    log_gap_factor: Any
    usual_log_size: Any
    size_cdf: Any
    log_size_rate: Any
    visit_rate: Any
    weekday: Any
    same_day_prob: Any
    irregularity: Any
    hazard_day: Any
    hazard_ratio: Any
    hazard_irregular: Any
    hazard_own: Any
    hazard_weekday: Any
    hazard_level: Any
    frailty: Any
    log_units: Any
    units_edges: Any
    units_support: Any
    units_cdf: Any
    log_units_factor: Any
    regular_quantity: Any
    quantity_by_size: Any
    log_units_slope: Any
    habit_prob: Any
    wear_out: Any
    substitution: Any
    campaign_member: Any
    campaign_week: Any
    coupon_utility: Any
    week_effects: Any
    prices: Any
    short_category: Any
    short_subcategory: Any
    size_factor: Any
    explore_factor: Any
    explore_spread: Any
    missions: Any
    spread_category: Any
    by_category: Any
    subcategory_place: Any
    category_start: Any
    subcategory_start: Any


class LogHistory(NamedTuple):
    """What `log_history` reads, arrays of `ChoiceParameters` by their names: too large to be copied."""

    last_visit: Any
    last_size_class: Any
    last_bought: Any
    recent_trials: Any
    first_trial_week: Any


@njit()
def _make(parts: Tables | LogHistory) -> Any:
    return Struct(parts)


class Structs:
    """Parameters on the CPU as compiled code takes them, made when they are first asked for, and never kept
    in a file; models of the same parameters share them.

    Attributes:
        tables: `Tables`, as one struct.
        history: `LogHistory`, as one struct.
    """

    def __init__(self, params: ChoiceParameters) -> None:
        self._params = params

    @cached_property
    def tables(self) -> Any:
        return as_struct(tables_of(self._params), _make)

    @cached_property
    def history(self) -> Any:
        return as_struct(history_of(self._params), _make)

    def __getstate__(self) -> dict[str, Any]:
        return {"_params": self._params}


def history_of(params: ChoiceParameters) -> LogHistory:
    """`LogHistory` of parameters on the CPU."""
    leaves = dict(params.leaves())
    return LogHistory(*(np.ascontiguousarray(leaves[name].numpy()) for name in LogHistory._fields))


def tables_of(params: ChoiceParameters) -> Tables:
    """`Tables` of parameters on the CPU, and beside them: `week_effects` and `prices` (W, I, 2)
    what a week has in store for each item; `short_category` (S, L) of the shortlist, `short_subcategory`
    (S, L) the place of its subcategory among those by category; `size_factor` (K, G + 1) exp of
    `size_constants`, `explore_factor` (K,) of `explore_level`; `missions` (R, C) mission loadings and, to go
    through them `TOGETHER`, rows of 0, `spread_category` the categories with a spread beyond; `by_category`
    (G,) subcategories by category, `subcategory_place` (G,) each one's place among them, `category_start`
    (C + 1,) where each category begins among them, `subcategory_start` (G + 1,) where each subcategory's
    items begin in `tail_item`. The columns of `tail_weight`, `tail_attraction` and `size_factor` are by
    category too; what is remembered comes last."""
    arrays = {name: value.numpy() for name, value in params.leaves()}
    of_subcategory = params.catalogue.category_of_subcategory.numpy()[:-1]
    loading, spread = params.missions.mission_loading.numpy(), params.missions.mission_spread.numpy()
    subcategory, shortlist = params.catalogue.subcategory.numpy(), params.shortlists.shortlist.numpy()
    order = np.argsort(of_subcategory, kind="stable")
    columns, place = np.append(order, len(order)), np.argsort(order)
    constants = np.pad(params.size_constants.size_constants.numpy(), ((0, 0), (0, 1)))
    marketing = params.marketing
    made = {
        "tail_weight": params.long_tail.tail_weight.numpy()[:, columns],
        "tail_attraction": params.long_tail.tail_attraction.numpy()[:, columns],
        "week_effects": np.stack([marketing.price_effect.numpy(), marketing.promotion_effect.numpy()], 2),
        "prices": np.stack([params.prices.log_discount.numpy(), params.prices.shelf_price.numpy()], 2),
        "short_category": params.catalogue.category.numpy()[shortlist].astype(np.uint16),
        "short_subcategory": place[subcategory][shortlist],
        "size_factor": np.exp(constants[:, columns]),
        "explore_factor": np.exp(params.exploration.explore_level.numpy()),
        "missions": np.pad(loading.T, ((0, -loading.shape[1] % TOGETHER), (0, 0))),
        "spread_category": np.flatnonzero(spread),
        "by_category": order,
        "subcategory_place": place,
        "category_start": np.searchsorted(of_subcategory[order], np.arange(len(spread) + 1)),
        "subcategory_start": np.searchsorted(np.sort(subcategory), np.arange(len(order) + 1)),
    }
    return Tables(*_in_one_block([(arrays | made)[name] for name in Tables._fields]))


def _in_one_block(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Copies that lie together, which numpy asks the system to keep on huge pages: a visit reads a little of
    each, and to find the page would cost as much as to read. Codes and places, which are never negative,
    become 32 bits without a sign: half as much to fetch, and no code for places counted from the end. What is
    too large to lie near anything stays where it is."""
    kinds = [np.dtype(np.uint32) if a.dtype == np.int64 else a.dtype for a in arrays]
    large = [a.nbytes > _LARGE and a.dtype == kind for a, kind in zip(arrays, kinds, strict=True)]
    sizes = [
        0 if left else -(-a.size * kind.itemsize // LINE) * LINE
        for a, kind, left in zip(arrays, kinds, large, strict=True)
    ]
    block = np.empty(sum(sizes) + LINE, np.uint8)
    start, copies = -block.ctypes.data % LINE, []
    for array, kind, size, left in zip(arrays, kinds, sizes, large, strict=True):
        if left:
            copies.append(np.ascontiguousarray(array))
            continue
        copies.append(block[start : start + array.size * kind.itemsize].view(kind).reshape(array.shape))
        copies[-1][...] = array
        start += size
    return copies
