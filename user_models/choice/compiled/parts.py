"""What the parts of a compiled visit are made with, and small parts that several need."""

from __future__ import annotations

from typing import Any

from bundlegym.compiling import njit
from bundlegym.user_models.rng.compiled_counter import compiled_key

#: A numpy array; shapes are in the docs.
Array = Any
#: Seed, episode and number of a visit.
Key = tuple[int, int, int]

_OPTIONS: Any = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}
compiled = njit(nogil=True, **_OPTIONS)
#: A part of a visit. It allocates nothing, so that it need not count references: to count those of all tables
#: costs more than most parts do.
part = njit(inner=True, **_OPTIONS | {"forceinline": True, "_nrt": False})


@part
def key_of(visit: Key, stream: int) -> int:
    """What the draws of a stream have in common at a visit (seed, episode, number)."""
    return compiled_key(visit[0], visit[1], visit[2], stream)


@part
def first_above(ascending: Array, x: int, first: int, end: int) -> int:
    """The first place in first..end-1 whose value is above x, or `end`."""
    while first < end:
        middle = (first + end) >> 1
        if ascending[middle] <= x:
            first = middle + 1
        else:
            end = middle
    return first


@part
def multiply_by(factor: Array, code: Array, rate: Array) -> None:
    """Multiply rates by the factor of each one's code."""
    for i in range(len(code)):
        rate[i] *= factor[code[i]]


@part
def place_of(shortlist: Array, item: int) -> int:
    """Where an item is on a shortlist, or -1."""
    place = first_above(shortlist, item, 0, len(shortlist)) - 1
    return place if place >= 0 and shortlist[place] == item else -1


@part
def holds(list_: Array, n: int, x: int) -> bool:
    """Whether one of the first n places of a list is x."""
    found = False
    for q in range(n):
        found |= list_[q] == x
    return found
