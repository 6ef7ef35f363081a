"""See `user_models.bundling`."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.compiled.layout import SHELF_PRICE, Tables
from bundlegym.user_models.choice.compiled.parts import Array, part
from bundlegym.user_models.numeric.fast_math import exp32

_F = np.float32
_ONE = _F(1)


@part
def takes_whole(
    p: Tables,
    s: int,
    week: int,
    offered: Array,
    wanted: Array,
    value: Array,
    discount: float,
    bundle_pull: float,
) -> bool | np.bool_:
    """See `bundling.takes_whole`."""
    short = full = liking = _F(0)
    size = missing = 0
    for b in range(len(offered)):
        if offered[b] < 0:
            continue
        price = p.prices[week, offered[b], SHELF_PRICE]
        slope = p.price_slope[offered[b]] * p.price_sensitivity[s]
        full += price
        liking += price * (_ONE - exp32(-bundle_pull / slope))
        size += 1
        if not wanted[b]:
            missing += 1
            short += price * (_ONE - exp32(value[b] / slope))
    saving = discount * full + liking / max(size, 1)
    return size > 0 and (missing == 0 or (saving > 0 and saving >= short))
