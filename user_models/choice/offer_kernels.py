"""What an offer does at a visit of a `ChoiceShopper`, compiled for the CPU, for one shopper at a time."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models import streams
from bundlegym.user_models.choice.arrays import SHELF_PRICE
from bundlegym.user_models.choice.features import NEW, ONCE
from bundlegym.user_models.choice.tail import THINNING
from bundlegym.user_models.choice.tail_kernels import tried_weight
from bundlegym.user_models.choice.visit_kernels import (
    first_above,
    key_of,
    needed,
    part,
    place_of,
    push_of,
    unbought,
)
from bundlegym.user_models.draws import compiled_draw
from bundlegym.user_models.numerics import exp32

_F = np.float32
_ONE = _F(1)


@part
def takes_whole(t, s, week, offered, value, discount, bundle_pull):
    """See `bundling.takes_whole`."""
    whole = cherry = full_price = liking = _F(0)
    size = 0
    for a in range(len(offered)):
        if offered[a] < 0:
            continue
        gain = gain_picked = _F(0)
        for b in range(len(offered)):
            if b != a and offered[b] >= 0:
                synergy = t.synergy[t.category[offered[b]], t.category[offered[a]]]
                gain += synergy
                if value[b] > 0:
                    gain_picked += synergy
        price = t.price[week, offered[a], SHELF_PRICE]
        slope = t.price_slope[offered[a]] * t.deal_factor[s]
        whole += price * exp32(min(value[a] + gain, _F(20) * slope) / slope)
        if value[a] > 0:
            cherry += price * exp32(min(value[a] + gain_picked, _F(20) * slope) / slope) - price
        full_price += price
        liking += price / slope
        size += 1
    whole += bundle_pull * liking / max(size, 1) - (_ONE - discount) * full_price
    return size > 0 and whole >= max(cherry, _F(0))


@part
def tried_rate(t, tried, item):
    """What the purchases `tried` (TRIED,) of an item add to its rate."""
    times, total = 0, _F(0)
    for other in tried:
        times += other == item
    if times > 0:  # seldom
        for place in range(len(tried)):
            if tried[place] == item:
                total += tried_weight(t, tried, place)
    return total


@part
def _remembered(t, s, item):
    """Rate of an item that is not on the shortlist, as remembered from before; 0 if it is not."""
    start, end = np.int64(t.memory_start[s]), np.int64(t.memory_start[s + 1])
    place = first_above(t.memory_item, item - 1, start, end)
    if place == end or t.memory_item[place] != item:
        return _F(0)
    share = t.memory_cdf[place] - (t.memory_cdf[place - 1] if place > start else np.float64(s))
    return _F(share) * t.tail_weight[s, -1] / _F(THINNING)


@part
def leaves_habit(t, key, item):
    """Whether an item first tried in a bundle is remembered."""
    return compiled_draw(key_of(key, streams.TRIAL), item) < t.trial_habit[0]


@part
def join(t, key, s, week, log_size, size, new, lift, tried, offered, considered, slots, answer):
    """Where the offered items are among the `considered` (items, category, rate, need): on the shortlist, or
    behind it, where those that are not there join it for this visit; and their `answer` to promotions."""
    items, category, rate, need = considered
    length = t.shortlist.shape[1]
    for b in range(len(offered)):
        item, place = offered[b], length + b
        items[place], category[place], rate[place], need[place], slots[b] = 0, 0, 0, _ONE, -1
        if item < 0:
            continue
        slots[b] = place_of(t.shortlist[s], item)
        if slots[b] >= 0:
            answer[b] = t.coefficient_promotion_answer[t.familiarity[s, slots[b]]]
        else:
            items[place], slots[b] = item, place
            category[place] = t.category[item]
            remembered, again = _remembered(t, s, item), tried_rate(t, tried, item)
            answer[b] = t.coefficient_promotion_answer[ONCE if remembered + again > 0 else NEW]
            push = push_of(t.push[week], t.deal_factor[s], answer[b], item)
            for r in range(t.campaign_member.shape[1]):
                if t.campaign_member[s, r]:
                    push += t.campaign_week[week, r] * t.coupon_push[r, item]
            level = t.group_factor[size, t.group_place[t.group[item]]]
            own = remembered
            if remembered == 0:
                own = unbought(t, s, item) * new * exp32(t.drift_of_rest[week, item])
            own += again / _F(THINNING)
            rate[place] = own * lift[category[place]] * level * exp32(push + log_size)
            need[place] = needed(key_of(key, streams.NOISE), item)
