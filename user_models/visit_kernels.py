"""What `utility`, `tail` and `rhythm` say in torch, compiled for the CPU, for one shopper at a time.

`choice_kernels` makes a visit of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from torch import Tensor

from bundlegym.user_models import streams
from bundlegym.user_models.choice_fit import GAP_EDGES
from bundlegym.user_models.draws import compiled_draw, compiled_key, compiled_unit
from bundlegym.user_models.numerics import exp32, normal_quantile
from bundlegym.user_models.rhythm import DAY_EDGES, HORIZON, RATIO_EDGES
from bundlegym.user_models.tail import THINNING
from bundlegym.user_models.trips import GAP_EDGES as TRIP_GAP_EDGES

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
    """Arrays of `ChoiceShopper.tensors` by their names, none of them without a dimension, and four orders of
    them that save searching: see `tables_of`."""

    shortlist: Any
    taste: Any
    interval: Any
    coefficient_gap: Any
    deal_factor: Any
    price_slope: Any
    price_push: Any
    promotion_push: Any
    rebate: Any
    shelf_price: Any
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
    purposes: Any
    by_category: Any
    category_start: Any
    group_start: Any


def tables_of(tensors: dict[str, Tensor]) -> Tables:
    """`Tables` on the memory of tensors on the CPU, and beside them: `purposes` (R, C) mission loadings,
    `by_category` (G,) subcategories by category, `category_start` (C + 1,) where each begins among them,
    `group_start` (G + 1,) where each subcategory's items begin in `tail_item`."""
    held = {name: tensors[name].reshape(-1) if tensors[name].ndim == 0 else tensors[name] for name in tensors}
    arrays = {name: held[name].numpy() for name in Tables._fields if name in held}
    of_group, n_categories = arrays["group_category"][:-1], len(arrays["mission_spread"])
    order = np.argsort(of_group, kind="stable")
    return Tables(
        **arrays,
        purposes=np.ascontiguousarray(held["mission_loading"].numpy().T),
        by_category=order,
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
def _mission(t, key, size, lift):
    """Fill `lift` (C,): what the purpose of a trip of a size multiplies rates by in each category."""
    of_mission, of_category = key_of(key, streams.MISSION), key_of(key, streams.CATEGORY)
    lift[:] = 0
    for r in range(len(t.purposes)):
        z = normal_quantile(np.float64(compiled_draw(of_mission, r)))
        for c in range(len(lift)):
            lift[c] += z * t.purposes[r, c]
    for c in range(len(lift)):
        if t.mission_spread[c] != 0:
            lift[c] += normal_quantile(np.float64(compiled_draw(of_category, c))) * t.mission_spread[c]
        lift[c] = t.mission_scale[size] * lift[c] + t.category_level[size, c]
    for c in range(len(lift)):
        lift[c] = exp32(lift[c])


@part
def next_visit(t, key, s, day):
    """Days until the next visit, and whether there is none."""
    seed, episode, _ = key
    if compiled_unit(key_of(key, streams.AGAIN)) < t.again[s]:
        return 0, False
    luck = compiled_unit(key_of(key, streams.WAIT))
    frailty = normal_quantile(np.float64(compiled_unit(compiled_key(seed, episode, 0, streams.FRAILTY))))
    own = t.frailty[0] * frailty
    own += t.hazard_level[0] + t.hazard_slope[0] * np.log(t.visit_rate[s])
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
def door(t, key, s, week, since, rate, luck, lift, tail, tail_by_category):
    """What does not depend on what was bought before: the log of the trip's rate; and filled in are of each
    shortlisted item its rate apart from the time since last bought and its luck (L,), of each category what
    the mission multiplies by (C,), of each
    subcategory its rate in the tail apart from that (G + 1,), and the sums of these by category (C,)."""
    chance, size = compiled_unit(key_of(key, streams.TRIP)), 0
    while size < t.trip_cdf.shape[1] - 1 and t.trip_cdf[s, size] < chance:
        size += 1
    log_size = t.trip_rate[s, size]
    log_size += t.trip_gap[first_above(_TRIP_GAPS, since, 0, len(_TRIP_GAPS))]
    _mission(t, key, size, lift)
    shortlist, taste, deal = t.shortlist[s], t.taste[s], t.deal_factor[s]
    price_push, promotion_push = t.price_push[week], t.promotion_push[week]
    for i in range(len(shortlist)):
        item = shortlist[i]
        rate[i] = taste[i] + deal * price_push[item] + promotion_push[item] + log_size
    for r in range(t.campaign_member.shape[1]):
        if t.campaign_member[s, r] and t.campaign_week[week, r] > 0:
            for i in range(len(shortlist)):
                rate[i] += t.campaign_week[week, r] * t.coupon_push[r, shortlist[i]]
    for i in range(len(shortlist)):
        rate[i] = exp32(rate[i])
    noise = key_of(key, streams.NOISE)
    for i in range(len(shortlist)):
        rate[i] *= lift[t.category[shortlist[i]]]
        luck[i] = compiled_draw(noise, shortlist[i])
    weight, attraction = t.tail_weight[s], t.tail_attraction[week]
    for g in range(len(weight)):
        tail[g] = weight[g] * attraction[g]
    for c in range(len(lift)):
        whole = _F(0)
        for place in range(t.category_start[c], t.category_start[c + 1]):
            whole += tail[t.by_category[place]]
        tail_by_category[c] = whole
    return log_size


@part
def since_last_bought(t, s, day, last, effect, rate):
    """Multiply the rates of the shortlist by the effect of the time since each was last bought."""
    interval = t.interval[s]
    for i in range(len(interval)):
        bin_ = 0
        if last[i] >= 0:
            ratio = _F(day - last[i]) / interval[i]
            bin_ = 1
            for edge in _GAPS:
                bin_ += ratio > edge
        rate[i] *= effect[bin_]


@part
def tail_rates(t, by_category, lift, memory, running):
    """Fill `running` (C + 1,) with the running sum of the tail's rates by category; what is remembered, of
    all categories, comes last."""
    total = _F(0)
    for c in range(len(lift)):
        total += by_category[c] * lift[c]
        running[c] = total
    running[len(lift)] = total + memory


@part
def tail_item(t, key, s, week, slot, tail, lift, running):
    """Item of the tail's purchase `slot`, or -1."""
    target = compiled_draw(key_of(key, streams.TAIL_GROUP), slot) * running[-1]
    luck = np.float64(compiled_draw(key_of(key, streams.TAIL_ITEM), slot))
    c = first_above(running, target, 0, len(lift))
    if c == len(lift):
        item = t.memory_item[
            first_above(t.memory_cdf, s + luck, t.memory_start[s], t.memory_start[s + 1] - 1)
        ]
        push = exp32(t.price_push[week, item] + t.promotion_push[week, item])
        kept = compiled_draw(key_of(key, streams.TAIL_KEPT), slot) * _F(THINNING) < push
        return item if kept else -1
    place, last = t.category_start[c], t.category_start[c + 1] - 1
    left = target - (running[c - 1] if c else _F(0))
    while place < last and tail[t.by_category[place]] * lift[c] <= left:
        left -= tail[t.by_category[place]] * lift[c]
        place += 1
    group = t.by_category[place]
    start, end = t.tail_start[week, group], t.tail_start[week, group + 1]
    first, last = t.group_start[group], t.group_start[group + 1] - 1
    return t.tail_item[first_above(t.tail_cdf[week], start + luck * (end - start), first, last)]


@part
def next_flavour(t, week, item, luck):
    """Item that follows an item of the tail, or -1."""
    product = t.product[item]
    if luck >= t.follow[product]:
        return -1
    start, last, cdf = t.product_start[product], t.product_start[product + 1] - 1, t.tail_cdf[week]
    low = cdf[start - 1] if start > 0 else np.float64(week)
    target = low + np.float64(luck / t.follow[product]) * (cdf[last] - low)
    return t.tail_item[first_above(cdf, target, start, last)]


@part
def place_of(shortlist, item):
    """Where an item is on a shortlist, or -1."""
    place = first_above(shortlist, item, 0, len(shortlist)) - 1
    return place if place >= 0 and shortlist[place] == item else -1
