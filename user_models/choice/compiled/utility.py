"""See `reference.utility`: what each item is worth to a shopper at a visit, one shopper at a time."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.bounds import MOST_PULL
from bundlegym.user_models.choice.compiled.layout import PRICE_EFFECT, PROMOTION_EFFECT, Tables
from bundlegym.user_models.choice.compiled.parts import (
    Array,
    Key,
    first_above,
    key_of,
    multiply_by,
    part,
)
from bundlegym.user_models.choice.compiled.trip_effects import mission_effect
from bundlegym.user_models.components.basket_size import GAP_EDGES as SIZE_GAP_EDGES
from bundlegym.user_models.components.basket_size import LAST_EDGES, LOG_GRID
from bundlegym.user_models.components.marketing import GAP_EDGES
from bundlegym.user_models.numeric.fast_math import exp32, log32, normal32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw, compiled_unit

_F = np.float32
_ONE, _PULL = _F(1), _F(MOST_PULL)
_GAPS, _TRIP_GAPS = np.array(GAP_EDGES, dtype=np.float32), np.array(SIZE_GAP_EDGES)
_GAP_BINS = np.int32(len(GAP_EDGES) + 2)


@part
def marketing_effect(effects: Array, price_sensitivity: float, sensitivity: float, item: int) -> float:
    """What the price, display and mailer of a week (`Tables.week_effects`) add to an item's log rate;
    `sensitivity` is that of the item's familiarity to promotions."""
    return price_sensitivity * effects[item, PRICE_EFFECT] + sensitivity * effects[item, PROMOTION_EFFECT]


@part
def tail_row(p: Tables, s: int, week: int) -> int:
    """The row of tables of the tail for a shopper in a week."""
    return p.sensitivity_class[s] * len(p.prices) + week


@part
def explore_effect(p: Tables, key: Key, size: int, gap: int) -> float:
    """What rates of what is new are multiplied by on a trip of a size, some days after the last."""
    spread = p.explore_spread[0]
    shock = spread * normal32(compiled_unit(key_of(key, streams.EXPLORATION))) - spread * spread / _F(2)
    return p.explore_factor[size] * exp32(shock + p.recency_of_new[gap])


@part
def door(
    p: Tables,
    key: Key,
    s: int,
    week: int,
    since: int,
    last_size_class: int,
    rate: Array,
    need: Array,
    lift: Array,
    normal: Array,
    tail: Array,
    tail_by_category: Array,
) -> tuple[float, int, int, float]:
    """What does not depend on what was bought before: the log of the trip's rate, its size, its class as
    planned, and what it multiplies rates of what is new by; and filled in are of each shortlisted item its
    rate apart from the time since last bought and what that must exceed (L,), of each category what the trip
    effects multiply by (C,), of each subcategory its rate in the tail apart from that (G + 1,), and the sums
    of these by category (C,)."""
    chance, size = compiled_unit(key_of(key, streams.SIZE)), 0
    while size < p.size_cdf.shape[1] - 1 and p.size_cdf[s, size] < chance:
        size += 1
    log_size = p.log_size_rate[s, size]
    gap = first_above(_TRIP_GAPS, since, 0, len(_TRIP_GAPS))
    factor = p.log_gap_factor[last_size_class, gap]
    log_size += factor
    over_mean = max(LOG_GRID[size] + factor, _F(0)) - p.usual_log_size[s]
    trip = first_above(LAST_EDGES, over_mean, 0, len(LAST_EDGES))
    mission_effect(p, key, size, lift, normal)
    # Each loop touches few arrays: the compiler makes vector code where it can tell that they do not overlap.
    shortlist, taste, effects, price_sensitivity = (
        p.shortlist[s],
        p.log_preference[s],
        p.week_effects[week],
        p.price_sensitivity[s],
    )
    level, familiarity, sensitivity = p.size_factor[size], p.familiarity[s], p.promotion_sensitivity
    for i in range(len(shortlist)):
        rate[i] = marketing_effect(effects, price_sensitivity, sensitivity[familiarity[i]], shortlist[i])
    for r in range(p.campaign_member.shape[1]):
        if p.campaign_member[s, r] and p.campaign_week[week, r] > 0:
            for i in range(len(shortlist)):
                rate[i] += p.campaign_week[week, r] * p.coupon_utility[r, shortlist[i]]
    for i in range(len(shortlist)):
        rate[i] = exp32(rate[i] + taste[i] + log_size)
    multiply_by(lift, p.short_category[s], rate)
    multiply_by(level, p.short_subcategory[s], rate)
    noise = key_of(key, streams.NOISE)
    for i in range(len(shortlist)):
        need[i] = needed(noise, shortlist[i])
    weight, attraction = p.tail_weight[s], p.tail_attraction[tail_row(p, s, week)]
    new, n_groups = explore_effect(p, key, size, gap), len(weight) - 1
    for g in range(n_groups):
        tail[g] = weight[g] * attraction[g] * level[g] * new
    tail[n_groups] = weight[n_groups]  # what is remembered
    place = 0
    for c in range(len(lift)):
        whole = _F(0)
        while place < p.category_start[c + 1]:
            whole += tail[place]
            place += 1
        tail_by_category[c] = whole
    return log_size, size, trip, new


@part
def needed(noise: int, item: int) -> float:
    """The exponential number that an item's rate must exceed for it to be bought."""
    return -log32(compiled_draw(noise, item))


@part
def recency_effect(
    p: Tables,
    s: int,
    day: int,
    last: Array,
    effect: Array,
    of_subcategory: Array,
    latest: Array,
    often: Array,
    bins: Array,
    rate: Array,
) -> None:
    """Multiply the rates of the shortlist by the `effect`, laid flat, of how familiar each item is and of the
    time since it was last bought, and by that `of_subcategory`, of the time since its subcategory was; of
    each of these, `latest` and `often` (G,) become when it was last bought, and 1 over its interval."""
    interval, familiarity, group = p.purchase_interval[s], p.familiarity[s], p.short_subcategory[s]
    today = np.int32(day)
    for i in range(len(interval)):
        bins[i] = _recency_bin(today, last[i], interval[i])
    for i in range(len(interval)):
        bins[i] = np.int32(familiarity[i]) * _GAP_BINS + (bins[i] if last[i] >= 0 else 0)
        latest[group[i]], often[group[i]] = -1, 0
    multiply_by(effect, bins, rate)
    for i in range(len(interval)):
        latest[group[i]] = max(latest[group[i]], last[i])
        often[group[i]] += _ONE / interval[i]
    for i in range(len(interval)):
        g = group[i]
        bins[i] = _recency_bin(today, latest[g], _ONE / often[g]) if latest[g] >= 0 else 0
    multiply_by(of_subcategory, bins, rate)


@part
def _recency_bin(day: int, last: int, interval: float) -> np.int32:
    """The bin of the time since something was last bought that was."""
    ratio, bin_ = _F(day - np.int32(last)) / interval, np.int32(1)
    for edge in _GAPS:
        bin_ += np.int32(ratio > edge)
    return bin_


@part
def unbought(p: Tables, s: int, item: int) -> float:
    """The rate, by the shopper's preference alone, of an item never bought."""
    group = p.subcategory[item]
    own = p.log_within[item] - p.attribute_log_total[s, group]
    for k in range(p.attribute.shape[1]):
        own += p.attribute_taste[s, k] * p.attribute[item, k]
    return p.tail_weight[s, p.subcategory_place[group]] * exp32(own)


@part
def pull_effect(pull: float) -> float:
    """What a pull on log rates multiplies rates by."""
    # Here, and not in `respond`, which is too large for the compiler to put min and max into its loops.
    return exp32(min(max(pull, -_PULL), _PULL))


@part
def pull_by(pull: Array, lift: Array, pulled: Array, tail_lift: Array) -> None:
    """Fill `pulled` with the factors of each category's pull (C,), `tail_lift` with these times `lift`."""
    for c in range(len(pull)):
        pulled[c] = pull_effect(pull[c])
    for c in range(len(pull)):
        tail_lift[c] = lift[c] * pulled[c]
