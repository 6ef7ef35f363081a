"""See `components.trip_effects`."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.compiled.layout import TOGETHER, Tables
from bundlegym.user_models.choice.compiled.parts import Array, Key, key_of, part
from bundlegym.user_models.numeric.fast_math import exp32, normal32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_draw

_F = np.float32


@part
def mission_effect(p: Tables, key: Key, size: int, lift: Array, normal: Array) -> None:
    """Fill `lift` (C,): what the mission of a trip of a size multiplies rates by in each category."""
    of_mission, of_category = key_of(key, streams.MISSION), key_of(key, streams.CATEGORY)
    missions, own = len(p.missions), len(p.spread_category)
    for r in range(missions):
        normal[r] = normal32(compiled_draw(of_mission, r))
    for i in range(own):
        normal[missions + i] = normal32(compiled_draw(of_category, p.spread_category[i]))
    lift[:] = 0
    for r in range(0, missions, TOGETHER):
        # Some at a time: to read and write `lift` takes longer than to multiply.
        for c in range(len(lift)):
            more = _F(0)
            for q in range(r, r + TOGETHER):
                more += normal[q] * p.missions[q, c]
            lift[c] += more
    for i in range(own):
        c = p.spread_category[i]
        lift[c] += normal[missions + i] * p.mission_spread[c]
    level, scale = p.category_level[size], p.mission_scale[size]
    for c in range(len(lift)):
        lift[c] = exp32(scale * lift[c] + level[c])
