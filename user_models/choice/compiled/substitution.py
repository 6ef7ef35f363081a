"""See `reference.substitution`: for one shopper at a time."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.compiled.layout import Tables
from bundlegym.user_models.choice.compiled.parts import Array, Key, key_of, part
from bundlegym.user_models.numeric.fast_math import exp32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw

_F = np.float32


@part
def _time(need: Array, rate: Array, i: int) -> float:
    """When an item is bought, at the latest by the end of the visit."""
    return min(need[i] / rate[i], _F(1))


@part
def still_bought(
    p: Tables,
    items: Array,
    need: Array,
    rate: Array,
    certain: Array,
    bought: Array,
    end: int,
    first_of: Array,
) -> int:
    """Keep of the places `bought[:end]` those that are bought still, all that are `certain` among them: where
    they end then. Of the subcategories that are bought from, `first_of` (G,), else -1, is the place of what
    was bought first."""
    for q in range(end):
        i = bought[q]
        group = p.subcategory[items[i]]
        if first_of[group] < 0 or _time(need, rate, i) < _time(need, rate, first_of[group]):
            first_of[group] = i
    kept = 0
    for q in range(end):
        i = bought[q]
        group = p.subcategory[items[i]]
        stays = (
            certain[i]
            or first_of[group] == i
            or p.product_line[items[i]] == p.product_line[items[first_of[group]]]
        )
        if not stays:
            begin = _time(need, rate, first_of[group])
            since = _time(need, rate, i) - begin
            stays = begin + since * exp32(-p.substitution[group]) < 1
        bought[kept] = i
        kept += stays
    return kept


@part
def still_wanted(p: Tables, key: Key, first_of: Array, basket: Array, item: int) -> bool:
    """Whether an item of the tail is bought beside those of a basket, from whose subcategories `first_of` is
    not -1."""
    group, product = p.subcategory[item], p.product_line[item]
    if first_of[group] < 0:
        return True
    for held in basket:
        if p.product_line[held] == product:
            return True
    return compiled_draw(key_of(key, streams.SUBSTITUTION), product) < exp32(p.substitution[group])
