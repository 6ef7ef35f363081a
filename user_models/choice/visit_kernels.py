"""What `utility` and `rhythm` say in torch, compiled for the CPU, for one shopper at a time.

`kernels` makes a visit of it and of `tail_kernels`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from torch import Tensor

from bundlegym.user_models import streams
from bundlegym.user_models.choice.fit import GAP_EDGES
from bundlegym.user_models.draws import compiled_draw, compiled_key, compiled_unit
from bundlegym.user_models.numerics import exp32, log32, normal32
from bundlegym.user_models.rhythm import DAY_EDGES, HORIZON, RATIO_EDGES
from bundlegym.user_models.trips import GAP_EDGES as TRIP_GAP_EDGES

#: Columns of `Tables.plan`.
PRICE_PUSH, PROMOTION_PUSH, REBATE, SHELF_PRICE = range(4)

_F = np.float32
_ONE = _F(1)
_GAPS, _TRIP_GAPS = np.array(GAP_EDGES, dtype=np.float32), np.array(TRIP_GAP_EDGES)
_DAYS, _RATIOS = np.array(DAY_EDGES), np.array(RATIO_EDGES, dtype=np.float32)

_OPTIONS: Any = {"cache": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}
compiled = numba.njit(nogil=True, **_OPTIONS)
#: A part of a visit. It allocates nothing, so that it need not count references: to count those of all tables
#: costs more than most parts do.
part = numba.njit(**_OPTIONS | {"forceinline": True, "_nrt": False})


class Tables(NamedTuple):
    """Arrays of `ChoiceShopper.tensors` by their names, none of them without a dimension, and others made of
    them that save searching and lie together in memory: see `tables_of`."""

    shortlist: Any
    taste: Any
    interval: Any
    coefficient_gap: Any
    deal_factor: Any
    price_slope: Any
    category: Any
    group: Any
    group_category: Any
    log_within: Any
    tail_weight: Any
    tail_attraction: Any
    tail_start: Any
    tail_cdf: Any
    tail_item: Any
    product: Any
    product_start: Any
    follow: Any
    memory_start: Any
    memory_cdf: Any
    memory_item: Any
    mission_spread: Any
    category_level: Any
    mission_scale: Any
    synergy: Any
    trip_gap: Any
    trip_cdf: Any
    trip_rate: Any
    visit_rate: Any
    weekday: Any
    again: Any
    hazard_day: Any
    hazard_ratio: Any
    hazard_slope: Any
    hazard_level: Any
    frailty: Any
    extra_units: Any
    units_alike: Any
    units_edges: Any
    units_cdf: Any
    extra_factor: Any
    extra_slope: Any
    trial_habit: Any
    campaign_member: Any
    campaign_week: Any
    coupon_push: Any
    plan: Any
    short_category: Any
    purposes: Any
    spread_category: Any
    by_category: Any
    group_place: Any
    category_start: Any
    group_start: Any


def tables_of(tensors: dict[str, Tensor]) -> Tables:
    """`Tables` on the memory of tensors on the CPU, and beside them: `plan` (W, I, 4) what a week has in
    store for each item, columns PRICE_PUSH, PROMOTION_PUSH, REBATE and SHELF_PRICE; `short_category` (S, L)
    of the shortlist; `purposes` (R, C) mission loadings, `spread_category` the categories with a spread
    beyond; `by_category` (G,) subcategories by category, `group_place` (G,) each one's place among them,
    `category_start` (C + 1,) where each category begins among them, `group_start` (G + 1,) where each
    subcategory's items begin in `tail_item`. The columns of `tail_weight` and `tail_attraction` are by
    category too; what is remembered comes last."""
    held = {name: tensors[name].reshape(-1) if tensors[name].ndim == 0 else tensors[name] for name in tensors}
    arrays = {name: held[name].numpy() for name in Tables._fields if name in held}
    of_group, n_categories = arrays["group_category"][:-1], len(arrays["mission_spread"])
    order = np.argsort(of_group, kind="stable")
    for name in ("tail_weight", "tail_attraction"):
        arrays[name] = np.ascontiguousarray(arrays[name][:, np.append(order, len(order))])
    columns = [held[name].numpy() for name in ("price_push", "promotion_push", "rebate", "shelf_price")]
    return Tables(
        **arrays,
        plan=np.stack(columns, 2),
        short_category=arrays["category"][arrays["shortlist"]].astype(np.int32),
        purposes=np.ascontiguousarray(held["mission_loading"].numpy().T),
        spread_category=np.flatnonzero(arrays["mission_spread"]),
        by_category=order,
        group_place=np.argsort(order),
        category_start=np.searchsorted(of_group[order], np.arange(n_categories + 1)),
        group_start=np.searchsorted(np.sort(arrays["group"]), np.arange(len(of_group) + 1)),
    )


@part
def key_of(visit, stream):
    """What the draws of a stream have in common at a visit (seed, episode, number)."""
    return compiled_key(visit[0], visit[1], visit[2], stream)


@part
def first_above(ascending, x, first, end):
    """The first place in first..end-1 whose value is above x, or `end`."""
    while first < end:
        middle = (first + end) >> 1
        if ascending[middle] <= x:
            first = middle + 1
        else:
            end = middle
    return first


@part
def push_of(t, s, week, item):
    """What price, display and mailer add to an item's log rate."""
    return t.deal_factor[s] * t.plan[week, item, PRICE_PUSH] + t.plan[week, item, PROMOTION_PUSH]


@part
def _mission(t, key, size, lift, normal):
    """Fill `lift` (C,): what the purpose of a trip of a size multiplies rates by in each category."""
    of_mission, of_category = key_of(key, streams.MISSION), key_of(key, streams.CATEGORY)
    purposes, own = len(t.purposes), len(t.spread_category)
    for r in range(purposes):
        normal[r] = normal32(compiled_draw(of_mission, r))
    for i in range(own):
        normal[purposes + i] = normal32(compiled_draw(of_category, t.spread_category[i]))
    lift[:] = 0
    for r in range(purposes):
        z = normal[r]
        for c in range(len(lift)):
            lift[c] += z * t.purposes[r, c]
    for i in range(own):
        c = t.spread_category[i]
        lift[c] += normal[purposes + i] * t.mission_spread[c]
    for c in range(len(lift)):
        lift[c] = exp32(t.mission_scale[size] * lift[c] + t.category_level[size, c])


@part
def next_visit(t, key, s, day):
    """Days until the next visit, and whether there is none."""
    seed, episode, _ = key
    if compiled_unit(key_of(key, streams.AGAIN)) < t.again[s]:
        return 0, False
    luck = compiled_unit(key_of(key, streams.WAIT))
    frailty = normal32(compiled_unit(compiled_key(seed, episode, 0, streams.FRAILTY)))
    own = t.frailty[0] * frailty
    own += t.hazard_level[0] + t.hazard_slope[0] * log32(t.visit_rate[s])
    stays_away, by_day, by_ratio = _ONE, 0, 0
    for ahead in range(HORIZON):
        away = 1 + ahead
        while by_day < len(_DAYS) and away >= _DAYS[by_day]:
            by_day += 1
        while by_ratio < len(_RATIOS) and _F(away) * t.visit_rate[s] >= _RATIOS[by_ratio]:
            by_ratio += 1
        score = own + t.hazard_slope[1] * t.weekday[s, (day + away) % 7]
        score += t.hazard_day[by_day] + t.hazard_ratio[by_ratio]
        stays_away /= _ONE + exp32(score)
        if stays_away < luck:
            return ahead + 1, False
    return HORIZON, True


@part
def door(t, key, s, week, since, rate, need, lift, normal, tail, tail_by_category):
    """What does not depend on what was bought before: the log of the trip's rate; and filled in are of each
    shortlisted item its rate apart from the time since last bought and what that must exceed (L,), of each
    category what the mission multiplies by (C,), of each subcategory its rate in the tail apart from that
    (G + 1,), and the sums of these by category (C,)."""
    chance, size = compiled_unit(key_of(key, streams.TRIP)), 0
    while size < t.trip_cdf.shape[1] - 1 and t.trip_cdf[s, size] < chance:
        size += 1
    log_size = t.trip_rate[s, size]
    log_size += t.trip_gap[first_above(_TRIP_GAPS, since, 0, len(_TRIP_GAPS))]
    _mission(t, key, size, lift, normal)
    # Each loop touches few arrays: the compiler makes vector code where it can tell that they do not overlap.
    shortlist, taste = t.shortlist[s], t.taste[s]
    for i in range(len(shortlist)):
        rate[i] = push_of(t, s, week, shortlist[i])
    for r in range(t.campaign_member.shape[1]):
        if t.campaign_member[s, r] and t.campaign_week[week, r] > 0:
            for i in range(len(shortlist)):
                rate[i] += t.campaign_week[week, r] * t.coupon_push[r, shortlist[i]]
    for i in range(len(shortlist)):
        rate[i] = exp32(rate[i] + taste[i] + log_size)
    by_category(lift, t.short_category[s], rate)
    noise = key_of(key, streams.NOISE)
    for i in range(len(shortlist)):
        need[i] = needed(noise, shortlist[i])
    weight, attraction = t.tail_weight[s], t.tail_attraction[week]
    for g in range(len(weight)):
        tail[g] = weight[g] * attraction[g]
    place = 0
    for c in range(len(lift)):
        whole = _F(0)
        while place < t.category_start[c + 1]:
            whole += tail[place]
            place += 1
        tail_by_category[c] = whole
    return log_size


@part
def by_category(factor, category, rate):
    """Multiply rates by the factor of each one's category."""
    for i in range(len(category)):
        rate[i] *= factor[category[i]]


@part
def needed(noise, item):
    """The exponential number that an item's rate must exceed for it to be bought."""
    return -log32(compiled_draw(noise, item))


@part
def since_last_bought(t, s, day, last, effect, bins, rate):
    """Multiply the rates of the shortlist by the effect of the time since each was last bought."""
    interval, today = t.interval[s], np.int32(day)
    for i in range(len(interval)):
        ratio = _F(today - np.int32(last[i])) / interval[i]
        bin_ = np.int32(1)
        for edge in _GAPS:
            bin_ += np.int32(ratio > edge)
        bins[i] = bin_
    for i in range(len(interval)):
        bins[i] = bins[i] if last[i] >= 0 else 0
    by_category(effect, bins, rate)


@part
def place_of(shortlist, item):
    """Where an item is on a shortlist, or -1."""
    place = first_above(shortlist, item, 0, len(shortlist)) - 1
    return place if place >= 0 and shortlist[place] == item else -1
