"""What `offers` and `exposures` say in torch, compiled for the CPU, for one shopper at a time."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.compiled.layout import SHELF_PRICE
from bundlegym.user_models.choice.compiled.long_tail import tried_weight
from bundlegym.user_models.choice.compiled.utility import (
    first_above,
    key_of,
    needed,
    part,
    place_of,
    push_of,
    unbought,
)
from bundlegym.user_models.choice.config import THINNING
from bundlegym.user_models.choice.reference.exposure import RUNS
from bundlegym.user_models.components.marketing import NEW, ONCE
from bundlegym.user_models.numeric.fast_math import exp32, log32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import compiled_draw

_F = np.float32
_ONE = _F(1)


@part
def _holds(list_, n, x):
    """Whether one of the first n places of a list is x."""
    found = False
    for q in range(n):
        found |= list_[q] == x
    return found


@part
def tried_rate(p, tried, item):
    """What the purchases `tried` (TRIED,) of an item add to its rate."""
    times, total = 0, _F(0)
    for other in tried:
        times += other == item
    if times > 0:  # seldom
        for place in range(len(tried)):
            if tried[place] == item:
                total += tried_weight(p, tried, place)
    return total


@part
def _remembered(p, s, item):
    """Rate of an item that is not on the shortlist, as remembered from before; 0 if it is not."""
    start, end = np.int64(p.memory_start[s]), np.int64(p.memory_start[s + 1])
    place = first_above(p.memory_item, item - 1, start, end)
    if place == end or p.memory_item[place] != item:
        return _F(0)
    share = p.memory_cdf[place] - (p.memory_cdf[place - 1] if place > start else np.float64(s))
    return _F(share) * p.tail_weight[s, -1] / _F(THINNING)


@part
def leaves_habit(p, key, item):
    """Whether an item first tried in a bundle is remembered."""
    return compiled_draw(key_of(key, streams.HABIT), item) < p.habit_prob[0]


@part
def appraise(
    p, key, s, week, at_door, tail_lift, tried, offered, in_basket, basket, first_of, need, rate, out
):
    """Fill what each offered item is worth to a shopper beside what is bought without an offer: its place
    among the considered (-1 for none), the utility that it lacks, whether it is `wanted` anyway, and its
    answer to promotions; see `offers.appraise`."""
    (log_size, size, new), (held, n_held, found, n_found, items) = at_door, basket
    (slots, value, wanted, answer), length = out, p.shortlist.shape[1]
    for b in range(len(offered)):
        item, slots[b], value[b], wanted[b], answer[b] = offered[b], -1, _F(0), False, _F(0)
        if item < 0:
            continue
        group = p.subcategory[item]
        g = exp32(p.substitution[group])
        place, first = place_of(p.shortlist[s], item), first_of[group]
        if place >= 0:
            slots[b], wanted[b] = place, in_basket[place]
            answer[b] = p.promotion_sensitivity[p.familiarity[s, place]]
            limit = _ONE
            if first >= 0 and p.product_line[items[first]] != p.product_line[item]:
                begin = min(need[first] / rate[first], _ONE)
                limit = begin + (_ONE - begin) * g
            if not wanted[b]:
                value[b] = min(log32(limit * rate[place] / need[place]), _F(0))
            continue
        slots[b], wanted[b] = length + b, _holds(found, n_found, item)
        remembered, again = _remembered(p, s, item), tried_rate(p, tried, item)
        answer[b] = p.promotion_sensitivity[ONCE if remembered + again > 0 else NEW]
        if wanted[b]:
            continue
        push = push_of(p.week_effects[week], p.price_sensitivity[s], answer[b], item)
        for r in range(p.campaign_member.shape[1]):
            if p.campaign_member[s, r]:
                push += p.campaign_week[week, r] * p.coupon_utility[r, item]
        own = remembered
        if remembered == 0:
            own = unbought(p, s, item) * new * exp32(p.shock_of_rest[week, item])
            if again == 0:  # what is remembered is drawn whatever the trip is for
                own *= tail_lift[p.category[item]] * p.size_factor[size, p.subcategory_place[group]]
        own = (own + again / _F(THINNING)) * exp32(push + log_size)
        if first >= 0:
            variant = False
            for q in range(n_held):
                variant |= p.product_line[held[q]] == p.product_line[item]
            if not variant:
                own *= g
        value[b] = -log32(_ONE + needed(key_of(key, streams.NOISE), item) / own)


@part
def expose(p, exposure, week, offered, memory, answer, run, push):
    """Fill the weeks in a row that each offered item is offered, and what being offered adds to it."""
    shown, shown_week, shown_run = memory
    for b in range(len(offered)):
        run[b] = 1
        for j in range(len(shown)):
            if offered[b] >= 0 and shown[j] == offered[b] and week - shown_week[j] <= 1:
                run[b] = min(shown_run[j] + (week != shown_week[j]), RUNS)
        push[b] = exposure * p.wear_out[run[b] - 1] * answer[b]


@part
def remember(week, offered, run, before, after):
    """Fill the memory of what was offered, (SHOWN,) items, weeks and runs, `after` that `before`."""
    (shown, shown_week, shown_run), (to_shown, to_week, to_run) = before, after
    n, room = 0, len(to_shown)
    for b in range(len(offered)):
        if offered[b] >= 0 and n < room:
            to_shown[n], to_week[n], to_run[n] = offered[b], week, run[b]
            n += 1
    for j in range(len(shown)):
        old = shown[j] < 0 or week - shown_week[j] > 1 or _holds(offered, len(offered), shown[j])
        if not old and n < room:
            to_shown[n], to_week[n], to_run[n] = shown[j], shown_week[j], shown_run[j]
            n += 1
    for j in range(n, room):
        to_shown[j] = to_week[j] = to_run[j] = -1


@part
def pair_up(p, offered, wanted, value, beside):
    """See `offers.beside_each_other`."""
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


@part
def takes_whole(p, s, week, offered, wanted, value, discount, bundle_pull):
    """See `bundling.takes_whole`."""
    short = full = liking = _F(0)
    size = missing = 0
    for b in range(len(offered)):
        if offered[b] < 0:
            continue
        price = p.prices[week, offered[b], SHELF_PRICE]
        slope = p.price_slope[offered[b]] * p.price_sensitivity[s]
        full += price
        liking += price * (_ONE - exp32(-bundle_pull / slope))
        size += 1
        if not wanted[b]:
            missing += 1
            short += price * (_ONE - exp32(value[b] / slope))
    saving = discount * full + liking / max(size, 1)
    return size > 0 and (missing == 0 or (saving > 0 and saving >= short))
