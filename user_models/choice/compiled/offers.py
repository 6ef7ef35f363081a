"""See `reference.offers`: for one shopper at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from bundlegym.user_models.choice.bounds import THINNING
from bundlegym.user_models.choice.compiled.layout import Tables
from bundlegym.user_models.choice.compiled.parts import (
    Array,
    Key,
    compiled,
    first_above,
    holds,
    key_of,
    part,
    place_of,
)
from bundlegym.user_models.choice.compiled.recent_trials import of_item
from bundlegym.user_models.choice.compiled.utility import marketing_effect, needed, unbought
from bundlegym.user_models.components.marketing import NEW, ONCE
from bundlegym.user_models.numeric.fast_math import exp32, log32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw

_F = np.float32
_ONE = _F(1)


@part
def _remembered(p: Tables, s: int, item: int) -> np.float32:
    """Rate of an item that is not on the shortlist, as remembered from before; 0 if it is not."""
    start, end = np.int64(p.memory_start[s]), np.int64(p.memory_start[s + 1])
    place = first_above(p.memory_item, item - 1, start, end)
    if place == end or p.memory_item[place] != item:
        return _F(0)
    share = p.memory_cdf[place] - (p.memory_cdf[place - 1] if place > start else np.float64(s))
    return _F(share) * p.memory_rate[s]


@part
def leaves_habit(p: Tables, key: Key, item: int) -> bool:
    """Whether an item first tried in a bundle is remembered."""
    return compiled_draw(key_of(key, streams.HABIT), item) < p.habit_prob[0]


@part
def appraise(
    p: Tables,
    key: Key,
    s: int,
    week: int,
    at_door: tuple[float, int, float],
    tail_lift: Array,
    trials: Array,
    offered: Array,
    in_basket: Array,
    basket: tuple[Array, int, Array, int, Array],
    first_of: Array,
    need: Array,
    rate: Array,
    out: tuple[Array, Array, Array, Array],
) -> None:
    """Fill what each offered item is worth to a shopper beside what is bought without an offer: its place
    among the considered (-1 for none), the utility that it lacks, whether it is `wanted` anyway, and its
    sensitivity to promotions; see `reference.offers`."""
    (log_size, size, new), (held, n_held, found, n_found, items) = at_door, basket
    (slots, value, wanted, sensitivity), length = out, p.shortlist.shape[1]
    for b in range(len(offered)):
        item, slots[b], value[b], wanted[b], sensitivity[b] = offered[b], -1, _F(0), False, _F(0)
        if item < 0:
            continue
        group = p.subcategory[item]
        g = exp32(p.substitution[group])
        place, first = place_of(p.shortlist[s], item), first_of[group]
        if place >= 0:
            slots[b], wanted[b] = place, in_basket[place]
            sensitivity[b] = p.promotion_sensitivity[p.familiarity[s, place]]
            limit = _ONE
            if first >= 0 and p.product_line[items[first]] != p.product_line[item]:
                begin = min(need[first] / rate[first], _ONE)
                limit = begin + (_ONE - begin) * g
            if not wanted[b]:
                value[b] = min(log32(limit * rate[place] / need[place]), _F(0))
            continue
        slots[b], wanted[b] = length + b, holds(found, n_found, item)
        remembered, again = _remembered(p, s, item), of_item(p, trials, item)
        sensitivity[b] = p.promotion_sensitivity[ONCE if remembered + again > 0 else NEW]
        if wanted[b]:
            continue
        added_utility = marketing_effect(p.week_effects[week], p.price_sensitivity[s], sensitivity[b], item)
        for r in range(p.campaign_member.shape[1]):
            if p.campaign_member[s, r]:
                added_utility += p.campaign_week[week, r] * p.coupon_utility[r, item]
        own = remembered
        if remembered == 0:
            own = unbought(p, s, item) * new
            if again == 0:  # what is remembered is drawn whatever the trip is for
                own *= tail_lift[p.category[item]] * p.size_factor[size, p.subcategory_place[group]]
        own = (own + again / _F(THINNING)) * exp32(added_utility + log_size)
        if first >= 0:
            variant = False
            for q in range(n_held):
                variant |= p.product_line[held[q]] == p.product_line[item]
            if not variant:
                own *= g
        value[b] = -log32(_ONE + needed(key_of(key, streams.NOISE), item) / own)


@part
def beside_each_other(p: Tables, offered: Array, wanted: Array, value: Array, beside: Array) -> None:
    """Fill what each offered item is worth `beside` the others; see `reference.offers`."""
    for b in range(len(offered)):
        beside[b] = value[b]
        if offered[b] < 0 or wanted[b]:
            continue
        best, group, pull = b, p.subcategory[offered[b]], _F(0)
        for a in range(len(offered)):
            if a == b or offered[a] < 0 or wanted[a]:
                continue
            pull += p.synergy[p.category[offered[a]], p.category[offered[b]]] / _F(2)
            if p.subcategory[offered[a]] == group and value[a] > value[best]:
                best = a
        if p.product_line[offered[best]] != p.product_line[offered[b]]:
            first, mine = exp32(-value[best]), exp32(-value[b])
            beside[b] = -log32(first + (mine - first) * exp32(-p.substitution[group]))
        beside[b] = min(beside[b] + pull, _F(0))


@compiled
def pairs(tables: Any, items: Array, value: Array) -> Array:
    """See `reference.offers`; tables: `Tables`, held."""
    p, (n, m) = tables.parts, items.shape
    pair = np.zeros((n, m, m), dtype=_F)
    for r in range(n):
        for i in range(m):
            category, group = p.category[items[r, i]], p.subcategory[items[r, i]]
            line, less = p.product_line[items[r, i]], p.substitution[group]
            for j in range(m):
                item = items[r, j]
                found = p.synergy[p.category[item], category] / _F(2)
                if (
                    value[r, j] > value[r, i]
                    and p.subcategory[item] == group
                    and p.product_line[item] != line
                ):
                    found += less
                pair[r, i, j] = found
            pair[r, i, i] = 0
    return pair
