"""See `components.quantity`."""

from __future__ import annotations

from bundlegym.user_models.choice.compiled.layout import LOG_DISCOUNT, Tables
from bundlegym.user_models.choice.compiled.parts import Key, first_above, key_of, part
from bundlegym.user_models.numeric.fast_math import exp32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw


@part
def draw_quantity(p: Tables, key: Key, s: int, week: int, item: int) -> int:
    """Units of an item that is bought."""
    level = (
        p.log_units[item]
        * p.log_units_factor[s]
        * exp32(p.log_units_slope[0] * p.prices[week, item, LOG_DISCOUNT])
    )
    cdf = p.units_cdf[first_above(p.units_edges, level, 0, len(p.units_edges))]
    luck = compiled_draw(key_of(key, streams.QUANTITY), item)
    if compiled_draw(key_of(key, streams.SAME_UNITS), item) < p.same_units_prob[0]:
        luck = compiled_draw(key_of(key, streams.SUBCATEGORY_UNITS), p.subcategory[item])
    place = 0
    while place < len(cdf) - 1 and luck > cdf[place]:
        place += 1
    return p.units_support[place]
