"""Small trips are often for one department: fruit and vegetables, meat, the deli.

Missions are found from categories that meet in baskets of all sizes, so they know little of it. At a visit
the log rates of all of a department gain a normal number, less half its variance, whose standard deviation is
of the department and of the size of the trip (`department_spread`). It is found by simulated moments: pairs
of lines of one department, as a multiple of what its share of lines says (a lift), are as many in simulated
baskets of each size as in the log's. The variance of a common log-normal factor adds to the log of this lift.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.user_models.base import UserModel
from bundlegym.user_models.components.basket_size import SIZE_EDGES, on_grid
from bundlegym.user_models.panel import simulated_tape

_STEPS = 6
_PAIRS = 50.0  # weight of no variance
_MOST = 3.0  # variance; no log tells from pairs how far a purpose goes beyond


def department_pairs(tape: pd.DataFrame, department: np.ndarray, n: int) -> np.ndarray:
    """(2, 6, n) ordered pairs of lines of one department (I,) of `n` in baskets of each class of
    `SIZE_EDGES`, and how many there would be by the departments' shares of lines in it."""
    visit = pd.factorize(tape["visit"])[0]
    lines = np.zeros((visit.max(initial=-1) + 1, n))
    np.add.at(lines, (visit, department[tape["item"]]), 1.0)
    size = lines.sum(1)
    pairs = np.zeros((2, len(SIZE_EDGES) + 1, lines.shape[1]))
    class_ = np.digitize(size, SIZE_EDGES)
    for k in np.unique(class_):
        here = lines[class_ == k]
        share = here.sum(0) / here.sum()
        possible = size[class_ == k] @ (size[class_ == k] - 1)
        pairs[:, k] = (here * (here - 1)).sum(0), possible * share**2
    return pairs


def fit_department_spread(
    model: UserModel,
    tensors: dict[str, Tensor],
    tape: pd.DataFrame,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
) -> np.ndarray:
    """`department_spread` (K, D) float32 by size of trip, with which a simulation of `shoppers` (codes) in
    `weeks` holds as many pairs of lines of one department, as a multiple of what shares of lines say, as the
    `tape` of some of their baskets. Replaces that of the model's `tensors`, 0 to begin with, on the way."""
    department = tensors["category_department"][tensors["category"]].numpy()
    n = tensors["department_spread"].shape[1]
    real = department_pairs(tape, department, n)
    variance = np.zeros(real.shape[1:])
    spread = np.zeros_like(variance)
    for step in range(_STEPS):
        simulated = department_pairs(simulated_tape(model, weeks, shoppers, seed + step), department, n)
        free = real[1] * (simulated[0] + _PAIRS) / (simulated[1] + _PAIRS) / np.exp(variance)
        variance = np.log((real[0] + _PAIRS) / (free + _PAIRS)).clip(0.0, _MOST)
        # Baskets of one line hold no pairs: what brings them is taken to be as in those of the next class.
        variance[0] = variance[1]
        spread = on_grid(np.sqrt(variance)).astype(np.float32)
        tensors["department_spread"] = torch.from_numpy(spread)
    return spread
