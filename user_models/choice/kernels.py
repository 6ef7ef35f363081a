"""A visit of a `ChoiceShopper` compiled for the CPU; `ChoiceShopper` says the same in torch.

One shopper is gone through at a time, in place of some hundred operations on all of them. What saves work:

* An item is bought where an exponential number, -log(u), is below its rate; that number is drawn once.
* A shopper and its twin, n rows apart in a batch of 2n, are at one door on one day with the same luck: what
  does not depend on their histories is done once for both; and the twin of one whom the offer did not move,
  and who remembers the same, buys the same.
* Of the tail, only sums over categories depend on what is in the basket.
* While one shopper is gone through, what is known of the next one is fetched from memory.

A test holds both paths to the same numbers.
"""

from __future__ import annotations

import numpy as np

from bundlegym.user_models import streams
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE
from bundlegym.user_models.choice.arrays import REBATE, SHELF_PRICE
from bundlegym.user_models.choice.enough_kernels import lessen, still_bought
from bundlegym.user_models.choice.offer_kernels import join, leaves_habit, takes_whole, tried_rate
from bundlegym.user_models.choice.tail import SLOTS
from bundlegym.user_models.choice.tail_kernels import MOST_ITEMS, tail_purchases, tail_rates, tried_weight
from bundlegym.user_models.choice.visit_kernels import (
    compiled,
    door,
    first_above,
    key_of,
    multiply_by,
    next_visit,
    part,
    pull_by,
    pull_factor,
    since_last_bought,
)
from bundlegym.user_models.draws import compiled_draw
from bundlegym.user_models.numerics import exp32, log32
from bundlegym.user_models.prefetch import prefetch

_F = np.float32
_ONE = _F(1)


@part
def _units(t, key, s, week, item):
    """Units of an item that is bought."""
    extra = t.extra_units[item] * t.extra_factor[s] * exp32(t.extra_slope[0] * t.price[week, item, REBATE])
    cdf = t.units_cdf[first_above(t.units_edges, extra, 0, len(t.units_edges))]
    luck = compiled_draw(key_of(key, streams.UNITS), item)
    if compiled_draw(key_of(key, streams.ALIKE), item) < t.units_alike[0]:
        luck = compiled_draw(key_of(key, streams.GROUP_UNITS), t.group[item])
    units = 1
    while units < len(cdf) and luck > cdf[units - 1]:
        units += 1
    return units


@part
def _bought(rate, need, taken, out, end):
    """Append to `out` from place `end` on what is taken or worth buying: where it ends then."""
    for i in range(len(rate)):
        out[end] = i
        end += taken[i] or need[i] < rate[i]
    return end


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
def _first_empty(tried):
    """How many purchases a shopper's history (TRIED,) holds."""
    n = 0
    while n < len(tried) and tried[n] >= 0:
        n += 1
    return n


@part
def _append(list_, n, item):
    """Put an item at place n of a list, if there is room: how many it holds then."""
    if n < len(list_):
        list_[n] = item
        n += 1
    return n


@part
def _equal(one, other):
    for i in range(len(one)):
        if one[i] != other[i]:
            return False
    return True


@compiled
def respond(t, seed, luck_of, state, offer, exposure, bundle_pull):
    """`ChoiceShopper.respond` of N shoppers.

    luck_of: episode, visit (N,); state: shopper, day, since, last_trip (N,), last (N, L), tried (N, TRIED);
    offer: items (N, B), discount (N,); exposure: on the log rate of what is offered, times its answer to
    promotions. Returns the fields of a `Response`, and `last_trip`, `last` and `tried` at the door of the
    next visit.
    """
    (episode, visit), (offer_items, discount) = luck_of, offer
    shopper, day, since, last_trip, last, tried = state
    (n, length), n_offered, n_categories = last.shape, offer_items.shape[1], len(t.mission_spread)
    width = length + n_offered
    choice, days, left = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    after, after_tried, after_trip = last.copy(), np.empty_like(tried), np.empty(n, np.int64)
    door_rate, rate = np.empty(length, np.float32), np.empty(width, np.float32)
    need = np.empty(width, np.float32)
    items, category = np.empty(width, np.uint32), np.empty(width, np.uint16)
    pullers, slots = np.empty(width, np.int64), np.empty(n_offered, np.int64)
    found = np.empty(MOST_ITEMS, np.int64)
    in_offer, taken, kept = np.zeros(width, np.bool_), np.zeros(width, np.bool_), np.empty(width, np.float32)
    lift, pull = np.empty(n_categories, np.float32), np.empty(n_categories, np.float32)
    pulled, tail_lift = np.empty(n_categories, np.float32), np.empty(n_categories, np.float32)
    bins, n_departments = np.empty(length, np.int32), t.department_spread.shape[1]
    normal = np.empty(max(len(t.missions) + len(t.spread_category), n_departments), np.float32)
    first_of = np.full(len(t.enough), -1)
    tail, tail_by_category = np.empty(t.tail_weight.shape[1], np.float32), np.empty(n_categories, np.float32)
    running = np.empty(n_categories + 1, np.float32)
    value, answer = np.empty(n_offered, np.float32), np.empty(n_offered, np.float32)
    effect = np.exp(t.coefficient_gap).ravel()
    bought, p = _room(12 * n + width + MOST_ITEMS), 0
    half, opened, previous, start = (n + 1) // 2, -1, -1, 0
    log_size, size, trip, new, wait, gone, unmoved = _F(0), 0, 0, _ONE, 0, False, False
    for step in range(2 * half):
        r = step // 2 + step % 2 * half  # a shopper, then the twin
        if r >= n:
            continue
        s, key = shopper[r], (seed, episode[r], visit[r])
        week = min(max(day[r] // 7, 0), len(t.price) - 1)
        same_door = (
            opened >= 0 and s == shopper[opened] and day[r] == day[opened] and since[r] == since[opened]
            and last_trip[r] == last_trip[opened] and episode[r] == episode[opened]
            and visit[r] == visit[opened]
        )  # fmt: skip
        if not same_door:
            if r + 1 < half:
                own = (
                    t.shortlist, t.short_category, t.short_group, t.taste, t.familiarity, t.interval,
                    t.tail_weight, t.trip_cdf,
                )  # fmt: skip
                prefetch(own, shopper[r + 1])
            room = door_rate, need, lift, normal, tail, tail_by_category
            log_size, size, trip, new = door(t, key, s, week, since[r], last_trip[r], *room)
            wait, gone = next_visit(t, key, s, day[r], trip)
            items[:length], category[:length] = t.shortlist[s], t.short_category[s]
            opened = r
        days[r], left[r], after_trip[r] = wait, gone, trip
        if p + width + MOST_ITEMS > len(bought[0]):
            bought = _longer(bought, p)
        row, item, units, price = bought
        alike = same_door and unmoved and offer_items[r].max() < 0
        if alike and _equal(last[r], last[previous]) and _equal(tried[r], tried[previous]):
            start, end = p, 2 * p - start
            for q in range(start, end):
                copied = q - end + start
                row[q], item[q], units[q], price[q] = r, item[copied], units[copied], price[copied]
            after[r], after_tried[r] = after[previous], after_tried[previous]
            p, choice[r], previous = end, IGNORE, r
            continue
        rate[:length] = door_rate
        since_last_bought(t, s, day[r], last[r], effect, bins, rate)

        # The offer comes first.
        offered, in_offer[:] = offer_items[r], False
        considered = items, category, rate, need
        join(t, key, s, week, log_size, size, new, lift, tried[r], offered, considered, slots, answer)
        for b in range(n_offered):
            if slots[b] >= 0 and not in_offer[slots[b]]:
                in_offer[slots[b]] = True
                if exposure != 0:
                    rate[slots[b]] *= exp32(exposure * answer[b])
        for b in range(n_offered):
            if slots[b] >= 0:
                value[b] = log32(rate[slots[b]] / need[slots[b]])
        lessen(t, offered, value)
        whole = takes_whole(t, s, week, offered, value, discount[r], bundle_pull)

        # Then the rest of the basket: what is bought on its own merits, and the bundle, pull or push all the
        # others.
        for i in range(width):
            taken[i] = whole and in_offer[i]
        n_pullers = _bought(rate, need, taken, pullers, 0)
        pull[:] = 0
        for q in range(n_pullers):
            synergy = t.synergy[category[pullers[q]]]
            for c in range(n_categories):
                pull[c] += synergy[c]
        pull_by(pull, lift, pulled, tail_lift)
        joined, picked = False, False
        for q in range(n_pullers):
            i, c = pullers[q], category[pullers[q]]
            joined |= i >= length  # it has moved the others even if they now keep it out
            kept[q] = rate[i] * pull_factor(pull[c] - t.synergy[c, c])
        multiply_by(pulled, category, rate)
        for q in range(n_pullers):
            rate[pullers[q]] = kept[q]
        start, end = p, _bought(rate, need, taken, item, p)
        end = still_bought(t, items, need, rate, taken, item, start, end, first_of)
        n_tried = _first_empty(tried[r])
        memory = tail[-1]
        for j in range(n_tried):
            memory += tried_weight(t, tried[r], j)
        tail_rates(t, tail_by_category, tail_lift, memory, running)
        arrivals = key_of(key, streams.TAIL)
        tail_rate = max(running[-1] * np.exp(log_size), _F(1e-9))
        time = earliest = -log32(compiled_draw(arrivals, 0)) / tail_rate
        count = 0
        while time < 1 and count < SLOTS:
            count += 1
            time -= log32(compiled_draw(arrivals, count)) / tail_rate

        # Whoever came buys something: of all that was not enough, what came nearest.
        if end == start and count == 0:
            best = 0
            for i in range(width):
                if need[i] * rate[best] < need[best] * rate[i]:
                    best = i
            if earliest * rate[best] < need[best]:
                count = 1
            else:
                item[end] = best
                end += 1
        n_new = 0
        for q in range(start, end):
            i = item[q]
            picked |= in_offer[i] and not taken[i]
            joined |= i >= length
            known = last[r, i] >= 0 if i < length else tried_rate(t, tried[r], items[i]) > 0
            if known or not taken[i] or leaves_habit(t, key, items[i]):
                if i < length:
                    after[r, i] = day[r]
                else:
                    n_new = _append(after_tried[r], n_new, items[i])
            item[q] = items[i]
            units[q] = _units(t, key, s, week, items[i])
            off = discount[r] if taken[i] else _F(0)
            price[q] = t.price[week, items[i], SHELF_PRICE] * (_ONE - off / units[q])
        history, basket = tried[r, :n_tried], item[start:end]
        n_found, missed = tail_purchases(
            t, key, s, week, count, tail, tail_lift, running, history, offered, first_of, basket, found
        )
        for j in range(n_found):
            n_new = _append(after_tried[r], n_new, found[j])
            item[end], units[end] = found[j], _units(t, key, s, week, found[j])
            price[end] = t.price[week, found[j], SHELF_PRICE]
            end += 1
        for j in range(len(tried[r]) - n_new):
            after_tried[r, n_new + j] = tried[r, j]
        for q in range(start, end):
            first_of[t.group[item[q]]] = -1  # as the next visit must find it
        row[start:end], p = r, end
        choice[r] = TAKE if whole else CHERRY_PICK if picked else IGNORE
        previous, unmoved = r, exposure == 0 and not (whole or joined or missed)
    return choice, row[:p], item[:p], units[:p], price[:p], days, left, after_trip, after, after_tried
