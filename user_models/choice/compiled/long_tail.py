"""See `reference.long_tail`: purchases off the shortlist, for one shopper at a time."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.bounds import FOLLOWERS, SLOTS, THINNING, TRIES
from bundlegym.user_models.choice.compiled.layout import Tables
from bundlegym.user_models.choice.compiled.parts import (
    Array,
    Key,
    first_above,
    key_of,
    part,
    place_of,
)
from bundlegym.user_models.choice.compiled.recent_trials import trial_weight
from bundlegym.user_models.choice.compiled.substitution import still_wanted
from bundlegym.user_models.choice.compiled.utility import marketing_effect, tail_row
from bundlegym.user_models.components.marketing import ONCE
from bundlegym.user_models.numeric.fast_math import exp32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw

_F = np.float32
MOST_ITEMS = SLOTS * (1 + FOLLOWERS)


@part
def tail_rates(p: Tables, by_category: Array, lift: Array, memory: float, running: Array) -> None:
    """Fill `running` (C + 1,) with the running sum of the tail's rates by category; what is remembered, of
    all categories, comes last."""
    total = _F(0)
    for c in range(len(lift)):
        total += by_category[c] * lift[c]
        running[c] = total
    running[len(lift)] = total + memory


@part
def _one_of(p: Tables, row: int, start: int, end: int, luck: float) -> int:
    """One of the items from place `start` up to `end` in `tail_item`, by their attraction."""
    cdf, last = p.tail_cdf[row], end - 1
    low = cdf[start - 1] if start > 0 else np.float64(row)
    return p.tail_item[first_above(cdf, low + luck * (cdf[last] - low), start, last)]


@part
def _by_attribute_tastes(p: Tables, key: Key, s: int, row: int, group: int, slot: int) -> int:
    """An item of a subcategory by its attraction and the shopper's attribute tastes."""
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
def _known_item(p: Tables, s: int, memory: float, trials: Array, luck: float) -> np.int64:
    """An item remembered, of the weight `memory`, or one of those `trials`."""
    own, total = np.float64(memory), np.float64(0)
    for each in range(len(trials)):
        total += trial_weight(p, trials, each)
    target = luck * (own + total)
    if target >= own and len(trials) > 0:
        place = np.int64(0)  # typed: for a literal, a part is compiled once more
        running = own + trial_weight(p, trials, place)
        while place < len(trials) - 1 and running <= target:
            place += 1
            running += trial_weight(p, trials, place)
        return np.int64(trials[place])
    start, last = p.memory_start[s], p.memory_start[s + 1] - 1
    return np.int64(p.memory_item[first_above(p.memory_cdf, s + target / max(own, 1e-30), start, last)])


@part
def _item_of(
    p: Tables,
    key: Key,
    s: int,
    week: int,
    row: int,
    slot: int,
    tail: Array,
    lift: Array,
    running: Array,
    trials: Array,
) -> int:
    """Item of the tail's purchase `slot`, or -1."""
    target = compiled_draw(key_of(key, streams.TAIL_SUBCATEGORY), slot) * running[-1]
    c = first_above(running, target, 0, len(lift))
    if c == len(lift):
        luck = np.float64(compiled_draw(key_of(key, streams.TAIL_ITEM), slot * TRIES))
        item = _known_item(p, s, tail[-1], trials, luck)
        added_utility = marketing_effect(
            p.week_effects[week], p.price_sensitivity[s], p.promotion_sensitivity[ONCE], item
        )
        kept = compiled_draw(key_of(key, streams.TAIL_KEPT), slot * TRIES) * _F(THINNING)
        return item if kept < exp32(added_utility) else -1
    place, last = p.category_start[c], p.category_start[c + 1] - 1
    left = target - (running[c - 1] if c else _F(0))
    while place < last and tail[place] * lift[c] <= left:
        left -= tail[place] * lift[c]
        place += 1
    return _by_attribute_tastes(p, key, s, row, p.by_category[place], slot)


@part
def _follower(p: Tables, row: int, item: int, luck: float) -> int:
    """Item that follows an item of the tail, or -1."""
    product = p.product_line[item]
    if luck >= p.follow_prob[product]:
        return -1
    luck = np.float64(luck / p.follow_prob[product])
    return _one_of(p, row, p.product_line_start[product], p.product_line_start[product + 1], luck)


@part
def bought_in_tail(
    p: Tables,
    key: Key,
    s: int,
    week: int,
    count: int,
    tail: Array,
    lift: Array,
    running: Array,
    trials: Array,
    offered: Array,
    first_of: Array,
    basket: Array,
    found: Array,
) -> int:
    """Fill `found` with the items of the tail's `count` purchases and of those that follow them, ascending,
    once each, but for those that are on the shortlist or offered, which was decided there, and those that are
    not wanted beside the `basket` (see `still_wanted`): how many they are."""
    n, row = 0, tail_row(p, s, week)
    for slot in range(count):
        item = _item_of(p, key, s, week, row, slot, tail, lift, running, trials)
        for step in range(1 + FOLLOWERS):
            if item < 0:
                break
            known, is_offered = place_of(p.shortlist[s], item) >= 0, False
            for other in offered:
                is_offered |= other == item
            left_out = known or is_offered or not still_wanted(p, key, first_of, basket, item)
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
                item = _follower(p, row, item, luck)
    return n
