"""See `components.quantity`."""

from __future__ import annotations

from bundlegym.user_models.choice.compiled.layout import LOG_DISCOUNT, Tables
from bundlegym.user_models.choice.compiled.parts import Key, first_above, key_of, part
from bundlegym.user_models.numeric.fast_math import exp32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw


@part
def draw_quantity(p: Tables, key: Key, s: int, week: int, size: int, place: int, item: int) -> int:
    """Units of an item that is bought, on a trip of a size; `place` on the shortlist, -1 for none."""
    more = p.log_units_slope[0] * p.prices[week, item, LOG_DISCOUNT] + p.quantity_by_size[size]
    if place >= 0:
        more += p.regular_quantity[s, place]
    level = p.log_units[item] * p.log_units_factor[s] * exp32(more)
    cdf = p.units_cdf[first_above(p.units_edges, level, 0, len(p.units_edges))]
    luck = compiled_draw(key_of(key, streams.QUANTITY), item)
    units = 0
    while units < len(cdf) - 1 and luck > cdf[units]:
        units += 1
    return p.units_support[units]
