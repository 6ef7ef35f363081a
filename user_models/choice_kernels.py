"""A visit of a `ChoiceShopper` compiled for the CPU; `ChoiceShopper` says the same in torch.

One shopper is gone through at a time, in place of some hundred operations on all of them. What saves work:

* An item is bought where an exponential number E = -log(u) is below its rate, and E > 1 - u, so that few
  logarithms are taken.
* A shopper and its twin, n rows apart in a batch of 2n, are at one door on one day with the same luck: what
  does not depend on their histories is done once for both.
* Of the tail, only sums over categories depend on what is in the basket.

A test holds both paths to the same numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from torch import Tensor

from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE
from bundlegym.user_models.choice_fit import GAP_EDGES
from bundlegym.user_models.draws import compiled_draw, compiled_key, compiled_unit
from bundlegym.user_models.numerics import exp32, normal_quantile
from bundlegym.user_models.rhythm import DAY_EDGES, HORIZON, RATIO_EDGES
from bundlegym.user_models.tail import SLOTS, THINNING
from bundlegym.user_models.trips import GAP_EDGES as TRIP_GAP_EDGES
from bundlegym.user_models.utility import (
    AGAIN, CATEGORY, FRAILTY, MISSION, MOST_PULL, NOISE, TAIL, TAIL_GROUP, TAIL_ITEM, TAIL_KEPT, TRIP, UNITS,
    WAIT,
)  # fmt: skip

_F = np.float32
_ONE, _PULL = _F(1), _F(MOST_PULL)
_GAPS, _TRIP_GAPS = np.array(GAP_EDGES, dtype=np.float32), np.array(TRIP_GAP_EDGES)
_DAYS, _RATIOS = np.array(DAY_EDGES), np.array(RATIO_EDGES, dtype=np.float32)

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


class Tables(NamedTuple):
    """Arrays of `ChoiceShopper.tensors` by their names, none of them without a dimension, and four orders of
    them that save searching: see `tables_of`."""

    shortlist: Any
    taste: Any
    interval: Any
    coefficient_gap: Any
    coefficient_mailer: Any
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
    memory_start: Any
    memory_cdf: Any
    memory_item: Any
    mission_spread: Any
    mission_mean: Any
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
    extra_factor: Any
    extra_slope: Any
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


@_compiled
def _key(visit, stream):
    """What the draws of a stream have in common at a visit (seed, episode, number)."""
    return compiled_key(visit[0], visit[1], visit[2], stream)


@_compiled
def _first_above(ascending, x, first, end):
    """The first place in first..end-1 whose value is above x, or `end`."""
    while first < end:
        middle = (first + end) >> 1
        if ascending[middle] <= x:
            first = middle + 1
        else:
            end = middle
    return first


@_compiled
def _mission(t, key, scale, lift):
    """Fill `lift` (C,): what the purpose of the trip multiplies rates by in each category."""
    of_mission, of_category = _key(key, MISSION), _key(key, CATEGORY)
    lift[:] = -scale * t.mission_mean
    for r in range(len(t.purposes)):
        z = normal_quantile(np.float64(compiled_draw(of_mission, r)))
        for c in range(len(lift)):
            lift[c] += z * t.purposes[r, c]
    for c in range(len(lift)):
        if t.mission_spread[c] != 0:
            lift[c] += normal_quantile(np.float64(compiled_draw(of_category, c))) * t.mission_spread[c]
        lift[c] *= scale
    for c in range(len(lift)):
        lift[c] = exp32(lift[c])


@_compiled
def _next_visit(t, key, s, day):
    """Days until the next visit, and whether there is none."""
    seed, episode, _ = key
    if compiled_unit(_key(key, AGAIN)) < t.again[s]:
        return 0, False
    luck = compiled_unit(_key(key, WAIT))
    frailty = normal_quantile(np.float64(compiled_unit(compiled_key(seed, episode, 0, FRAILTY))))
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


@_compiled
def _door(t, key, s, week, since, rate, luck, lift, tail, tail_by_category):
    """What does not depend on what was bought before: the log of the trip's rate; and filled in are of each
    shortlisted item its rate apart from the time since last bought and its luck (L,), of each category what
    the mission multiplies by (C,), of each
    subcategory its rate in the tail apart from that (G + 1,), and the sums of these by category (C,)."""
    chance, size = compiled_unit(_key(key, TRIP)), 0
    while size < t.trip_cdf.shape[1] - 1 and t.trip_cdf[s, size] < chance:
        size += 1
    log_size = t.trip_rate[s, size]
    log_size += t.trip_gap[_first_above(_TRIP_GAPS, since, 0, len(_TRIP_GAPS))]
    _mission(t, key, t.mission_scale[size], lift)
    shortlist, taste, deal = t.shortlist[s], t.taste[s], t.deal_factor[s]
    price_push, promotion_push = t.price_push[week], t.promotion_push[week]
    for i in range(len(shortlist)):
        item = shortlist[i]
        rate[i] = taste[i] + deal * price_push[item] + promotion_push[item] + log_size
    for i in range(len(shortlist)):
        rate[i] = exp32(rate[i])
    noise = _key(key, NOISE)
    for i in range(len(shortlist)):
        rate[i] *= lift[t.category[shortlist[i]]]
        luck[i] = compiled_draw(noise, shortlist[i])
    weight, attraction = t.tail_weight[s], t.tail_attraction[week]
    for g in range(len(weight)):
        tail[g] = weight[g] * attraction[g]
    for c in range(len(lift)):
        part = _F(0)
        for place in range(t.category_start[c], t.category_start[c + 1]):
            part += tail[t.by_category[place]]
        tail_by_category[c] = part
    return log_size


@_compiled
def _since_last_bought(t, s, day, last, effect, rate):
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


@_compiled
def _takes_whole(t, s, week, offered, value, discount, bundle_pull):
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
        price = t.shelf_price[week, offered[a]]
        slope = t.price_slope[offered[a]] * t.deal_factor[s]
        whole += price * np.exp(min(value[a] + gain, _F(20) * slope) / slope)
        if value[a] > 0:
            cherry += price * np.exp(min(value[a] + gain_picked, _F(20) * slope) / slope) - price
        full_price += price
        liking += price / slope
        size += 1
    whole += bundle_pull * liking / max(size, 1) - (_ONE - discount) * full_price
    return size > 0 and whole >= max(cherry, _F(0))


@_compiled
def _tail_rates(t, by_category, lift, memory, running):
    """Fill `running` (C + 1,) with the running sum of the tail's rates by category; what is remembered, of
    all categories, comes last."""
    total = _F(0)
    for c in range(len(lift)):
        total += by_category[c] * lift[c]
        running[c] = total
    running[len(lift)] = total + memory


@_compiled
def _tail_item(t, key, s, week, slot, tail, lift, running):
    """Item of the tail's purchase `slot`, or -1."""
    target = compiled_draw(_key(key, TAIL_GROUP), slot) * running[-1]
    luck = np.float64(compiled_draw(_key(key, TAIL_ITEM), slot))
    c = _first_above(running, target, 0, len(lift))
    if c == len(lift):
        item = t.memory_item[
            _first_above(t.memory_cdf, s + luck, t.memory_start[s], t.memory_start[s + 1] - 1)
        ]
        push = exp32(t.price_push[week, item] + t.promotion_push[week, item])
        kept = compiled_draw(_key(key, TAIL_KEPT), slot) * _F(THINNING) < push
        return item if kept else -1
    place, last = t.category_start[c], t.category_start[c + 1] - 1
    left = target - (running[c - 1] if c else _F(0))
    while place < last and tail[t.by_category[place]] * lift[c] <= left:
        left -= tail[t.by_category[place]] * lift[c]
        place += 1
    group = t.by_category[place]
    start, end = t.tail_start[week, group], t.tail_start[week, group + 1]
    first, last = t.group_start[group], t.group_start[group + 1] - 1
    return t.tail_item[_first_above(t.tail_cdf[week], start + luck * (end - start), first, last)]


@_compiled
def _units(t, key, s, week, item):
    """Units of an item that is bought."""
    extra = t.extra_units[item] * t.extra_factor[s] * np.exp(t.extra_slope[0] * t.rebate[week, item])
    luck, more = compiled_draw(_key(key, UNITS), item), extra / (_ONE + extra)
    return 1 if luck > more else 1 + np.int64(np.floor(np.log(luck) / np.log(more)))


@_compiled
def _place(shortlist, item):
    """Where an item is on a shortlist, or -1."""
    place = _first_above(shortlist, item, 0, len(shortlist)) - 1
    return place if place >= 0 and shortlist[place] == item else -1


@_compiled
def _buys(rate, luck):
    """An exponential number is below the rate; it is at least 1 - luck, which saves most of the logarithms."""
    return _ONE - luck < rate and -np.log(luck) < rate


@_compiled
def _join(t, key, s, week, log_size, lift, offered, items, rate, luck, slots):
    """Where the offered items are among the considered: on the shortlist, or behind it, where those that are
    not there join it for this visit."""
    length = t.shortlist.shape[1]
    for b in range(len(offered)):
        item, place = offered[b], length + b
        items[place], rate[place], luck[place], slots[b] = max(item, 0), 0, _F(0.5), -1
        if item < 0:
            continue
        slots[b] = _place(t.shortlist[s], item)
        if slots[b] < 0:
            slots[b] = place
            push = t.deal_factor[s] * t.price_push[week, item] + t.promotion_push[week, item]
            rate[place] = t.tail_weight[s, t.group[item]] * np.exp(t.log_within[item] + push + log_size)
            rate[place] *= lift[t.category[item]]
            luck[place] = compiled_draw(_key(key, NOISE), item)


@_compiled
def _tail(t, key, s, week, count, tail, lift, running, offered, found):
    """Fill `found` with the items of the tail's `count` purchases, ascending, once each, but for those that
    are on the shortlist or offered, which was decided there: how many they are."""
    n = 0
    for slot in range(count):
        item = _tail_item(t, key, s, week, slot, tail, lift, running)
        known = item < 0 or _place(t.shortlist[s], item) >= 0
        for other in offered:
            known |= other == item
        place = n
        while not known and place > 0 and found[place - 1] >= item:
            known = found[place - 1] == item
            place -= 1
        if not known:
            for i in range(n, place, -1):
                found[i] = found[i - 1]
            found[place] = item
            n += 1
    return n


@_compiled
def _room(length):
    """Columns of purchases: row, item, quantity, price."""
    whole = np.empty((3, length), np.int64)
    return whole[0], whole[1], whole[2], np.empty(length, np.float32)


@_compiled
def _longer(bought, used):
    """Columns twice as long, with what was `used` of the others."""
    more = _room(2 * len(bought[0]))
    for i in range(used):
        more[0][i], more[1][i], more[2][i], more[3][i] = (
            bought[0][i],
            bought[1][i],
            bought[2][i],
            bought[3][i],
        )
    return more


@_compiled
def respond(t, seed, luck_of, state, offer, exposure, bundle_pull):
    """`ChoiceShopper.respond` of N shoppers.

    luck_of: episode, visit (N,); state: shopper, day, since (N,), last (N, L); offer: items (N, B), discount
    (N,); exposure: on the log rate of what is offered. Returns the fields of a `Response`, and `last` (N, L)
    at the door of the next visit.
    """
    (episode, visit), (shopper, day, since, last), (offer_items, discount) = luck_of, state, offer
    (n, length), n_offered, n_categories = last.shape, offer_items.shape[1], len(t.mission_spread)
    width = length + n_offered
    choice, days, left = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    after = last.copy()
    door_rate, rate, luck = (
        np.empty(length, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
    )
    items, slots, found = np.empty(width, np.int64), np.empty(n_offered, np.int64), np.empty(SLOTS, np.int64)
    in_offer, taken, first = np.zeros(width, np.bool_), np.zeros(width, np.bool_), np.zeros(width, np.bool_)
    lift, pull = np.empty(n_categories, np.float32), np.empty(n_categories, np.float32)
    pulled, tail_lift = np.empty(n_categories, np.float32), np.empty(n_categories, np.float32)
    tail, tail_by_category = np.empty(t.tail_weight.shape[1], np.float32), np.empty(n_categories, np.float32)
    running = np.empty(n_categories + 1, np.float32)
    value, effect, boost = np.empty(n_offered, np.float32), np.exp(t.coefficient_gap), np.exp(_F(exposure))
    bought, p = _room(12 * n + width + SLOTS), 0
    half, opened = (n + 1) // 2, -1
    log_size, wait, gone = _F(0), 0, False
    for step in range(2 * half):
        r = step // 2 + step % 2 * half  # a shopper, then the twin
        if r >= n:
            continue
        s, key = shopper[r], (seed, episode[r], visit[r])
        week = min(max(day[r] // 7, 0), len(t.shelf_price) - 1)
        if not (
            opened >= 0 and s == shopper[opened] and day[r] == day[opened] and since[r] == since[opened]
            and episode[r] == episode[opened] and visit[r] == visit[opened]
        ):  # fmt: skip
            log_size = _door(t, key, s, week, since[r], door_rate, luck, lift, tail, tail_by_category)
            wait, gone = _next_visit(t, key, s, day[r])
            items[:length] = t.shortlist[s]
            opened = r
        days[r], left[r] = wait, gone
        rate[:length] = door_rate
        _since_last_bought(t, s, day[r], last[r], effect, rate)

        # The offer comes first.
        offered, in_offer[:] = offer_items[r], False
        _join(t, key, s, week, log_size, lift, offered, items, rate, luck, slots)
        for b in range(n_offered):
            if slots[b] >= 0 and not in_offer[slots[b]]:
                in_offer[slots[b]] = True
                rate[slots[b]] *= boost
        for b in range(n_offered):
            if slots[b] >= 0:
                value[b] = np.log(rate[slots[b]] / -np.log(luck[slots[b]]))
        whole = _takes_whole(t, s, week, offered, value, discount[r], bundle_pull)

        # Then the rest of the basket: what is bought on its own merits, and the bundle, pull or push all the
        # others.
        pull[:] = 0
        for i in range(width):
            taken[i] = whole and in_offer[i]
            first[i] = taken[i] or _buys(rate[i], luck[i])
            if first[i]:
                pull += t.synergy[t.category[items[i]]]
        for c in range(n_categories):
            pulled[c] = exp32(min(max(pull[c], -_PULL), _PULL))
            tail_lift[c] = lift[c] * pulled[c]
        _tail_rates(t, tail_by_category, tail_lift, tail[-1], running)
        arrivals = _key(key, TAIL)
        tail_rate = max(running[-1] * np.exp(log_size), _F(1e-9))
        time = earliest = -np.log(compiled_draw(arrivals, 0)) / tail_rate
        count = 0
        while time < 1 and count < SLOTS:
            count += 1
            time -= np.log(compiled_draw(arrivals, count)) / tail_rate
        start = p
        if p + width + SLOTS > len(bought[0]):
            bought = _longer(bought, p)
        row, item, units, price = bought
        picked = False
        for i in range(width):
            c = t.category[items[i]]
            if first[i]:
                rate[i] *= exp32(min(max(pull[c] - t.synergy[c, c], -_PULL), _PULL))
            else:
                rate[i] *= pulled[c]
            if taken[i] or _buys(rate[i], luck[i]):
                item[p] = i
                p += 1

        # Whoever came buys something: of all that was not enough, what came nearest.
        if p == start and count == 0:
            best = 0
            for i in range(width):
                if -np.log(luck[i]) * rate[best] < -np.log(luck[best]) * rate[i]:
                    best = i
            if earliest * rate[best] < -np.log(luck[best]):
                count = 1
            else:
                item[p] = best
                p += 1
        for q in range(start, p):
            i = item[q]
            picked |= in_offer[i] and not taken[i]
            if i < length and not (taken[i] and last[r, i] < 0):
                after[r, i] = day[r]
            item[q] = items[i]
            units[q] = _units(t, key, s, week, items[i])
            off = discount[r] if taken[i] else _F(0)
            price[q] = t.shelf_price[week, items[i]] * (_ONE - off / units[q])
        for j in range(_tail(t, key, s, week, count, tail, tail_lift, running, offered, found)):
            item[p], units[p] = found[j], _units(t, key, s, week, found[j])
            price[p] = t.shelf_price[week, found[j]]
            p += 1
        row[start:p] = r
        choice[r] = TAKE if whole else CHERRY_PICK if picked else IGNORE
    return choice, row[:p], item[:p], units[:p], price[:p], days, left, after
