"""How much of a basket is new: the share of lines that the shopper had not bought before, by size of trip.

Likelihood finds it for all visits together. In a simulation big trips hold more of it than in the log, and
small ones less: an item is bought once a visit at most, and what else is bought on a big trip is new.
`new_level`, by size of trip, adds to the log rates of what is new until simulated baskets of each size differ
from those of all sizes as the log's do, in weeks that tastes have not seen: in those that they were counted
in, all that was bought is known.

Some trips are for the usual, others for something new. So the log rates of what is new differ from trip to
trip by a normal number of standard deviation `new_spread`, with which two lines of a simulated basket are
both new, or both known, as often as in the log.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.user_models.base import UserModel
from bundlegym.user_models.components.basket_size import SIZE_EDGES, on_grid
from bundlegym.user_models.panel import simulated_tape

_STEPS = 5
_MOST_SPREAD = 1.5  # what a small log has by luck goes no further
_LINES = 100.0  # like all, added to those in baskets of each size


def fit_new_level(
    model: UserModel,
    tensors: dict[str, Tensor],
    tape: pd.DataFrame,
    bought: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
) -> dict[str, np.ndarray]:
    """`new_level` (K,) float32 by size of trip and `new_spread` (1,), with which a simulation of `shoppers`
    (codes) in `weeks` holds as large a share of new lines in baskets of each size, beside that in all, and as
    many pairs of lines alike, as the `tape` of what they bought then; `bought` (S, I) says what each had
    bought before. Replaces those of the model's `tensors` on the way."""
    level, variance = tensors["new_level"].numpy(), 0.0
    real, alike = _new_odds(tape, bought), _alike(tape, bought)
    for step in range(_STEPS):
        simulated = simulated_tape(model, weeks, shoppers, seed + step)
        level = level + on_grid(real - _new_odds(simulated, bought)).astype(np.float32) / (step + 1)
        # A share p near a half moves by p (1 - p) of the log odds, and pairs alike by twice its variance.
        apart = np.nan_to_num(alike - _alike(simulated, bought))  # no pairs say nothing
        variance += apart / (2 * 0.25**2) / (step + 1)
        variance = float(np.clip(variance, 0.0, _MOST_SPREAD**2))
        spread = np.array([np.sqrt(variance)], dtype=np.float32)
        tensors |= {"new_level": torch.from_numpy(level), "new_spread": torch.from_numpy(spread)}
    return {"new_level": level, "new_spread": spread}


def _alike(tape: pd.DataFrame, bought: np.ndarray) -> float:
    """Share of baskets' pairs of lines of which both are new or both known, each basket of two lines or more
    counting once; NaN where there is no such basket."""
    known = pd.Series(bought[tape["shopper"], tape["item"]]).groupby(tape["visit"].to_numpy())
    n, k = known.size(), known.sum()
    n, k = n[n > 1], k[n > 1]
    pairs = (k * (k - 1) + (n - k) * (n - k - 1)) / (n * (n - 1))
    return float(pairs.mean()) if len(pairs) else float("nan")


def _new_odds(tape: pd.DataFrame, bought: np.ndarray) -> np.ndarray:
    """(6,) log odds that a line of a basket of each size is new, less those of any line."""
    size = np.digitize(tape.groupby("visit")["item"].transform("size"), SIZE_EDGES)
    known = bought[tape["shopper"], tape["item"]]
    count = np.stack([np.bincount(size[known == k], minlength=len(SIZE_EDGES) + 1) for k in (False, True)])
    overall = count.sum(1, keepdims=True) + 1.0
    new, old = count + _LINES * overall / overall.sum()
    return np.asarray(np.log(new / old) - np.log(overall[0] / overall[1]))
