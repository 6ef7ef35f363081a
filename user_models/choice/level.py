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
from bundlegym.user_models.trips import SIZE_EDGES, mean_by_gap, on_grid

_STEPS = 5
_CATEGORY_LINES = 30.0  # added to each category's, so that a rare one's share is left alone
_SIZE_LINES = 1000.0  # of baskets of any size, added to those of each size


def fit_level(
    model: UserModel,
    tensors: dict[str, Tensor],
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
) -> dict[str, np.ndarray]:
    """`trip_gap`, `hazard_level` and, of a model with missions, `category_level`, with which a simulation of
    `shoppers` (mask) has as large a mean basket after each time since the last visit, as many visits, and as
    large a share of each category in baskets of each size as the log.

    Replaces those of the model's `tensors` on the way.

    Raises:
        UserError: these weeks hold no purchases.
    """
    category = tensors["category"].numpy() if "category_level" in tensors else None
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
            change = on_grid(change) if name == "category_level" else change
            tensors[name] = tensors[name] + torch.from_numpy(change).float()
    return {name: tensors[name].numpy() for name in real}


def _figures(tape: pd.DataFrame, category: np.ndarray | None) -> dict[str, np.ndarray]:
    """What each tensor is to bring about: mean lines by days since the last visit, (1,) visits, and shares of
    categories in baskets of each size, where each item's (I,) is given."""
    visits = tape.groupby("visit").agg(shopper=("shopper", "first"), day=("day", "first"), n=("item", "size"))
    visits = visits.sort_values(["shopper", "day"], kind="stable")
    figures = {
        "trip_gap": mean_by_gap(visits["n"].to_numpy(), visits.groupby("shopper")["day"].diff()),
        "hazard_level": np.array([max(len(visits), 1.0)]),
    }
    if category is not None:
        size = np.digitize(tape.groupby("visit")["item"].transform("size"), SIZE_EDGES)
        count = np.zeros((len(SIZE_EDGES) + 1, category.max() + 1))
        np.add.at(count, (size, category[tape["item"]]), 1.0)
        overall = count.sum(0) + _CATEGORY_LINES
        count += _SIZE_LINES * overall / overall.sum()
        figures["category_level"] = count / count.sum(1, keepdims=True)
    return figures
