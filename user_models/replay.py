"""`ReplayShopper`: the logged future itself, for offline judging.

Every visit is the shopper's next one in the log, whatever is offered. *Assumption*: since the log holds no
offers, a bundle is taken whole where the logged basket holds all of it, and cherry-picked where it holds
some. An offer can therefore only lose margin here: it is what a policy gives away to those who would have
bought anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Offer, Response, State, UserModel
from bundlegym.user_models.numeric.ragged import rows_of
from bundlegym.user_models.parameters import Layout
from bundlegym.user_models.persistence import load_tensors, save_tensors
from bundlegym.user_models.rng.counter import Draws

#: S shoppers, V visits, P lines.
LAYOUT = Layout(
    shapes={"start": "S+1", "day": "V", "line": "V+1", "item": "P", "quantity": "P", "price": "P"},
    codes={"start": (0, "V+1"), "line": (0, "P+1")},
    ascending=("start", "line"),
)


class ReplayShopper(UserModel):
    """See the module's docstring.

    Attributes:
        tensors: `start` (S + 1,) where each shopper's visits begin; `day` (V,); `line` (V + 1,) where each
            visit's lines begin; `item`, `quantity` (P,), `price` (P,) at the shelf.
    """

    layout = LAYOUT

    def __init__(self, tensors: dict[str, Tensor], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.tensors = {name: value.to(self.device) for name, value in tensors.items()}

    @staticmethod
    def fit(
        dataset: Dataset,
        *,
        weeks: tuple[int, int] | None = None,
        shoppers: np.ndarray | None = None,
        seed: int = 0,
        progress: Callable[[str], None] = print,
        device: torch.device | str = "cpu",
    ) -> ReplayShopper:
        """Nothing is fitted: `weeks`, `shoppers` and `seed` are those of the contract and say nothing
        here."""
        visits, purchases = dataset.visits, dataset.purchases
        visit, item = purchases["visit"].to_numpy(), purchases["item"].to_numpy()
        arrays = {
            "start": np.searchsorted(visits["shopper"], np.arange(dataset.n_shoppers + 1)).astype(np.int64),
            "day": visits["day"].to_numpy(np.int64),
            "line": np.searchsorted(visit, np.arange(len(visits) + 1)).astype(np.int64),
            "item": item.astype(np.int64),
            "quantity": purchases["quantity"].to_numpy(np.int64),
            "price": dataset.shelf_price[item, visits["week"].to_numpy()[visit]],
        }
        return ReplayShopper({name: torch.from_numpy(value.copy()) for name, value in arrays.items()}, device)

    @property
    def offer_is_only_discount(self) -> bool:
        return True

    def arrive(self, shopper: Tensor, day: Tensor, draws: Draws) -> Tensor:
        visit = self.reset(shopper, day)["visit"]
        known = visit < self.tensors["start"][shopper + 1]
        later = self.tensors["day"][visit.clamp(max=len(self.tensors["day"]) - 1)]
        return torch.where(known, later, int(self.tensors["day"].max()) + 1)

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        t = self.tensors
        span = int(t["day"].max()) + 1
        key = (
            torch.repeat_interleave(torch.arange(len(t["start"]) - 1, device=self.device), t["start"].diff())
            * span
            + t["day"]
        )
        return {
            "shopper": shopper,
            "visit": torch.searchsorted(key, shopper * span + day.clamp(max=span - 1)),
        }

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        t, end = self.tensors, self.tensors["start"][state["shopper"] + 1]
        here = state["visit"] < end
        visit = torch.where(here, state["visit"], 0)
        count = torch.where(here, t["line"][visit + 1] - t["line"][visit], 0)
        row, line = rows_of(t["line"][visit], count)
        item, quantity, price = t["item"][line], t["quantity"][line], t["price"][line]
        match = offer.items[row] == item[:, None]
        in_offer = match.any(1)
        held = torch.zeros(len(visit), device=self.device).index_add(0, row, in_offer.float())
        wanted = (offer.items >= 0).sum(1)
        whole = (wanted > 0) & (held >= wanted)
        discount = offer.discount[row] * (in_offer & whole[row]) / quantity
        after = state["visit"] + 1
        more = after < end
        days = t["day"][torch.where(more, after, visit)] - t["day"][visit]
        response = Response(
            choice=torch.where(whole, TAKE, torch.where(held > 0, CHERRY_PICK, IGNORE)),
            row=row,
            item=item,
            quantity=quantity,
            price=price * (1 - discount),
            days=torch.where(more, days, 1),
            left=~more,
        )
        return response, {"shopper": state["shopper"], "visit": torch.where(here, after, state["visit"])}

    def save(self, folder: Path) -> None:
        save_tensors(folder, "replay", self.tensors, {})

    @staticmethod
    def load(folder: Path, device: torch.device | str = "cpu") -> ReplayShopper:
        """Read what `save` wrote; raises `UserError` where it is not there."""
        return ReplayShopper(load_tensors(folder, "replay", LAYOUT)[0], device)
