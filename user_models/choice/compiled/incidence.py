"""See `components.incidence`."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.compiled.layout import Tables
from bundlegym.user_models.choice.compiled.parts import Key, key_of, part
from bundlegym.user_models.components.incidence import DAY_EDGES, HORIZON, RATIO_EDGES
from bundlegym.user_models.numeric.fast_math import exp32, normal32
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.compiled_counter import compiled_key, compiled_unit

_F = np.float32
_ONE = _F(1)
_DAYS, _RATIOS = np.array(DAY_EDGES), np.array(RATIO_EDGES, dtype=np.float32)


@part
def next_visit(p: Tables, key: Key, s: int, day: int, trip: int) -> tuple[int, bool]:
    """Days from a visit of a class until the next, and whether there is none."""
    seed, episode, _ = key
    if compiled_unit(key_of(key, streams.SAME_DAY)) < p.same_day_prob[s]:
        return 0, False
    luck = compiled_unit(key_of(key, streams.WAIT))
    frailty = normal32(compiled_unit(compiled_key(seed, episode, 0, streams.FRAILTY)))
    own = p.frailty[0] * frailty
    own += p.hazard_level[0] + p.hazard_own[s]
    stays_away, by_day, by_ratio = _ONE, 0, 0
    for ahead in range(HORIZON):
        away = 1 + ahead
        while by_day < len(_DAYS) and away >= _DAYS[by_day]:
            by_day += 1
        while by_ratio < len(_RATIOS) and _F(away) * p.visit_rate[s] >= _RATIOS[by_ratio]:
            by_ratio += 1
        score = own + p.hazard_weekday[0] * p.weekday[s, (day + away) % 7]
        score += p.hazard_day[trip, by_day]
        score += p.hazard_ratio[by_ratio] + p.irregularity[s] * p.hazard_irregular[by_ratio]
        stays_away /= _ONE + exp32(score)
        if stays_away < luck:
            return ahead + 1, False
    return HORIZON, True
