"""The level of baskets and visits, set by simulating: what the parts of a model bring about together."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.tape import real_tape, simulated_tape

_STEPS = 4  # ever smaller ones, so that the luck of the simulations averages out


def set_level(
    model: UserModel,
    tensors: dict[str, Tensor],
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
) -> None:
    """Move `trip_rate` and `hazard_level`, log rates among a model's `tensors`, until the last fifth of
    `weeks`, simulated for `shoppers` (mask), has the log's mean basket and as many visits."""
    span = (weeks[1] - max(1, (weeks[1] - weeks[0]) // 5), weeks[1])
    known = np.flatnonzero(shoppers)
    real = real_tape(dataset, span, known)
    lines, visits = max(len(real), 1), max(real["visit"].nunique(), 1)
    for step in range(_STEPS):
        tape = simulated_tape(model, span, known, seed + step)
        simulated = max(tape["visit"].nunique(), 1)
        basket = np.log(lines / visits * simulated / max(len(tape), 1))
        tensors["trip_rate"] += float(basket) / (step + 1)
        tensors["hazard_level"] += float(np.log(visits / simulated)) / (step + 1)
