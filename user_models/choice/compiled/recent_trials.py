"""See `reference.recent_trials`."""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.choice.compiled.layout import Tables
from bundlegym.user_models.choice.compiled.parts import Array, part

_F = np.float32


@part
def trial_weight(p: Tables, trials: Array, place: int) -> float:
    """What a purchase of a shopper's history adds to its item's rate."""
    return p.trial_weight[trials[place]] * p.trial_fading[place]


@part
def of_item(p: Tables, trials: Array, item: int) -> np.float32:
    """What the purchases `trials` (TRIALS,) of an item add to its rate."""
    times, total = 0, _F(0)
    for other in trials:
        times += other == item
    if times > 0:  # seldom
        for place in range(len(trials)):
            if trials[place] == item:
                total += trial_weight(p, trials, place)
    return total
