"""What `utility` and `rhythm` say in torch, compiled for the CPU, for one shopper at a time.

`kernels` makes a visit of it, of `enough_kernels` and of `tail_kernels`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bundlegym.compiling import njit
from bundlegym.user_models.choice.compiled.layout import PRICE_EFFECT, PROMOTION_EFFECT, SHOCK, TOGETHER
from bundlegym.user_models.choice.config import MOST_PULL
from bundlegym.user_models.components.basket_size import GAP_EDGES as SIZE_GAP_EDGES
from bundlegym.user_models.components.basket_size import LAST_EDGES, LOG_GRID
from bundlegym.user_models.components.incidence import DAY_EDGES, HORIZON, RATIO_EDGES
from bundlegym.user_models.components.marketing import GAP_EDGES
from bundlegym.user_models.numeric.fast_math import exp32, log32, normal32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import compiled_draw, compiled_key, compiled_unit

_F = np.float32
_ONE, _PULL = _F(1), _F(MOST_PULL)
_GAPS, _TRIP_GAPS = np.array(GAP_EDGES, dtype=np.float32), np.array(SIZE_GAP_EDGES)
_GAP_BINS = np.int32(len(GAP_EDGES) + 2)
_DAYS, _RATIOS = np.array(DAY_EDGES), np.array(RATIO_EDGES, dtype=np.float32)

_OPTIONS: Any = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}
compiled = njit(nogil=True, **_OPTIONS)
#: A part of a visit. It allocates nothing, so that it need not count references: to count those of all tables
#: costs more than most parts do.
part = njit(**_OPTIONS | {"forceinline": True, "_nrt": False})


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
def push_of(push, deal_factor, answer, item):
    """What the price, display, mailer and drift of a week (`Tables.push`) add to an item's log rate; `answer`
    is that of the item's familiarity to promotions."""
    return deal_factor * push[item, PRICE_EFFECT] + answer * push[item, PROMOTION_EFFECT] + push[item, SHOCK]


@part
def tail_row(p, s, week):
    """The row of tables of the tail for a shopper in a week."""
    return p.sensitivity_class[s] * len(p.prices) + week


@part
def _mission(p, key, size, lift, normal):
    """Fill `lift` (C,): what missions and purposes of a trip of a size multiply rates by in each category."""
    of_mission, of_category = key_of(key, streams.MISSION), key_of(key, streams.CATEGORY)
    missions, own = len(p.missions), len(p.spread_category)
    for r in range(missions):
        normal[r] = normal32(compiled_draw(of_mission, r))
    for i in range(own):
        normal[missions + i] = normal32(compiled_draw(of_category, p.spread_category[i]))
    lift[:] = 0
    for r in range(0, missions, TOGETHER):
        # Some at a time: to read and write `lift` takes longer than to multiply.
        for c in range(len(lift)):
            more = _F(0)
            for q in range(r, r + TOGETHER):
                more += normal[q] * p.missions[q, c]
            lift[c] += more
    for i in range(own):
        c = p.spread_category[i]
        lift[c] += normal[missions + i] * p.mission_spread[c]
    of_department, spread = key_of(key, streams.DEPARTMENT), p.department_spread[size]
    for d in range(len(spread)):
        normal[d] = spread[d] * normal32(compiled_draw(of_department, d)) - spread[d] * spread[d] / _F(2)
    level, scale = p.category_level[size], p.mission_scale[size]
    # Apart from the exponentials, since no vector code is made of a loop that looks up.
    for c in range(len(lift)):
        lift[c] = scale * lift[c] + normal[p.department_of_category[c]]
    for c in range(len(lift)):
        lift[c] = exp32(lift[c] + level[c])


@part
def next_visit(p, key, s, day, trip):
    """Days from a visit of a class until the next, and whether there is none."""
    seed, episode, _ = key
    if compiled_unit(key_of(key, streams.SAME_DAY)) < p.same_day_prob[s]:
        return 0, False
    luck = compiled_unit(key_of(key, streams.WAIT))
    frailty = normal32(compiled_unit(compiled_key(seed, episode, 0, streams.FRAILTY)))
    own = p.frailty[0] * frailty
    own += p.hazard_level[0] + p.hazard_own[s]
    stays_away, by_day, by_ratio = _ONE, 0, 0
    for ahead in range(HORIZON):
        away = 1 + ahead
        while by_day < len(_DAYS) and away >= _DAYS[by_day]:
            by_day += 1
        while by_ratio < len(_RATIOS) and _F(away) * p.visit_rate[s] >= _RATIOS[by_ratio]:
            by_ratio += 1
        score = own + p.hazard_weekday[0] * p.weekday[s, (day + away) % 7]
        score += p.hazard_day[trip, by_day]
        score += p.hazard_ratio[by_ratio] + p.irregularity[s] * p.hazard_irregular[by_ratio]
        stays_away /= _ONE + exp32(score)
        if stays_away < luck:
            return ahead + 1, False
    return HORIZON, True


@part
def _new_factor(p, key, size, gap):
    """What rates of what is new are multiplied by on a trip of a size, some days after the last."""
    spread = p.explore_spread[0]
    shock = spread * normal32(compiled_unit(key_of(key, streams.EXPLORATION))) - spread * spread / _F(2)
    return p.explore_factor[size] * exp32(shock + p.recency_of_new[gap])


@part
def door(p, key, s, week, since, last_trip, rate, need, lift, normal, tail, tail_by_category):
    """What does not depend on what was bought before: the log of the trip's rate, its size, its class as
    planned, and what it multiplies rates of what is new by; and filled in are of each shortlisted item its
    rate apart from the time since last bought and what that must exceed (L,), of each category what the
    purposes multiply by (C,), of each subcategory its rate in the tail apart from that (G + 1,), and the sums
    of these by category (C,)."""
    chance, size = compiled_unit(key_of(key, streams.SIZE)), 0
    while size < p.size_cdf.shape[1] - 1 and p.size_cdf[s, size] < chance:
        size += 1
    log_size = p.log_size_rate[s, size]
    gap = first_above(_TRIP_GAPS, since, 0, len(_TRIP_GAPS))
    factor = p.log_gap_factor[last_trip, gap]
    log_size += factor
    over_mean = max(LOG_GRID[size] + factor, _F(0)) - p.usual_log_size[s]
    trip = first_above(LAST_EDGES, over_mean, 0, len(LAST_EDGES))
    _mission(p, key, size, lift, normal)
    # Each loop touches few arrays: the compiler makes vector code where it can tell that they do not overlap.
    shortlist, taste, push, deal_factor = (
        p.shortlist[s],
        p.log_preference[s],
        p.week_effects[week],
        p.price_sensitivity[s],
    )
    level, familiarity, answer = p.size_factor[size], p.familiarity[s], p.promotion_sensitivity
    for i in range(len(shortlist)):
        rate[i] = push_of(push, deal_factor, answer[familiarity[i]], shortlist[i])
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
    new, n_groups = _new_factor(p, key, size, gap), len(weight) - 1
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
def multiply_by(factor, code, rate):
    """Multiply rates by the factor of each one's code."""
    for i in range(len(code)):
        rate[i] *= factor[code[i]]


@part
def needed(noise, item):
    """The exponential number that an item's rate must exceed for it to be bought."""
    return -log32(compiled_draw(noise, item))


@part
def since_last_bought(p, s, day, last, effect, bins, rate):
    """Multiply the rates of the shortlist by the `effect`, laid flat, of how familiar each item is and of the
    time since it was last bought."""
    interval, familiarity, today = p.purchase_interval[s], p.familiarity[s], np.int32(day)
    for i in range(len(interval)):
        ratio = _F(today - np.int32(last[i])) / interval[i]
        bin_ = np.int32(1)
        for edge in _GAPS:
            bin_ += np.int32(ratio > edge)
        bins[i] = bin_
    for i in range(len(interval)):
        bins[i] = np.int32(familiarity[i]) * _GAP_BINS + (bins[i] if last[i] >= 0 else 0)
    multiply_by(effect, bins, rate)


@part
def unbought(p, s, item):
    """The rate, by the shopper's taste alone, of an item never bought."""
    group = p.subcategory[item]
    own = p.log_within[item] - p.attribute_log_total[s, group]
    for k in range(p.attribute.shape[1]):
        own += p.attribute_taste[s, k] * p.attribute[item, k]
    return p.tail_weight[s, p.subcategory_place[group]] * exp32(own)


@part
def pull_factor(pull):
    """What a pull on log rates multiplies rates by."""
    # Here, and not in `respond`, which is too large for the compiler to put min and max into its loops.
    return exp32(min(max(pull, -_PULL), _PULL))


@part
def pull_by(pull, lift, pulled, tail_lift):
    """Fill `pulled` with the factors of each category's pull (C,), `tail_lift` with these times `lift`."""
    for c in range(len(pull)):
        pulled[c] = pull_factor(pull[c])
    for c in range(len(pull)):
        tail_lift[c] = lift[c] * pulled[c]


@part
def place_of(shortlist, item):
    """Where an item is on a shortlist, or -1."""
    place = first_above(shortlist, item, 0, len(shortlist)) - 1
    return place if place >= 0 and shortlist[place] == item else -1
