"""See `reference.log_history`: for one shopper at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from bundlegym.user_models.choice.bounds import FIRST_GAP
from bundlegym.user_models.choice.compiled.parts import Array, compiled


@compiled
def before_week(history: Any, shopper: Array, day: Array) -> tuple[Array, Array, Array, Array]:
    """See `reference.log_history`; history: `layout.LogHistory`, held."""
    p, n = history.parts, len(shopper)
    since, last_size_class = np.empty(n, np.int64), np.empty(n, np.int64)
    last = np.empty((n, p.last_bought.shape[2]), p.last_bought.dtype)
    trials = np.empty((n, p.recent_trials.shape[2]), p.recent_trials.dtype)
    for r in range(n):
        s, week = shopper[r], min(max(day[r] // 7, 0), len(p.last_visit) - 1)
        known = p.last_visit[week, s]
        since[r] = day[r] - known if known >= 0 else FIRST_GAP
        last_size_class[r] = p.last_size_class[week, s]
        for i in range(last.shape[1]):
            last[r, i] = p.last_bought[week, s, i]
        trial_week = max(week - p.first_trial_week[0] + 1, 0)
        for j in range(trials.shape[1]):
            trials[r, j] = p.recent_trials[trial_week, s, j]
    return since, last_size_class, last, trials
