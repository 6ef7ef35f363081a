"""The core's hot parts compiled for the CPU: the same functions as in `reference`, on numpy arrays.

Each function goes over rows one at a time and writes in place. A test holds both paths to the same numbers.
Letters in shapes: N slots, M of them in `rows`, K candidates, D discount levels, B items in the greatest
bundle, S shoppers, L shortlisted items of each, P purchases, I items, W weeks, C categories. `world` is a
`World`, held as one struct: numba would look at each of its arrays at each call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bundlegym.compiling import njit
from bundlegym.envs.arrays import Board, History, Limits, World
from bundlegym.envs.features import CANDIDATE_FEATURES, FEATURE_LIMIT, LEAVE, LIFT, LOG_PRICE, UNIT_MARGIN
from bundlegym.recommenders.recency import NEVER
from bundlegym.user_models.numeric.fast_math import log32
from bundlegym.user_models.response_codes import CHERRY_PICK, IGNORE, MOST_DAYS, MOST_PRICE, MOST_UNITS, TAKE
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw, compiled_key, compiled_unit

_LIMIT = np.float32(FEATURE_LIMIT)
assert (LIFT, len(CANDIDATE_FEATURES)) == (10, 19), "open_visits writes columns by number"


@njit(inline="always")
def _clip(x: float | np.floating) -> np.float32:
    """x, or the nearest limit of an observation, as float32."""
    return min(max(np.float32(x), -_LIMIT), _LIMIT)


@njit(inline="always")
def _describe(b: Board, n: int, limits: Limits) -> None:
    """Context and mask of slot n."""
    k, size = b.candidates.shape[1], b.n_picks[n]
    price = margin = lift = np.float32(0)
    for i in range(k):
        b.mask[n, i] = b.picked[n, i] == 0 and size < limits.max_size
        if b.picked[n, i] != 0:
            price += np.exp(b.features[n, i, LOG_PRICE])
            margin += b.features[n, i, UNIT_MARGIN]
            lift += b.features[n, i, LIFT]
    for i in range(k, b.mask.shape[1]):
        b.mask[n, i] = size >= limits.min_size
    b.mask[n, k] = b.mask[n, k] or size == 0
    b.context[n, 0] = 1 - b.visit[n] / limits.visits
    b.context[n, 1] = size / limits.max_size
    b.context[n, 2] = _clip(price / np.float32(10))
    b.context[n, 3] = _clip(margin / np.float32(4))
    b.context[n, 4] = _clip(lift / np.float32(4))


@njit(inline="always")
def _recall(s: int, before: int, history: History, last: np.ndarray) -> None:
    """Fill `last` (L,) with the days on which a shopper last bought each shortlisted item before a day."""
    last[:] = NEVER
    for i in range(history.bought_start[s], history.bought_start[s + 1]):
        if history.bought_day[i] >= before:
            break
        last[history.bought_slot[i]] = history.bought_day[i]


@njit()
def last_bought(shopper: np.ndarray, before: np.ndarray, history: History, length: int) -> np.ndarray:
    """(M, L) int16, the day on which shoppers (M,) last bought each of the L items of their shortlists before
    days (M,), -1 for never."""
    last = np.empty((len(shopper), length), dtype=np.int16)
    for i in range(len(shopper)):
        _recall(shopper[i], before[i], history, last[i])
    return last


@njit()
def begin(which: np.ndarray, ahead: int, seed: int, world: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Go `ahead` to other episodes in the slots of a mask `which` (N,) bool: draw a shopper and a first day
    for each, and give the shop its records of them.

    Returns:
        (M,) int64 each: slot, shopper and day.
    """
    w: World = world.parts
    rows = np.flatnonzero(which)
    who, when = np.empty_like(rows), np.empty_like(rows)
    for i in range(len(rows)):
        n = rows[i]
        w.episode[n] += ahead
        w.board.visit[n] = 0
        chance = compiled_unit(compiled_key(seed, w.episode[n], 0, streams.WHO))
        s = w.people[np.int64(chance * np.float32(len(w.people)))]
        chance = compiled_unit(compiled_key(seed, w.episode[n], 0, streams.FIRST_DAY))
        today = w.limits.first_day + np.int64(chance * np.float32(w.limits.days))
        _recall(s, today // 7 * 7, w.history, w.last[n])
        who[i], when[i], w.shopper[n], w.day[n] = s, today, s, today
    return rows, who, when


@njit()
def pick(action: np.ndarray, world: Any) -> tuple[int, int]:
    """Add the candidates that actions (N,) int64 name. Nothing is changed where an action is illegal.

    Returns:
        The first slot whose action is illegal, or -1; how many slots make an offer.
    """
    w: World = world.parts
    b, category = w.board, w.shop.category
    k, made = b.candidates.shape[1], 0
    for n in range(len(action)):
        inside = 0 <= action[n] < b.mask.shape[1]
        if action[n] != LEAVE and not (inside and b.mask[n, action[n]]):
            return n, 0
    for n in range(len(action)):
        a = action[n]
        made += a >= k
        if a == LEAVE or a >= k:
            continue
        item = b.candidates[n, a]
        b.picks[n, b.n_picks[n]] = item
        b.n_picks[n] += 1
        b.picked[n, a] = 1
        pull = w.shop.synergy[category[item]]
        for i in range(k):
            if i != a:
                lift = b.features[n, i, LIFT] + pull[category[b.candidates[n, i]]]
                b.features[n, i, LIFT] = _clip(lift)
        _describe(b, n, w.limits)
    return -1, made


@njit(inner=True)
def _bound(bits: np.ndarray, k: int) -> np.int32:
    """A number that k of `bits` (L,) int32, none of them negative, do not exceed, found by halving; or, where
    some are alike and none is just right, the least number that more than k do not exceed."""
    low, high = np.int32(0), np.int32(0x7FFFFFFF)
    while low < high:
        middle, below = low + ((high - low) >> np.int32(1)), np.int32(0)
        for i in range(len(bits)):
            below += np.int32(bits[i] <= middle)
        if below == k:
            return middle
        low = np.int32(middle + 1) if below < k else low
        high = high if below < k else middle
    return low


@njit()
def _k_least(rank: np.ndarray, found: np.ndarray, slots: np.ndarray) -> None:
    """Fill `slots` (K,) int64 with the places of the least of `rank` (L,) float32, none of them negative,
    ascending; of equals the earlier. `found` (L + 1,) int64 is room to work in.

    It counts rather than sorts: a branch that cannot be foretold costs more than to look at all.
    """
    bits, k, n = rank.view(np.int32), len(slots), 0
    bound = _bound(bits, k)  # floats that are not negative order as their bits do
    for place in range(len(bits)):
        found[n] = (np.int64(bits[place]) << 32) + place
        n += bits[place] <= bound
    for i in range(n):
        lesser = 0
        for j in range(n):
            lesser += found[j] < found[i]
        if lesser < k:
            slots[lesser] = found[i] & 0xFFFFFFFF


@njit(inner=True)
def _retrieve(rows: np.ndarray, seed: int, w: World) -> np.ndarray:
    """(M, K) int64, where in their shortlists the candidates of `rows` (M,) are, the likeliest first."""
    b, m, length = w.board, w.shop, w.shop.shortlist.shape[1]
    slots = np.empty((len(rows), b.candidates.shape[1]), dtype=np.int64)
    rank, found = np.empty(length, dtype=np.float32), np.empty(length + 1, dtype=np.int64)
    for r in range(len(rows)):
        n = rows[r]
        luck = compiled_key(seed, w.episode[n], b.visit[n], streams.RETRIEVAL)
        shortlist, penalty = m.shortlist[w.shopper[n]], m.retrieval_penalty[w.shopper[n]]
        for i in range(length):
            rank[i] = -log32(compiled_draw(luck, shortlist[i])) * penalty[i]
        _k_least(rank, found, slots[r])
    return slots


@njit(inline="always")
def _six(x: np.ndarray) -> tuple[float, ...]:
    """Features of an item in a week, read as one: all of them before the first is written, since what is
    written might lie upon the table for all that the compiler knows."""
    return x[0], x[1], x[2], x[3], x[4], x[5]


@njit(inline="always")
def _nine(x: np.ndarray) -> tuple[float, ...]:
    """Features of an item, as in `_six`."""
    return x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]


@njit(error_model="numpy")
def open_visits(rows: np.ndarray, seed: int, world: Any) -> None:
    """Retrieve candidates for the slots `rows` (M,) int64 and describe them."""
    w: World = world.parts
    b, m, last = w.board, w.shop, w.last
    # All rows are retrieved before the first is described: either work waits less for memory alone.
    slots = _retrieve(rows, seed, w)
    for r in range(len(rows)):
        n = rows[r]
        s, today = w.shopper[n], w.day[n]
        week = min(max(today // 7, 0), len(m.week_features) - 1)
        for i in range(slots.shape[1]):
            slot = slots[r, i]
            item, bought, f = m.shortlist[s, slot], last[n, slot], b.features[n, i]
            days = np.float32(np.int32(today) - np.int32(bought))
            overdue = log32(min(max(days / m.interval[s, slot], np.float32(0.05)), np.float32(20)))
            f[0] = _clip(m.log_share[s, slot] / 2 + 3)
            f[1], f[2], f[3], f[4], f[5], f[6] = _six(m.week_features[week, item])
            f[7], f[8] = bought >= 0, overdue if bought >= 0 else np.float32(0)
            f[9], f[11], f[12], f[13], f[14], f[15], f[16], f[17], f[18] = _nine(m.item_features[item])
            f[LIFT] = 0
            b.candidates[n, i] = item
            b.picked[n, i] = 0
        width = m.shopper_features.shape[1]
        for i in range(width):
            b.shopper[n, i] = m.shopper_features[s, i]
        b.shopper[n, width] = np.sin(week * (2 * np.pi / 52))
        b.shopper[n, width + 1] = np.cos(week * (2 * np.pi / 52))
        b.picks[n] = -1
        b.n_picks[n] = 0
        _describe(b, n, w.limits)


@njit()
def offers(
    action: np.ndarray, made: int, world: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the visits are made of where `made` of the actions (N,) int64 make an offer: of M shoppers, then
    of their twins, who are offered nothing.

    Returns:
        whose (4, M) int64: slot, shopper, day and size of the offer; items (2M, B) int64 and discount (2M,)
        float32 of the offers; luck (2, 2M) int64: episode and visit.
    """
    w: World = world.parts
    b, k, i = w.board, w.board.candidates.shape[1], 0
    whose, luck = np.empty((4, made), dtype=np.int64), np.empty((2, 2 * made), dtype=np.int64)
    items, discount = np.full((2 * made, b.picks.shape[1]), -1), np.zeros(2 * made, dtype=np.float32)
    for n in range(len(action)):
        if action[n] < k:
            continue
        for place in range(items.shape[1]):
            items[i, place] = b.picks[n, place]
        discount[i] = w.discounts[action[n] - k]
        luck[0, i] = luck[0, i + made] = w.episode[n]
        luck[1, i] = luck[1, i + made] = b.visit[n]
        whose[0, i], whose[1, i], whose[2, i], whose[3, i] = n, w.shopper[n], w.day[n], b.n_picks[n]
        i += 1
    return whose, items, discount, luck


@njit()
def in_range(
    n: int, n_items: int, choice: np.ndarray, row: np.ndarray, item: np.ndarray, quantity: np.ndarray,
    price: np.ndarray, days: np.ndarray,
) -> bool:  # fmt: skip
    """Whether all of a user model's answer is in range, as in `answers.out_of_range`.

    Args:
        n: shoppers who answered.
        choice, days: (n,) int64.
        row, item, quantity: (P,) int64. price: (P,) float32.
    """
    for p in range(len(row)):
        if not (0 <= row[p] < n and 0 <= item[p] < n_items):
            return False
        if not (1 <= quantity[p] <= MOST_UNITS and 0 <= price[p] <= MOST_PRICE):
            return False
    for i in range(len(days)):
        if not 0 <= days[i] <= MOST_DAYS or not IGNORE <= choice[i] <= TAKE:
            return False
    return True


@njit()
def figures(
    day: np.ndarray, size: np.ndarray, discount: np.ndarray, choice: np.ndarray, row: np.ndarray,
    item: np.ndarray, quantity: np.ndarray, price: np.ndarray, unit_cost: np.ndarray, list_price: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """What the visits of M shoppers came to, from the purchases of them, then of their twins.

    Args:
        day, size: (M,) int64, of the visits and of what was offered. discount: (2M,) float32.
        choice: (2M,) int64. row, item, quantity: (P,) int64. price: (P,) float32.
        unit_cost, list_price: (W, I) float32.

    Returns:
        (len(FIGURES), M) float32, in the order of `base.FIGURES`.
    """
    m, last_week = len(day), len(unit_cost) - 1
    revenue, margin = np.zeros(2 * m, dtype=np.float32), np.zeros(2 * m, dtype=np.float32)
    listed = np.zeros(2 * m, dtype=np.float32)
    for p in range(len(row)):
        r, pieces = row[p], np.float32(quantity[p])
        week = min(max(day[r if r < m else r - m] // 7, 0), last_week)
        paid = pieces * price[p]
        revenue[r] += paid
        margin[r] += paid - pieces * unit_cost[week, item[p]]
        listed[r] += pieces * list_price[week, item[p]]
    found = np.empty((9, m), dtype=np.float32)
    for i in range(m):
        no_offer = np.nan if size[i] == 0 else 0.0
        found[0, i] = (choice[i] == TAKE) + no_offer
        found[1, i] = (choice[i] == CHERRY_PICK) + no_offer
        found[2, i] = size[i] + no_offer
        found[3, i] = discount[i] + no_offer
        found[4, i] = revenue[i]
        found[5, i] = margin[i]
        found[6, i] = margin[i] - margin[i + m]
        found[7, i] = listed[i] - listed[i + m]
        found[8, i] = margin[i + m]
    return found


@njit()
def reckon(
    whose: np.ndarray, discount: np.ndarray, choice: np.ndarray, row: np.ndarray, item: np.ndarray,
    quantity: np.ndarray, price: np.ndarray, days: np.ndarray, world: Any,
) -> tuple[bool, np.ndarray]:  # fmt: skip
    """Whether all of a user model's answer is `in_range`, and if so its `figures`; whose and discount are
    those of `offers`."""
    w: World = world.parts
    if not in_range(len(discount), len(w.shop.category), choice, row, item, quantity, price, days):
        return False, np.empty((0, 0), dtype=np.float32)
    bought = choice, row, item, quantity, price
    return True, figures(whose[2], whose[3], discount, *bought, w.shop.unit_cost, w.shop.list_price)


@njit(inner=True)
def _step_outputs(
    rows: np.ndarray, reward: np.ndarray, left: np.ndarray, visit: np.ndarray, visits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a step gives back, after visits ended in the slots `rows` (M,); zero in the others. `visit` (N,):
    how many are over, of `visits` in an episode."""
    rewards = np.zeros(len(visit), dtype=np.float32)
    over, late = np.zeros(len(visit), dtype=np.bool_), np.zeros(len(visit), dtype=np.bool_)
    for i in range(len(rows)):
        slot = rows[i]
        rewards[slot], over[slot] = reward[i], left[i]
        late[slot] = visit[slot] >= visits and not left[i]
    return rewards, over, late


@njit(inline="always")
def _last_up_to(ascending: np.ndarray, x: int) -> int:
    """The last place of `ascending` (L,) int64 whose value is not above x, or 0.

    It takes no branch that depends on the values: one that cannot be foretold costs more than a look at a
    value.
    """
    place, left = 0, len(ascending)
    while left > 1:
        half = left >> 1
        place += half * (ascending[place + half] <= x)
        left -= half
    return place


@njit(inner=True)
def _record_purchases(
    rows: np.ndarray, row: np.ndarray, item: np.ndarray, days: np.ndarray, w: World
) -> None:
    """The shop records what the shoppers in the slots `rows` (M,) bought, and when they come again. Purchases
    of rows from M on are the twins', whom it does not see."""
    for p in range(len(row)):
        if row[p] < len(rows):
            n = rows[row[p]]
            shortlist = w.shop.shortlist[w.shopper[n]]
            slot = _last_up_to(shortlist, item[p])
            if shortlist[slot] == item[p]:
                w.last[n, slot] = w.day[n]
    for i in range(len(rows)):
        w.day[rows[i]] += days[i]
        w.board.visit[rows[i]] += 1


@njit()
def move_on(
    whose: np.ndarray, reward: np.ndarray, left: np.ndarray, row: np.ndarray, item: np.ndarray,
    days: np.ndarray, seed: int, world: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """End M visits, and open the next ones of the same shoppers.

    Args:
        whose: (4, M) int64, as `offers` gives it.
        reward: (M,) float32.
        left: (2M,) bool, whether the shopper, or further on the twin, left for good.
        row, item: (P,) int64, the purchases. days: (2M,) int64, until the next visit.

    Returns:
        (N,) each: reward float32, terminated bool, truncated bool.
    """
    w: World = world.parts
    rows = whose[0]
    _record_purchases(rows, row, item, days, w)
    outputs = _step_outputs(rows, reward, left, w.board.visit, w.limits.visits)
    open_visits(rows, seed, world)
    return outputs
