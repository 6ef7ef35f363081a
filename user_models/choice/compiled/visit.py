"""A visit of a `ChoiceShopper` compiled for the CPU; `reference.visit` says the same in torch.

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

from typing import Any

import numpy as np

from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE
from bundlegym.user_models.choice.bounds import SLOTS
from bundlegym.user_models.choice.compiled.bundling import takes_whole
from bundlegym.user_models.choice.compiled.exposure import exposure_effect, remember, weeks_in_a_row
from bundlegym.user_models.choice.compiled.incidence import next_visit
from bundlegym.user_models.choice.compiled.layout import SHELF_PRICE, Tables
from bundlegym.user_models.choice.compiled.long_tail import MOST_ITEMS, bought_in_tail, tail_rates
from bundlegym.user_models.choice.compiled.offers import appraise, beside_each_other, leaves_habit
from bundlegym.user_models.choice.compiled.parts import Array, Key, compiled, key_of, multiply_by, part
from bundlegym.user_models.choice.compiled.prefetch import prefetch
from bundlegym.user_models.choice.compiled.quantity import draw_quantity
from bundlegym.user_models.choice.compiled.recent_trials import of_item, trial_weight
from bundlegym.user_models.choice.compiled.substitution import still_bought
from bundlegym.user_models.choice.compiled.utility import door, pull_by, pull_effect, recency_effect
from bundlegym.user_models.numeric.fast_math import exp32, log32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw

#: Row, item, quantity and price of purchases.
Columns = tuple[Array, Array, Array, Array]
_F = np.float32
_ONE = _F(1)


@part
def _bought(rate: Array, need: Array, certain: Array, out: Array) -> int:
    """Fill `out` with the places of what is certain or worth buying: how many they are."""
    n = 0
    for i in range(len(rate)):
        out[n] = i
        n += certain[i] or need[i] < rate[i]
    return n


@compiled
def _room(length: int) -> Columns:
    """Columns of purchases: row, item, quantity, price."""
    whole = np.empty((3, length), np.int64)
    return whole[0], whole[1], whole[2], np.empty(length, np.float32)


@compiled
def _longer(bought: Columns, used: int) -> Columns:
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
def _first_empty(trials: Array) -> int:
    """How many purchases a shopper's history (TRIALS,) holds."""
    n = 0
    while n < len(trials) and trials[n] >= 0:
        n += 1
    return n


@part
def _append(list_: Array, n: int, item: int) -> int:
    """Put an item at place n of a list, if there is room: how many it holds then."""
    if n < len(list_):
        list_[n] = item
        n += 1
    return n


@part
def _known(p: Tables, last: Array, trials: Array, place: int, item: int, length: int) -> bool:
    """Whether an item at a place among the considered was bought before."""
    return last[place] >= 0 if place < length else of_item(p, trials, item) > 0


@part
def _same_door(luck_of: tuple[Array, Array], at_door: tuple[Array, ...], one: int, other: int) -> bool:
    """Whether two rows are at one door on one day, with the same luck and as long since the last trip."""
    (episode, visit), (shopper, day, since, last_size_class) = luck_of, at_door
    return (
        shopper[one] == shopper[other] and day[one] == day[other] and since[one] == since[other]
        and last_size_class[one] == last_size_class[other] and episode[one] == episode[other]
        and visit[one] == visit[other]
    )  # fmt: skip


@part
def _copy(p: Tables, bought: Columns, start: int, used: int, r: int, week: int) -> int:
    """Append for a row what is bought from `start` up to `used`, at shelf prices: where it ends."""
    row, item, units, price = bought
    end = 2 * used - start
    for q in range(used, end):
        copied = q - used + start
        row[q], item[q], units[q] = r, item[copied], units[copied]
        price[q] = p.prices[week, item[q], SHELF_PRICE]
    return end


@part
def _boost(slots: Array, gained: Array, boost: Array, length: int, rate: Array) -> None:
    """Multiply the rates of what the offer adds to the basket."""
    for b in range(len(slots)):
        if gained[b]:
            rate[slots[b]] = boost[b] * (rate[slots[b]] if slots[b] < length else _ONE)


@part
def _pull(
    p: Tables,
    need: Array,
    added: Array,
    category: Array,
    lift: Array,
    rate: Array,
    room: tuple[Array, Array, Array, Array, Array],
) -> None:
    """Let what is bought on its own merits, and what is `added`, pull or push the rates of all the others;
    and fill `pull`, `pulled` and `tail_lift`, of the `room`, see `pull_by`."""
    pullers, kept, pull, pulled, tail_lift = room
    n_pullers = _bought(rate, need, added, pullers)
    pull[:] = 0
    for q in range(n_pullers):
        synergy = p.synergy[category[pullers[q]]]
        for c in range(len(pull)):
            pull[c] += synergy[c]
    pull_by(pull, lift, pulled, tail_lift)
    for q in range(n_pullers):
        i, c = pullers[q], category[pullers[q]]
        kept[q] = rate[i] * pull_effect(pull[c] - p.synergy[c, c])
    multiply_by(pulled, category, rate)
    for q in range(n_pullers):
        rate[pullers[q]] = kept[q]


@part
def _arrivals(key: Key, tail_rate: float) -> tuple[int, float]:
    """How many purchases of the tail come in time, and when the first one would."""
    arrivals, count = key_of(key, streams.TAIL), 0
    time = earliest = -log32(compiled_draw(arrivals, 0)) / tail_rate
    while time < 1 and count < SLOTS:
        count += 1
        time -= log32(compiled_draw(arrivals, count)) / tail_rate
    return count, earliest


@part
def _nearest(need: Array, rate: Array) -> int:
    """Which item would be bought first."""
    best = 0
    for i in range(len(rate)):
        if need[i] * rate[best] < need[best] * rate[i]:
            best = i
    return best


@part
def _expose(
    slots: Array,
    wanted: Array,
    value: Array,
    effect: Array,
    exposed: Array,
    bought_anyway: Array,
    lacking: Array,
) -> None:
    """Fill which offered items are bought since they are shown, which are at the shelf price, and what the
    others lack then."""
    for b in range(len(slots)):
        exposed[b] = slots[b] >= 0 and not wanted[b] and effect[b] > 0 and value[b] + effect[b] >= 0
        bought_anyway[b] = wanted[b] or exposed[b]
        lacking[b] = min(value[b] + effect[b], _F(0))


@part
def _decided(
    p: Tables,
    s: int,
    length: int,
    offer: tuple[Array, Array, float, bool],
    appraised: tuple[Array, Array, Array],
    gained: Array,
    considered: tuple[Array, Array, Array, Array, Array],
    boost: Array,
) -> None:
    """Fill in what is settled where the offer adds something to the basket: what is certain, what is added,
    and how far the discount and the exposure bring it forward."""
    (offered, slots, discount, whole), (value, wanted, effect) = offer, appraised
    items, category, need, certain, added = considered
    for b in range(len(slots)):
        i = slots[b]
        if i < 0:
            continue
        certain[i] = gained[b] or whole or (i >= length and wanted[b])
        if gained[b]:
            added[i] = True
            slope = p.price_slope[offered[b]] * p.price_sensitivity[s]
            boost[b] = exp32(effect[b] - (slope * log32(_ONE - discount) if whole else _F(0)))
        if i >= length:
            items[i], category[i] = offered[b], p.category[offered[b]]
            if gained[b]:
                need[i] = exp32(-value[b])


@part
def _write_down(
    p: Tables,
    key: Key,
    s: int,
    week: int,
    day: int,
    size: int,
    length: int,
    before: tuple[Array, Array],
    basket: tuple[Array, Array, int, Array, int],
    offer: tuple[Array, Array, np.float32, bool, bool],
    through_offer: tuple[Array, Array],
    bought: Columns,
    start: int,
    after: tuple[Array, Array, Array],
) -> tuple[int, bool]:
    """Fill in the lines of a visit from `start` on, `after` it when each shortlisted item was last bought,
    what was bought off the shortlist, and the units of what is offered; where the lines end, and whether one
    is of an offered item."""
    (last, trials), (held, chosen, n_chosen, found, n_found) = before, basket
    (offered, slots, discount, whole, is_offer), (gained, exposed) = offer, through_offer
    (_, item, units, price), (after_last, after_trials, offered_units) = bought, after
    n_new, picked, end = np.int64(0), False, start
    for q in range(n_chosen + n_found):
        bought_here = held[q] if q < n_chosen else found[q - n_chosen]
        place = chosen[q] if q < n_chosen and chosen[q] < length else -1
        item[end], units[end] = bought_here, draw_quantity(p, key, s, week, size, place, bought_here)
        off, kept_in_mind = _F(0), True
        if is_offer:
            for b in range(len(offered)):
                if offered[b] == bought_here:
                    picked, offered_units[b] = True, units[end]
                    if whole:
                        off = discount
                    if gained[b] and whole and not exposed[b]:  # one unit of what is new
                        units[end] = 1
                        kept_in_mind = _known(p, last, trials, slots[b], bought_here, length)
                        kept_in_mind = kept_in_mind or leaves_habit(p, key, bought_here)
        price[end] = p.prices[week, bought_here, SHELF_PRICE] * (_ONE - off / units[end])
        if kept_in_mind:
            if place >= 0:
                after_last[place] = day
            else:
                n_new = _append(after_trials, n_new, bought_here)
        end += 1
    for j in range(len(trials) - n_new):
        after_trials[n_new + j] = trials[j]
    return end, picked


@part
def _equal(one: Array, other: Array) -> bool:
    for i in range(len(one)):
        if one[i] != other[i]:
            return False
    return True


@compiled
def respond(
    tables: Any,
    seed: int,
    luck_of: tuple[Array, Array],
    state: tuple[Array, ...],
    offer: tuple[Array, Array],
    exposure: float,
    bundle_pull: float,
    only_appraise: bool,
) -> tuple[tuple[Array, ...], tuple[Array, ...], tuple[Array, ...]]:
    """`ChoiceShopper.respond` of N shoppers.

    tables: `Tables`, held; luck_of: episode, visit (N,); state: shopper, day, since, last_size_class (N,),
    last (N, L), trials (N, TRIALS), shown, shown_week, shown_run (N, SHOWN); offer: items (N, B), discount
    (N,); exposure: on the log rate of what is offered, times its sensitivity to promotions and what is left
    of it; only_appraise: the offer does nothing. Returns the fields of a `Response`; all of `state` but
    `shopper` at the door of the next visit; and of what is offered the fields of an `Appraisal` that
    `offers.appraise` fills.
    """
    p, (episode, visit), (offer_items, discount) = tables.parts, luck_of, offer
    shopper, day, since, last_size_class, last, trials, shown, shown_week, shown_run = state
    (n, length), n_offered, n_categories = last.shape, offer_items.shape[1], len(p.mission_spread)
    width = length + n_offered
    choice, days, left = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    after, after_trials, after_size_class = last.copy(), np.empty_like(trials), np.empty(n, np.int64)
    to_shown, to_week, to_run = np.empty_like(shown), np.empty_like(shown), np.empty_like(shown)
    every_wanted, every_units = np.zeros((n, n_offered), np.bool_), np.zeros((n, n_offered), np.int64)
    every_value, every_effect = np.zeros((n, n_offered), np.float32), np.zeros((n, n_offered), np.float32)
    door_rate, rate = np.empty(length, np.float32), np.empty(width, np.float32)
    need = np.ones(width, np.float32)
    items, category = np.zeros(width, np.uint32), np.zeros(width, np.uint16)
    pullers, slots = np.empty(width, np.int64), np.empty(n_offered, np.int64)
    chosen, basket = np.empty(width, np.int64), np.empty(width, np.int64)
    found, nobody = np.empty(MOST_ITEMS, np.int64), np.full(n_offered, -1)
    in_basket, certain = np.zeros(width, np.bool_), np.zeros(width, np.bool_)
    added = np.zeros(width, np.bool_)
    kept = np.empty(width, np.float32)
    lift, pull = np.empty(n_categories, np.float32), np.empty(n_categories, np.float32)
    pulled, tail_lift = np.empty(n_categories, np.float32), np.empty(n_categories, np.float32)
    bins = np.empty(length, np.int32)
    normal = np.empty(len(p.missions) + len(p.spread_category), np.float32)
    first_of = np.full(len(p.substitution), -1)
    tail, tail_by_category = np.empty(p.tail_weight.shape[1], np.float32), np.empty(n_categories, np.float32)
    running = np.empty(n_categories + 1, np.float32)
    lacking, beside = np.empty(n_offered, np.float32), np.empty(n_offered, np.float32)
    sensitivity, boost = np.empty(n_offered, np.float32), np.empty(n_offered, np.float32)
    run, gained = np.ones(n_offered, np.int64), np.zeros(n_offered, np.bool_)
    exposed, bought_anyway = np.zeros(n_offered, np.bool_), np.zeros(n_offered, np.bool_)
    effect, of_subcategory = np.exp(p.recency).ravel(), np.exp(p.recency_of_subcategory)
    latest, often = np.empty(len(p.substitution), np.int16), np.empty(len(p.substitution), np.float32)
    # Typed, since parts that are given a literal are compiled once more for it.
    bought, used, start = _room(12 * n + width + MOST_ITEMS), np.int64(0), np.int64(0)
    half, opened, previous = (n + 1) // 2, np.int64(-1), np.int64(-1)
    log_size, size, trip, new, wait, gone, unmoved = _F(0), 0, 0, _ONE, 0, False, False
    for step in range(2 * half):
        r = step // 2 + step % 2 * half  # a shopper, then the twin
        if r >= n:
            continue
        s, key = shopper[r], (seed, episode[r], visit[r])
        week = min(max(day[r] // 7, 0), len(p.prices) - 1)
        same_door = opened >= 0 and _same_door(luck_of, state[:4], r, opened)
        if not same_door:
            if r + 1 < half:
                own = (
                    p.shortlist, p.short_category, p.short_subcategory, p.log_preference, p.familiarity,
                    p.purchase_interval, p.tail_weight, p.size_cdf,
                )  # fmt: skip
                prefetch(own, shopper[r + 1])
            room = door_rate, need, lift, normal, tail, tail_by_category
            log_size, size, trip, new = door(p, key, s, week, since[r], last_size_class[r], *room)
            wait, gone = next_visit(p, key, s, day[r], trip)
            for i in range(length):
                items[i], category[i] = p.shortlist[s, i], p.short_category[s, i]
            opened = r
        days[r], left[r], after_size_class[r] = wait, gone, trip
        if used + width + MOST_ITEMS > len(bought[0]):
            bought = _longer(bought, used)
        row, item, units, price = bought
        offered = offer_items[r]
        is_offer = offered.max() >= 0
        memory_of_offers = shown[r], shown_week[r], shown_run[r]
        alike = same_door and unmoved and not is_offer
        if alike and _equal(last[r], last[previous]) and _equal(trials[r], trials[previous]):
            start, end = used, _copy(p, bought, start, used, r, week)
            for i in range(length):
                after[r, i] = after[previous, i]
            for j in range(trials.shape[1]):
                after_trials[r, j] = after_trials[previous, j]
            remember(week, nobody, run, memory_of_offers, (to_shown[r], to_week[r], to_run[r]))
            used, choice[r], previous = end, IGNORE, r
            continue
        n_trials = _first_empty(trials[r])
        whole = moved = False
        n_chosen = n_found = 0
        certain[:], added[:], gained[:] = False, False, False
        need[length:], rate[length:] = 1, 0
        # First what is bought without an offer; where the offer adds to it, all that is bought with that.
        for _ in range(2):
            for i in range(length):
                rate[i] = door_rate[i]
            recency_effect(p, s, day[r], last[r], effect, of_subcategory, latest, often, bins, rate)
            _boost(slots, gained, boost, length, rate)
            _pull(p, need, added, category, lift, rate, (pullers, kept, pull, pulled, tail_lift))
            n_chosen = _bought(rate, need, certain, chosen)
            n_chosen = still_bought(p, items, need, rate, certain, chosen, n_chosen, first_of)
            memory = tail[-1]
            for j in range(n_trials):
                memory += trial_weight(p, trials[r], j)
            tail_rates(p, tail_by_category, tail_lift, memory, running)
            tail_rate = max(running[-1] * np.exp(log_size), _F(1e-9))
            count, earliest = _arrivals(key, tail_rate)

            # Whoever came buys something: of all that is not worth its price, what comes nearest.
            if n_chosen == 0 and count == 0:
                best = _nearest(need, rate)
                if earliest * rate[best] < need[best]:
                    count = 1
                else:
                    chosen[0] = best
                    n_chosen = 1
            for q in range(n_chosen):
                basket[q] = items[chosen[q]]
            history, decided = trials[r, :n_trials], offered if moved else nobody
            n_found = bought_in_tail(
                p, key, s, week, count, tail, tail_lift, running, history, decided, first_of,
                basket[:n_chosen], found,
            )  # fmt: skip
            if moved or not is_offer:
                break

            # Then the offer, beside what is bought without it.
            in_basket[:] = False
            for q in range(n_chosen):
                in_basket[chosen[q]] = True
            out = slots, every_value[r], every_wanted[r], sensitivity
            appraise(
                p, key, s, week, (log_size, size, new), tail_lift, trials[r], offered, in_basket,
                (basket, n_chosen, found, n_found, items), first_of, need, rate, out,
            )  # fmt: skip
            value, wanted, added_utility = every_value[r], every_wanted[r], every_effect[r]
            weeks_in_a_row(week, offered, memory_of_offers, run)
            exposure_effect(p, exposure, run, sensitivity, added_utility)
            if only_appraise:
                break
            _expose(slots, wanted, value, added_utility, exposed, bought_anyway, lacking)
            beside_each_other(p, offered, bought_anyway, lacking, beside)
            whole = takes_whole(p, s, week, offered, bought_anyway, beside, discount[r], bundle_pull)
            for b in range(n_offered):
                gained[b] = slots[b] >= 0 and not wanted[b] and (exposed[b] or whole)
                moved |= gained[b]
            if not moved:
                break
            _decided(
                p, s, length, (offered, slots, discount[r], whole), (value, wanted, added_utility), gained,
                (items, category, need, certain, added), boost,
            )  # fmt: skip
            for q in range(n_chosen):
                first_of[p.subcategory[basket[q]]] = -1

        # What is written down.
        start = used
        end, picked = _write_down(
            p, key, s, week, day[r], size, length, (last[r], trials[r]),
            (basket, chosen, n_chosen, found, n_found),
            (offered, slots, discount[r], whole, is_offer), (gained, exposed), bought, start,
            (after[r], after_trials[r], every_units[r]),
        )  # fmt: skip
        for q in range(start, end):
            first_of[p.subcategory[item[q]]] = -1  # as the next visit must find it
        offer_seen = nobody if only_appraise else offered
        remember(week, offer_seen, run, memory_of_offers, (to_shown[r], to_week[r], to_run[r]))
        row[start:end], used = r, end
        choice[r] = TAKE if whole else CHERRY_PICK if picked else IGNORE
        previous, unmoved = r, not moved
    row, item, units, price = bought
    return (
        (choice, row[:used], item[:used], units[:used], price[:used], days, left),
        (day + days, days.copy(), after_size_class, after, after_trials, to_shown, to_week, to_run),
        (every_wanted, every_units, every_value, every_effect),
    )
