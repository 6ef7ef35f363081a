"""What both implementations of the core's hot parts, `reference` and `compiled`, read and write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlegym.compiling import njit
from bundlegym.numba_struct import Struct, as_struct

#: A torch tensor for `reference`, a numpy array on the same memory for `compiled`.
Array = Any


class Shop(NamedTuple):
    """What the shop knows, by the names of `market.Market`; no step changes it.

    Attributes (S shoppers, I items, W weeks, C categories, L shortlisted items a shopper):
        shortlist: (S, L) int64, ascending item codes.
        retrieval_penalty: (S, L) float32.
        log_share: (S, L) float32.
        interval: (S, L) float32, days.
        week_features: (W, I, 6) float32.
        item_features: (I, 9) float32.
        synergy: (C, C) float32.
        category: (I,) int64.
        shopper_features: (S, F) float32.
        unit_cost, list_price: (W, I) float32, money a piece.
    """

    shortlist: Array
    retrieval_penalty: Array
    log_share: Array
    interval: Array
    week_features: Array
    item_features: Array
    synergy: Array
    category: Array
    shopper_features: Array
    unit_cost: Array
    list_price: Array


class History(NamedTuple):
    """What the log tells of purchases of shortlisted items, by shopper, then in order of time.

    Attributes (S shoppers, P purchases):
        bought_start: (S + 1,) int64, where each shopper's purchases begin.
        bought_slot: (P,) int32, place of the item in the shopper's shortlist.
        bought_day: (P,) int16.
    """

    bought_start: Array
    bought_slot: Array
    bought_day: Array


class Board(NamedTuple):
    """What lies before the agent, by the core's names; steps write into it.

    Attributes (N slots, K candidates, D discount levels, B items in the greatest bundle):
        candidates: (N, K) int64, item codes.
        features: (N, K, 19) float32, names in `base.CANDIDATE_FEATURES`.
        shopper: (N, F + 2) float32.
        context: (N, 5) float32, names in `base.CONTEXT_FEATURES`.
        picked: (N, K) float32, 1 where in the bundle.
        mask: (N, K + D) bool, the legal actions.
        picks: (N, B) int64, item codes in the order in which they were picked, -1 where there is none yet.
        n_picks: (N,) int64.
        visit: (N,) int64, number of the visit in the episode, from 0.
    """

    candidates: Array
    features: Array
    shopper: Array
    context: Array
    picked: Array
    mask: Array
    picks: Array
    n_picks: Array
    visit: Array


class Limits(NamedTuple):
    """Of `EnvConfig` the `visits` in an episode and the least and greatest size of a bundle; and the first
    day on which an episode may begin, and on how many days from then on."""

    visits: int
    min_size: int
    max_size: int
    first_day: int
    days: int


class World(NamedTuple):
    """All that the hot parts read and write.

    Attributes (N slots, P shoppers, D discount levels, L shortlisted items a shopper):
        board: what lies before the agent.
        shop: what the shop knows.
        history: what the log tells.
        episode: (N,) int64, whose luck each slot has.
        shopper, day, last: what the shop notes of who is at the door, as in `Records`.
        people: (P,) int64, codes of the shoppers that episodes are of.
        discounts: (D,) float32.
        limits: numbers of the configuration.
    """

    board: Board
    shop: Shop
    history: History
    episode: Array
    shopper: Array
    day: Array
    last: Array
    people: Array
    discounts: Array
    limits: Limits


@njit()
def _make(world: World) -> Any:
    return Struct(world)


def world_struct(world: World) -> Any:
    """`world` as the functions of `compiled` take it."""
    return as_struct(world, _make)


class Told(NamedTuple):
    """A user model's `Response`, by its names."""

    choice: Array
    row: Array
    item: Array
    quantity: Array
    price: Array
    days: Array
    left: Array


@dataclass
class Records:
    """What the shop itself notes of the shopper in each slot.

    Attributes:
        shopper, day: (N,) int64, who stands at the door, and on which day.
        last: (N, L) int16, the day each shortlisted item was last bought, -1 for never.
    """

    shopper: Array
    day: Array
    last: Array
