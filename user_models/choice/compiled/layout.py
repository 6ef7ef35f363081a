"""The arrays that the compiled path of a `ChoiceShopper` reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from bundlegym.user_models.choice.compiled.prefetch import LINE
from bundlegym.user_models.choice.estimation.item_shocks import NEAR, REST

#: Columns of `Tables.push`.
PRICE_PUSH, PROMOTION_PUSH, DRIFT = range(3)
#: Missions that are gone through at once.
TOGETHER = 4
#: Columns of `Tables.price`.
REBATE, SHELF_PRICE = range(2)


class Tables(NamedTuple):
    """Arrays of `ChoiceShopper.tensors` by their names, none of them without a dimension, and others made of
    them that save searching: see `tables_of`."""

    shortlist: Any
    taste: Any
    familiarity: Any
    interval: Any
    coefficient_gap: Any
    deal_factor: Any
    deal_class: Any
    price_slope: Any
    category: Any
    group: Any
    log_within: Any
    trait: Any
    trait_range: Any
    leaning: Any
    leaning_total: Any
    tail_weight: Any
    tail_attraction: Any
    tail_cdf: Any
    tail_item: Any
    product: Any
    product_start: Any
    follow: Any
    memory_start: Any
    memory_cdf: Any
    memory_item: Any
    tried_weight: Any
    tried_left: Any
    coefficient_promotion_answer: Any
    coefficient_new_gap: Any
    category_department: Any
    department_spread: Any
    mission_spread: Any
    category_level: Any
    mission_scale: Any
    synergy: Any
    trip_gap: Any
    usual_trip: Any
    trip_cdf: Any
    trip_rate: Any
    visit_rate: Any
    weekday: Any
    again: Any
    irregular: Any
    hazard_day: Any
    hazard_ratio: Any
    hazard_irregular: Any
    hazard_own: Any
    hazard_weekday: Any
    hazard_level: Any
    frailty: Any
    extra_units: Any
    units_alike: Any
    units_edges: Any
    units_cdf: Any
    extra_factor: Any
    extra_slope: Any
    trial_habit: Any
    wear_out: Any
    enough: Any
    campaign_member: Any
    campaign_week: Any
    coupon_push: Any
    push: Any
    drift_of_rest: Any
    price: Any
    short_category: Any
    short_group: Any
    group_factor: Any
    new_factor: Any
    new_spread: Any
    missions: Any
    spread_category: Any
    by_category: Any
    group_place: Any
    category_start: Any
    group_start: Any


def tables_of(tensors: dict[str, Tensor]) -> Tables:
    """`Tables` of tensors on the CPU, and beside them: `push` (W, I, 3) and `price` (W, I, 2) what a week has
    in store for each item, with its drift where it is near, `drift_of_rest` (W, I) what that of the rest has
    more; `short_category` (S, L) of the shortlist, `short_group` (S, L) the place of its
    subcategories among those by category; `group_factor` (K, G + 1) exp of `group_level`,
    `new_factor` (K,) of `new_level`; `missions` (R, C) mission loadings and, to go through them `TOGETHER`,
    rows of 0, `spread_category` the categories with a spread beyond; `by_category` (G,) subcategories
    by category, `group_place` (G,) each one's place among them, `category_start` (C + 1,) where each category
    begins among them, `group_start` (G + 1,) where each subcategory's items begin in `tail_item`. The columns
    of `tail_weight`, `tail_attraction` and `group_factor` are by category too; what is remembered comes
    last."""
    held = {name: np.atleast_1d(tensor.numpy()) for name, tensor in tensors.items()}
    of_group, n_categories = held["group_category"][:-1], len(held["mission_spread"])
    n_missions, order = held["mission_loading"].shape[1], np.argsort(of_group, kind="stable")
    columns, place = np.append(order, len(order)), np.argsort(order)
    level = np.pad(held["group_level"], ((0, 0), (0, 1)))
    made = {
        "tail_weight": held["tail_weight"][:, columns],
        "tail_attraction": held["tail_attraction"][:, columns],
        "push": np.stack([held["price_push"], held["promotion_push"], held["drift"][NEAR]], 2),
        "drift_of_rest": held["drift"][REST] - held["drift"][NEAR],
        "price": np.stack([held["rebate"], held["shelf_price"]], 2),
        "short_category": held["category"][held["shortlist"]].astype(np.uint16),
        "short_group": place[held["group"]][held["shortlist"]],
        "group_factor": np.exp(level[:, columns]),
        "new_factor": np.exp(held["new_level"]),
        "missions": np.pad(held["mission_loading"].T, ((0, -n_missions % TOGETHER), (0, 0))),
        "spread_category": np.flatnonzero(held["mission_spread"]),
        "by_category": order,
        "group_place": place,
        "category_start": np.searchsorted(of_group[order], np.arange(n_categories + 1)),
        "group_start": np.searchsorted(np.sort(held["group"]), np.arange(len(of_group) + 1)),
    }
    return Tables(*_in_one_block([(held | made)[name] for name in Tables._fields]))


def _in_one_block(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Copies that lie together, which numpy asks the system to keep on huge pages: a visit reads a little of
    each, and to find the page would cost as much as to read. Codes and places, which are never negative,
    become 32 bits without a sign: half as much to fetch, and no code for places counted from the end."""
    kinds = [np.dtype(np.uint32) if a.dtype == np.int64 else a.dtype for a in arrays]
    sizes = [-(-a.size * kind.itemsize // LINE) * LINE for a, kind in zip(arrays, kinds, strict=True)]
    block = np.empty(sum(sizes) + LINE, np.uint8)
    start, copies = -block.ctypes.data % LINE, []
    for array, kind, size in zip(arrays, kinds, sizes, strict=True):
        copies.append(block[start : start + array.size * kind.itemsize].view(kind).reshape(array.shape))
        copies[-1][...] = array
        start += size
    return copies
