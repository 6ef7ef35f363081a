"""The core's hot parts compiled for the CPU; `BundleCore` says the same in torch for other devices.

Each function goes over rows one at a time and writes in place. A test holds both paths to the same numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from bundlegym.envs.base import FEATURE_LIMIT, LEAVE, LIFT, LOG_PRICE, UNIT_MARGIN
from bundlegym.user_models.draws import compiled_draw, compiled_key
from bundlegym.user_models.numerics import log32

_LIMIT = np.float32(FEATURE_LIMIT)
_WEEK = 6  # features of item and week, from column 1 on
_BOUGHT, _OVERDUE, _ITEM = 7, 8, 9


class Shop(NamedTuple):
    """Arrays of a `Market` by its names; tensors where `eager` uses it."""

    shortlist: Any
    handicap: Any
    best_first: Any
    log_share: Any
    interval: Any
    week_features: Any
    item_features: Any
    synergy: Any
    category: Any
    shopper_features: Any


class Board(NamedTuple):
    """What lies before the agent, by the core's names, N rows each; tensors where `eager` uses it."""

    candidates: Any
    features: Any
    shopper: Any
    context: Any
    picked: Any
    mask: Any
    picks: Any
    n_picks: Any
    visit: Any


@numba.njit(cache=True, inline="always")
def _clip(x):
    return min(max(np.float32(x), -_LIMIT), _LIMIT)


@numba.njit(cache=True, inline="always")
def _describe(b, n, visits, min_size, max_size):
    """Context and mask of row n."""
    k, size = b.candidates.shape[1], b.n_picks[n]
    price = margin = lift = np.float32(0)
    for i in range(k):
        b.mask[n, i] = b.picked[n, i] == 0 and size < max_size
        if b.picked[n, i] != 0:
            price += np.exp(b.features[n, i, LOG_PRICE])
            margin += b.features[n, i, UNIT_MARGIN]
            lift += b.features[n, i, LIFT]
    for i in range(k, b.mask.shape[1]):
        b.mask[n, i] = size >= min_size
    b.mask[n, k] = b.mask[n, k] or size == 0
    b.context[n, 0] = 1 - b.visit[n] / visits
    b.context[n, 1] = size / max_size
    b.context[n, 2] = _clip(price / np.float32(10))
    b.context[n, 3] = _clip(margin / np.float32(4))
    b.context[n, 4] = _clip(lift / np.float32(4))


@numba.njit(cache=True)
def pick(action, b, synergy, category, visits, min_size, max_size):
    """Add the candidates that `action` (N,) names: the first row whose action is illegal, or -1, and the
    rows (M,) that make an offer. Nothing is changed where an action is illegal."""
    k, offers, made = b.candidates.shape[1], np.empty(len(action), dtype=np.int64), 0
    for n in range(len(action)):
        inside = 0 <= action[n] < b.mask.shape[1]
        if action[n] != LEAVE and not (inside and b.mask[n, action[n]]):
            return n, offers[:0]
    for n in range(len(action)):
        a = action[n]
        if a >= k:
            offers[made] = n
            made += 1
        if a == LEAVE or a >= k:
            continue
        item = b.candidates[n, a]
        b.picks[n, b.n_picks[n]] = item
        b.n_picks[n] += 1
        b.picked[n, a] = 1
        pull = synergy[category[item]]
        for i in range(k):
            if i != a:
                lift = b.features[n, i, LIFT] + pull[category[b.candidates[n, i]]]
                b.features[n, i, LIFT] = _clip(lift)
        _describe(b, n, visits, min_size, max_size)
    return -1, offers[:made]


@numba.njit(cache=True)
def _least(rank, order, best, slots):
    """Fill `slots` (K,) with the places of the least of `rank` (L,), ascending, and `best` (K,) with them.

    It is quickest where `order` (L,) has the places of the least ones first.
    """
    k, found = len(best), 0
    for slot in order:
        if found == k and rank[slot] >= best[k - 1]:
            continue
        place = min(found, k - 1)
        while place > 0 and best[place - 1] > rank[slot]:
            best[place], slots[place] = best[place - 1], slots[place - 1]
            place -= 1
        best[place], slots[place] = rank[slot], slot
        found = min(found + 1, k)


@numba.njit(cache=True, error_model="numpy")
def open_visits(rows, key, shopper, day, last, b, m, visits, min_size, max_size):
    """Retrieve candidates for `rows` and describe them.

    key: (seed, episode (N,), stream); shopper, day (N,), last (N, L): the shop's own records.
    """
    seed, episode, stream = key
    k, length = b.candidates.shape[1], m.shortlist.shape[1]
    rank, overdue = np.empty(length, dtype=np.float32), np.empty(length, dtype=np.float32)
    best, slots = np.empty(k, dtype=np.float32), np.empty(k, dtype=np.int64)
    for n in rows:
        s, today = shopper[n], day[n]
        week = min(max(today // 7, 0), len(m.week_features) - 1)
        luck = compiled_key(seed, episode[n], b.visit[n], stream)
        shortlist, handicap, interval, bought = m.shortlist[s], m.handicap[s], m.interval[s], last[n]
        for i in range(length):
            rank[i] = -log32(compiled_draw(luck, shortlist[i])) * handicap[i]
        _least(rank, m.best_first[s], best, slots)
        for i in range(length):
            days = np.float32(np.int32(today) - np.int32(bought[i]))
            overdue[i] = log32(min(max(days / interval[i], np.float32(0.05)), np.float32(20)))
        for i in range(k):
            slot = slots[i]
            item, known = shortlist[slot], bought[slot] >= 0
            b.candidates[n, i] = item
            b.features[n, i, 0] = _clip(m.log_share[s, slot] / 2 + 3)
            for j in range(_WEEK):
                b.features[n, i, 1 + j] = m.week_features[week, item, j]
            b.features[n, i, _BOUGHT] = known
            b.features[n, i, _OVERDUE] = overdue[slot] if known else np.float32(0)
            b.features[n, i, _ITEM] = m.item_features[item, 0]
            b.features[n, i, LIFT] = 0
            for j in range(1, m.item_features.shape[1]):
                b.features[n, i, LIFT + j] = m.item_features[item, j]
            b.picked[n, i] = 0
        width = m.shopper_features.shape[1]
        b.shopper[n, :width] = m.shopper_features[s]
        b.shopper[n, width] = np.sin(week * (2 * np.pi / 52))
        b.shopper[n, width + 1] = np.cos(week * (2 * np.pi / 52))
        b.picks[n] = -1
        b.n_picks[n] = 0
        _describe(b, n, visits, min_size, max_size)


@numba.njit(cache=True)
def offers(rows, action, episode, shopper, day, b, discounts):
    """What M visits in the slots `rows` are made of, of shoppers, then of their twins: items (2M, B) and
    discount (2M,) of the offers, episode and visit (2M,); and shopper, day, size of the offer (M,)."""
    m, k = len(rows), b.candidates.shape[1]
    items = np.full((2 * m, b.picks.shape[1]), -1)
    discount = np.zeros(2 * m, dtype=np.float32)
    episodes, visits = np.empty(2 * m, dtype=np.int64), np.empty(2 * m, dtype=np.int64)
    who, when, size = np.empty_like(rows), np.empty_like(rows), np.empty_like(rows)
    for i in range(m):
        n = rows[i]
        items[i], discount[i] = b.picks[n], discounts[action[n] - k]
        episodes[i] = episodes[i + m] = episode[n]
        visits[i] = visits[i + m] = b.visit[n]
        who[i], when[i], size[i] = shopper[n], day[n], b.n_picks[n]
    return items, discount, episodes, visits, who, when, size


@numba.njit(cache=True)
def earnings(m, row, item, quantity, price, unit_cost):
    """(m,) revenue, margin, and the twins' margin of the purchases (P,) of m shoppers and their twins."""
    revenue, margin = np.zeros(2 * m, dtype=np.float32), np.zeros(2 * m, dtype=np.float32)
    for p in range(len(row)):
        paid = np.float32(quantity[p]) * price[p]
        revenue[row[p]] += paid
        margin[row[p]] += paid - np.float32(quantity[p]) * unit_cost[item[p]]
    return revenue[:m], margin[:m], margin[m:]


@numba.njit(cache=True, inline="always")
def _last_up_to(ascending, x):
    """The last place whose value is not above x, or 0. It takes no branch that depends on the values: one
    that cannot be foretold costs more than a look at a value."""
    place, left = 0, len(ascending)
    while left > 1:
        half = left >> 1
        place += half * (ascending[place + half] <= x)
        left -= half
    return place


@numba.njit(cache=True)
def note(rows, row, item, days, visit, shopper, day, last, shortlist):
    """The shop notes what its M shoppers in the slots `rows` bought, and when they come again; purchases
    (P,) and `days` of later rows, the twins', it does not see."""
    for p in range(len(row)):
        if row[p] < len(rows):
            n = rows[row[p]]
            slot = _last_up_to(shortlist[shopper[n]], item[p])
            if shortlist[shopper[n], slot] == item[p]:
                last[n, slot] = day[n]
    for i in range(len(rows)):
        day[rows[i]] += days[i]
        visit[rows[i]] += 1
