"""The level of baskets and visits: what the parts of a model, fitted one by one, get wrong together.

Synergy, missions, satiation, an item being bought once a visit at most, and purchases by those who would else
go away empty-handed change the size of baskets and the shares of categories; frailty changes the number of
visits. What a model has of these is moved until the last fifth of the weeks of the fit, simulated, is like
the log.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.tape import real_tape, simulated_tape
from bundlegym.user_models.trips import mean_by_gap

_STEPS = 5
_CATEGORY_LINES = 30.0  # added to each category's, so that a rare one's share is left alone


def fit_level(
    model: UserModel,
    tensors: dict[str, Tensor],
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
) -> dict[str, np.ndarray]:
    """`trip_gap`, `hazard_level` and, of a model with missions, `mission_mean`, with which a simulation of
    `shoppers` (mask) has as large a mean basket after each time since the last visit, as many visits, and as
    large a share of each category as the log.

    Changes those of the model's `tensors` on the way.

    Raises:
        UserError: these weeks hold no purchases.
    """
    category = tensors["category"].numpy() if "mission_mean" in tensors else None
    span, known = (weeks[1] - max(1, (weeks[1] - weeks[0]) // 5), weeks[1]), np.flatnonzero(shoppers)
    tape = real_tape(dataset, span, known)
    if tape.empty:
        raise UserError(
            f"{dataset.name}: no purchases of the shoppers to fit on in weeks {span[0]}-{span[1] - 1}, "
            "the last fifth of those of the fit; a longer or denser log is needed"
        )
    real = _figures(tape, category)
    for step in range(_STEPS):  # ever smaller steps, so that the luck of the simulations averages out
        simulated = _figures(simulated_tape(model, span, known, seed + step), category)
        for name, figure in real.items():
            change = np.log(figure / simulated[name]) / (step + 1)
            # A category's mean is taken off its missions.
            tensors[name] += torch.from_numpy(-change if name == "mission_mean" else change).float()
    return {name: tensors[name].numpy() for name in real}


def _figures(tape: pd.DataFrame, category: np.ndarray | None) -> dict[str, np.ndarray]:
    """What each tensor is to bring about: mean lines by days since the last visit, (1,) visits, and shares of
    categories, where each item's (I,) is given."""
    visits = tape.groupby("visit").agg(shopper=("shopper", "first"), day=("day", "first"), n=("item", "size"))
    visits = visits.sort_values(["shopper", "day"], kind="stable")
    figures = {
        "trip_gap": mean_by_gap(visits["n"].to_numpy(), visits.groupby("shopper")["day"].diff()),
        "hazard_level": np.array([max(len(visits), 1.0)]),
    }
    if category is not None:
        count = np.bincount(category[tape["item"]], minlength=category.max() + 1) + _CATEGORY_LINES
        figures["mission_mean"] = count / count.sum()
    return figures
