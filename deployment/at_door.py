"""Shoppers of the log before a visit that is none of the log's, with all that the log tells until then."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import torch

from bundlegym.data import Dataset, lines_of
from bundlegym.user_models.base import State, UserModel


def states_at_door(model: UserModel, dataset: Dataset, shoppers: np.ndarray, day: int) -> State:
    """The user model's state of shoppers (N,), codes of the log, at the door on `day`.

    A user model knows the state at visits of a log (`UserModel.at_visits`); so each shopper is given one
    more, on `day`, after those before it. It lies in the log's last week where `day` is later than that, as
    prices do.
    """
    asked, place = np.unique(shoppers, return_inverse=True)
    visits = dataset.visits[["shopper", "day", "week"]]
    rows = np.flatnonzero((visits["day"] < day) & visits["shopper"].isin(asked))
    lines, of_visit = lines_of(dataset, rows)
    week = min(max(day // 7, 0), dataset.n_weeks - 1)
    more = pd.DataFrame({"shopper": asked, "day": day, "week": week})
    more = more.astype({name: visits[name].dtype for name in more})
    joined = pd.concat([visits.iloc[rows], more], ignore_index=True)
    order = joined["shopper"].argsort(kind="stable").to_numpy()
    number = np.argsort(order, kind="stable")
    purchases = dataset.purchases.iloc[lines].assign(visit=number[of_visit]).sort_values(
        ["visit", "item"], ignore_index=True
    )  # fmt: skip
    history = dataclasses.replace(
        dataset, visits=joined.iloc[order].reset_index(drop=True), purchases=purchases
    )
    state = model.at_visits(history, number[len(rows) :])
    index = torch.as_tensor(place, device=model.device)
    return {name: value[index] for name, value in state.items()}
