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
from bundlegym.user_models.choice.reference.long_tail import FOLLOWERS, SLOTS, THINNING, TRIES
from bundlegym.user_models.components.marketing import ONCE
from bundlegym.user_models.numeric.fast_math import exp32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import compiled_draw

_F = np.float32
MOST_ITEMS = SLOTS * (1 + FOLLOWERS)


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
def _one_of(t, row, start, end, luck):
    """One of the items from place `start` up to `end` in `tail_item`, by their attraction."""
    cdf, last = t.tail_cdf[row], end - 1
    low = cdf[start - 1] if start > 0 else np.float64(row)
    return t.tail_item[first_above(cdf, low + luck * (cdf[last] - low), start, last)]


@part
def _as_they_lean(t, key, s, row, group, slot):
    """An item of a subcategory by its attraction and the shopper's leanings."""
    most = _F(0)
    for k in range(t.trait.shape[1]):
        theta = t.leaning[s, k]
        most += max(theta * t.trait_range[group, 0, k], theta * t.trait_range[group, 1, k])
    start, end, item = t.group_start[group], t.group_start[group + 1], 0
    of_item, of_kept = key_of(key, streams.TAIL_ITEM), key_of(key, streams.TAIL_KEPT)
    for number in range(slot * TRIES, (slot + 1) * TRIES):
        item = _one_of(t, row, start, end, np.float64(compiled_draw(of_item, number)))
        score = -most
        for k in range(t.trait.shape[1]):
            score += t.leaning[s, k] * t.trait[item, k]
        if compiled_draw(of_kept, number) < exp32(score):
            break
    return item


@part
def tried_weight(t, tried, place):
    """What a purchase of a shopper's history adds to its item's rate."""
    return t.tried_weight[tried[place]] * t.tried_left[place]


@part
def _known_item(t, s, memory, tried, luck):
    """An item remembered, of the weight `memory`, or one of those `tried`."""
    own, total = np.float64(memory), np.float64(0)
    for place in range(len(tried)):
        total += tried_weight(t, tried, place)
    target = luck * (own + total)
    if target >= own and len(tried) > 0:
        place, running = 0, own + tried_weight(t, tried, 0)
        while place < len(tried) - 1 and running <= target:
            place += 1
            running += tried_weight(t, tried, place)
        return np.int64(tried[place])
    start, last = t.memory_start[s], t.memory_start[s + 1] - 1
    return np.int64(t.memory_item[first_above(t.memory_cdf, s + target / max(own, 1e-30), start, last)])


@part
def _tail_item(t, key, s, week, row, slot, tail, lift, running, tried):
    """Item of the tail's purchase `slot`, or -1."""
    target = compiled_draw(key_of(key, streams.TAIL_GROUP), slot) * running[-1]
    c = first_above(running, target, 0, len(lift))
    if c == len(lift):
        luck = np.float64(compiled_draw(key_of(key, streams.TAIL_ITEM), slot * TRIES))
        item = _known_item(t, s, tail[-1], tried, luck)
        push = push_of(t.push[week], t.deal_factor[s], t.coefficient_promotion_answer[ONCE], item)
        kept = compiled_draw(key_of(key, streams.TAIL_KEPT), slot * TRIES) * _F(THINNING) < exp32(push)
        return item if kept else -1
    place, last = t.category_start[c], t.category_start[c + 1] - 1
    left = target - (running[c - 1] if c else _F(0))
    while place < last and tail[place] * lift[c] <= left:
        left -= tail[place] * lift[c]
        place += 1
    return _as_they_lean(t, key, s, row, t.by_category[place], slot)


@part
def _next_flavour(t, row, item, luck):
    """Item that follows an item of the tail, or -1."""
    product = t.product[item]
    if luck >= t.follow[product]:
        return -1
    luck = np.float64(luck / t.follow[product])
    return _one_of(t, row, t.product_start[product], t.product_start[product + 1], luck)


@part
def tail_purchases(t, key, s, week, count, tail, lift, running, tried, offered, first_of, basket, found):
    """Fill `found` with the items of the tail's `count` purchases and of those that follow them, ascending,
    once each, but for those that are on the shortlist or offered, which was decided there, and those that are
    not wanted beside the `basket` (see `is_wanted`): how many they are."""
    n, row = 0, tail_row(t, s, week)
    for slot in range(count):
        item = _tail_item(t, key, s, week, row, slot, tail, lift, running, tried)
        for step in range(1 + FOLLOWERS):
            if item < 0:
                break
            known, is_offered = place_of(t.shortlist[s], item) >= 0, False
            for other in offered:
                is_offered |= other == item
            left_out = known or is_offered or not is_wanted(t, key, first_of, basket, item)
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
                luck = compiled_draw(key_of(key, streams.FLAVOUR), slot * FOLLOWERS + step)
                item = _next_flavour(t, row, item, luck)
    return n
