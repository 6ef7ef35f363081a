"""A visit of a `ChoiceShopper` compiled for the CPU; `ChoiceShopper` says the same in torch.

One shopper is gone through at a time, in place of some hundred operations on all of them. What saves work:

* An item is bought where an exponential number E = -log(u) is below its rate, and E > 1 - u, so that few
  logarithms are taken.
* A shopper and its twin, n rows apart in a batch of 2n, are at one door on one day with the same luck: what
  does not depend on their histories is done once for both; and the twin of one whom the offer did not move,
  and who remembers the same, buys the same.
* Of the tail, only sums over categories depend on what is in the basket.

A test holds both paths to the same numbers.
"""

from __future__ import annotations

import numpy as np

from bundlegym.user_models import streams
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE
from bundlegym.user_models.draws import compiled_draw
from bundlegym.user_models.numerics import exp32
from bundlegym.user_models.tail import FOLLOWERS, SLOTS
from bundlegym.user_models.utility import MOST_PULL
from bundlegym.user_models.visit_kernels import (
    compiled,
    door,
    first_above,
    key_of,
    next_flavour,
    next_visit,
    part,
    place_of,
    since_last_bought,
    tail_item,
    tail_rates,
)

_F = np.float32
_TAIL = SLOTS * (1 + FOLLOWERS)  # items at most
_ONE, _PULL = _F(1), _F(MOST_PULL)


@part
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


@part
def _units(t, key, s, week, item):
    """Units of an item that is bought."""
    extra = t.extra_units[item] * t.extra_factor[s] * np.exp(t.extra_slope[0] * t.rebate[week, item])
    cdf = t.units_cdf[first_above(t.units_edges, extra, 0, len(t.units_edges))]
    luck = compiled_draw(key_of(key, streams.UNITS), item)
    if compiled_draw(key_of(key, streams.ALIKE), item) < t.units_alike[0]:
        luck = compiled_draw(key_of(key, streams.GROUP_UNITS), t.group[item])
    units = 1
    while units < len(cdf) and luck > cdf[units - 1]:
        units += 1
    return units


@part
def _buys(rate, luck):
    """An exponential number is below the rate; it is at least 1 - luck, which saves most logarithms."""
    return _ONE - luck < rate and -np.log(luck) < rate


@part
def _leaves_habit(t, key, item):
    """Whether an item first tried in a bundle is remembered."""
    return compiled_draw(key_of(key, streams.TRIAL), item) < t.trial_habit[0]


@part
def _join(t, key, s, week, log_size, lift, offered, items, rate, luck, slots):
    """Where the offered items are among the considered: on the shortlist, or behind it, where those that are
    not there join it for this visit."""
    length = t.shortlist.shape[1]
    for b in range(len(offered)):
        item, place = offered[b], length + b
        items[place], rate[place], luck[place], slots[b] = max(item, 0), 0, _F(0.5), -1
        if item < 0:
            continue
        slots[b] = place_of(t.shortlist[s], item)
        if slots[b] < 0:
            slots[b] = place
            push = t.deal_factor[s] * t.price_push[week, item] + t.promotion_push[week, item]
            for r in range(t.campaign_member.shape[1]):
                if t.campaign_member[s, r]:
                    push += t.campaign_week[week, r] * t.coupon_push[r, item]
            rate[place] = t.tail_weight[s, t.group[item]] * np.exp(t.log_within[item] + push + log_size)
            rate[place] *= lift[t.category[item]]
            luck[place] = compiled_draw(key_of(key, streams.NOISE), item)


@part
def _tail(t, key, s, week, count, tail, lift, running, offered, found):
    """Fill `found` with the items of the tail's `count` purchases and of those that follow them, ascending,
    once each, but for those that are on the shortlist or offered, which was decided there: how many they
    are."""
    n = 0
    for slot in range(count):
        item = tail_item(t, key, s, week, slot, tail, lift, running)
        for step in range(1 + FOLLOWERS):
            if item < 0:
                break
            known = place_of(t.shortlist[s], item) >= 0
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
            if step < FOLLOWERS:
                luck = compiled_draw(key_of(key, streams.FLAVOUR), slot * FOLLOWERS + step)
                item = next_flavour(t, week, item, luck)
    return n


@compiled
def _room(length):
    """Columns of purchases: row, item, quantity, price."""
    whole = np.empty((3, length), np.int64)
    return whole[0], whole[1], whole[2], np.empty(length, np.float32)


@compiled
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


@part
def _equal(one, other):
    for i in range(len(one)):
        if one[i] != other[i]:
            return False
    return True


@compiled
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
    items, slots, found = np.empty(width, np.int64), np.empty(n_offered, np.int64), np.empty(_TAIL, np.int64)
    in_offer, taken, first = np.zeros(width, np.bool_), np.zeros(width, np.bool_), np.zeros(width, np.bool_)
    lift, pull = np.empty(n_categories, np.float32), np.empty(n_categories, np.float32)
    pulled, tail_lift = np.empty(n_categories, np.float32), np.empty(n_categories, np.float32)
    tail, tail_by_category = np.empty(t.tail_weight.shape[1], np.float32), np.empty(n_categories, np.float32)
    running = np.empty(n_categories + 1, np.float32)
    value, effect, boost = np.empty(n_offered, np.float32), np.exp(t.coefficient_gap), np.exp(_F(exposure))
    bought, p = _room(12 * n + width + _TAIL), 0
    half, opened, previous, start = (n + 1) // 2, -1, -1, 0
    log_size, wait, gone, unmoved = _F(0), 0, False, False
    for step in range(2 * half):
        r = step // 2 + step % 2 * half  # a shopper, then the twin
        if r >= n:
            continue
        s, key = shopper[r], (seed, episode[r], visit[r])
        week = min(max(day[r] // 7, 0), len(t.shelf_price) - 1)
        same_door = (
            opened >= 0 and s == shopper[opened] and day[r] == day[opened] and since[r] == since[opened]
            and episode[r] == episode[opened] and visit[r] == visit[opened]
        )  # fmt: skip
        if not same_door:
            log_size = door(t, key, s, week, since[r], door_rate, luck, lift, tail, tail_by_category)
            wait, gone = next_visit(t, key, s, day[r])
            items[:length] = t.shortlist[s]
            opened = r
        days[r], left[r] = wait, gone
        if p + width + _TAIL > len(bought[0]):
            bought = _longer(bought, p)
        row, item, units, price = bought
        if same_door and unmoved and offer_items[r].max() < 0 and _equal(last[r], last[previous]):
            start, end = p, 2 * p - start
            for q in range(start, end):
                copied = q - end + start
                row[q], item[q], units[q], price[q] = r, item[copied], units[copied], price[copied]
            p, choice[r], after[r], previous = end, IGNORE, after[previous], r
            continue
        rate[:length] = door_rate
        since_last_bought(t, s, day[r], last[r], effect, rate)

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
        tail_rates(t, tail_by_category, tail_lift, tail[-1], running)
        arrivals = key_of(key, streams.TAIL)
        tail_rate = max(running[-1] * np.exp(log_size), _F(1e-9))
        time = earliest = -np.log(compiled_draw(arrivals, 0)) / tail_rate
        count = 0
        while time < 1 and count < SLOTS:
            count += 1
            time -= np.log(compiled_draw(arrivals, count)) / tail_rate
        start, picked = p, False
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
            if i < length and (not (taken[i] and last[r, i] < 0) or _leaves_habit(t, key, items[i])):
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
        previous, unmoved = r, exposure == 0 and not whole and slots.max() < length
    return choice, row[:p], item[:p], units[:p], price[:p], days, left, after
