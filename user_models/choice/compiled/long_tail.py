"""What `tail` says in torch, compiled for the CPU, for one shopper at a time: purchases off the shortlist."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.compiled.substitution import is_wanted
from bundlegym.user_models.choice.compiled.utility import (
    first_above,
    key_of,
    part,
    place_of,
    push_of,
    tail_row,
)
from bundlegym.user_models.choice.config import FOLLOWERS, SLOTS, THINNING, TRIES
from bundlegym.user_models.components.marketing import ONCE
from bundlegym.user_models.numeric.fast_math import exp32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import compiled_draw

_F = np.float32
MOST_ITEMS = SLOTS * (1 + FOLLOWERS)


@part
def tail_rates(p, by_category, lift, memory, running):
    """Fill `running` (C + 1,) with the running sum of the tail's rates by category; what is remembered, of
    all categories, comes last."""
    total = _F(0)
    for c in range(len(lift)):
        total += by_category[c] * lift[c]
        running[c] = total
    running[len(lift)] = total + memory


@part
def _one_of(p, row, start, end, luck):
    """One of the items from place `start` up to `end` in `tail_item`, by their attraction."""
    cdf, last = p.tail_cdf[row], end - 1
    low = cdf[start - 1] if start > 0 else np.float64(row)
    return p.tail_item[first_above(cdf, low + luck * (cdf[last] - low), start, last)]


@part
def _as_they_lean(p, key, s, row, group, slot):
    """An item of a subcategory by its attraction and the shopper's leanings."""
    most = _F(0)
    for k in range(p.attribute.shape[1]):
        theta = p.attribute_taste[s, k]
        most += max(theta * p.attribute_range[group, 0, k], theta * p.attribute_range[group, 1, k])
    start, end, item = p.subcategory_start[group], p.subcategory_start[group + 1], 0
    of_item, of_kept = key_of(key, streams.TAIL_ITEM), key_of(key, streams.TAIL_KEPT)
    for number in range(slot * TRIES, (slot + 1) * TRIES):
        item = _one_of(p, row, start, end, np.float64(compiled_draw(of_item, number)))
        score = -most
        for k in range(p.attribute.shape[1]):
            score += p.attribute_taste[s, k] * p.attribute[item, k]
        if compiled_draw(of_kept, number) < exp32(score):
            break
    return item


@part
def tried_weight(p, tried, place):
    """What a purchase of a shopper's history adds to its item's rate."""
    return p.trial_weight[tried[place]] * p.trial_fading[place]


@part
def _known_item(p, s, memory, tried, luck):
    """An item remembered, of the weight `memory`, or one of those `tried`."""
    own, total = np.float64(memory), np.float64(0)
    for place in range(len(tried)):
        total += tried_weight(p, tried, place)
    target = luck * (own + total)
    if target >= own and len(tried) > 0:
        place, running = 0, own + tried_weight(p, tried, 0)
        while place < len(tried) - 1 and running <= target:
            place += 1
            running += tried_weight(p, tried, place)
        return np.int64(tried[place])
    start, last = p.memory_start[s], p.memory_start[s + 1] - 1
    return np.int64(p.memory_item[first_above(p.memory_cdf, s + target / max(own, 1e-30), start, last)])


@part
def _tail_item(p, key, s, week, row, slot, tail, lift, running, tried):
    """Item of the tail's purchase `slot`, or -1."""
    target = compiled_draw(key_of(key, streams.TAIL_SUBCATEGORY), slot) * running[-1]
    c = first_above(running, target, 0, len(lift))
    if c == len(lift):
        luck = np.float64(compiled_draw(key_of(key, streams.TAIL_ITEM), slot * TRIES))
        item = _known_item(p, s, tail[-1], tried, luck)
        push = push_of(p.week_effects[week], p.price_sensitivity[s], p.promotion_sensitivity[ONCE], item)
        kept = compiled_draw(key_of(key, streams.TAIL_KEPT), slot * TRIES) * _F(THINNING) < exp32(push)
        return item if kept else -1
    place, last = p.category_start[c], p.category_start[c + 1] - 1
    left = target - (running[c - 1] if c else _F(0))
    while place < last and tail[place] * lift[c] <= left:
        left -= tail[place] * lift[c]
        place += 1
    return _as_they_lean(p, key, s, row, p.by_category[place], slot)


@part
def _next_flavour(p, row, item, luck):
    """Item that follows an item of the tail, or -1."""
    product = p.product_line[item]
    if luck >= p.follow_prob[product]:
        return -1
    luck = np.float64(luck / p.follow_prob[product])
    return _one_of(p, row, p.product_line_start[product], p.product_line_start[product + 1], luck)


@part
def tail_purchases(p, key, s, week, count, tail, lift, running, tried, offered, first_of, basket, found):
    """Fill `found` with the items of the tail's `count` purchases and of those that follow them, ascending,
    once each, but for those that are on the shortlist or offered, which was decided there, and those that are
    not wanted beside the `basket` (see `is_wanted`): how many they are."""
    n, row = 0, tail_row(p, s, week)
    for slot in range(count):
        item = _tail_item(p, key, s, week, row, slot, tail, lift, running, tried)
        for step in range(1 + FOLLOWERS):
            if item < 0:
                break
            known, is_offered = place_of(p.shortlist[s], item) >= 0, False
            for other in offered:
                is_offered |= other == item
            left_out = known or is_offered or not is_wanted(p, key, first_of, basket, item)
            place = n
            while not left_out and place > 0 and found[place - 1] >= item:
                left_out = found[place - 1] == item
                place -= 1
            if not left_out:
                for i in range(n, place, -1):
                    found[i] = found[i - 1]
                found[place] = item
                n += 1
            if step < FOLLOWERS:
                luck = compiled_draw(key_of(key, streams.VARIANT), slot * FOLLOWERS + step)
                item = _next_flavour(p, row, item, luck)
    return n
