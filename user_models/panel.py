"""Real and simulated purchases under the same columns, so that every measure reads both alike.

A *panel* is a frame with a row an item bought: `visit` (int, unique), `shopper`, `day`, `week`, `item`,
`quantity`, `price` (paid a unit), sorted by shopper, day and visit. Visits that hold nothing are not on it,
as in a log.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from bundlegym.data import Dataset
from bundlegym.user_models.base import Offer, UserModel
from bundlegym.user_models.rng.counter import Draws

_CHUNK = 1024  # shoppers at once, up to twice as many: few calls, and small enough for a processor's cache


def logged_panel(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> pd.DataFrame:
    """What `shoppers` (codes) bought in `weeks` [first, past_last)."""
    visit = dataset.purchases["visit"].to_numpy()
    visits = dataset.visits
    wanted = visits["week"].between(weeks[0], weeks[1] - 1) & visits["shopper"].isin(shoppers)
    keep = wanted.to_numpy()[visit]
    lines, visit = dataset.purchases[keep], visit[keep]
    return pd.DataFrame(
        {
            "visit": visit,
            "shopper": visits["shopper"].to_numpy()[visit].astype(np.int64),
            "day": visits["day"].to_numpy()[visit].astype(np.int64),
            "week": visits["week"].to_numpy()[visit].astype(np.int64),
            "item": lines["item"].to_numpy().astype(np.int64),
            "quantity": lines["quantity"].to_numpy().astype(np.int64),
            # What the shelf asked: a user model knows no coupons.
            "price": dataset.shelf_price[lines["item"], visits["week"].to_numpy()[visit]],
        }
    )


def simulated_panel(
    model: UserModel, weeks: tuple[int, int], shoppers: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """What the model has `shoppers` buy in `weeks` without any offer, from the state that the log leaves them
    in at the start."""
    parts = [
        _simulate(model, weeks, torch.as_tensor(chunk, dtype=torch.int64, device=model.device), seed)
        for chunk in np.array_split(shoppers, max(1, len(shoppers) // _CHUNK))
    ]
    columns = np.concatenate(parts, axis=1)
    panel = pd.DataFrame(dict(zip(("shopper", "count", "day", "item", "quantity"), columns[:5], strict=True)))
    panel = panel.astype(np.int64)
    panel["price"] = columns[5]
    panel["week"] = panel["day"] // 7
    panel = panel.sort_values(["shopper", "count"], kind="stable").reset_index(drop=True)
    panel["visit"] = panel.groupby(["shopper", "count"]).ngroup()
    return panel[["visit", "shopper", "day", "week", "item", "quantity", "price"]]


def _simulate(model: UserModel, weeks: tuple[int, int], shopper: torch.Tensor, seed: int) -> np.ndarray:
    """(6, P) rows bought: shopper, number of the visit, day, item, quantity, price."""
    first, end = weeks[0] * 7, weeks[1] * 7
    zero = torch.zeros_like(shopper)
    day = model.arrive(shopper, zero + first, Draws(seed, shopper, zero))
    coming = day < end
    shopper = shopper[coming]
    state = model.reset(shopper, day[coming])
    day = day[coming]
    parts = []
    for count in range(10 * (end - first)):
        if len(shopper) == 0:
            break
        draws = Draws(seed, shopper, torch.full_like(shopper, count + 1))
        response, state = model.respond(state, Offer.nothing(len(shopper), 1, model.device), draws)
        row = response.row
        parts.append(
            torch.stack(
                [
                    shopper[row].double(),
                    torch.full_like(response.price, count, dtype=torch.float64),
                    day[row].double(),
                    response.item.double(),
                    response.quantity.double(),
                    response.price.double(),
                ]
            )
        )
        day = day + response.days
        coming = (day < end) & ~response.left
        shopper, day = shopper[coming], day[coming]
        state = {name: value[coming] for name, value in state.items()}
    return torch.cat(parts, 1).cpu().numpy() if parts else np.zeros((6, 0))
