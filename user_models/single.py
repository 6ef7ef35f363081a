"""Your own shoppers as a plain class about one shopper, without torch.

    class Regular:
        def __init__(self, dataset, **arguments): ...
        def reset(self, shopper, day) -> dict            # what the shopper carries from visit to visit
        def respond(self, state, visit, luck) -> Answer  # may change `state` in place

One object stands for the whole population; what belongs to one shopper lies in `state`, a dict of numbers,
booleans and numpy arrays of fixed shape. `luck` is a `numpy.random.Generator` seeded by the shopper's visit:
the twin gets the same one, so draw what does not depend on the offer first. A class that says
`offer_is_only_discount = True` is held to what follows from that (`offer_properties`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Offer, Response, State, UserModel
from bundlegym.user_models.response_codes import MOST_DAYS, MOST_UNITS
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws


@dataclass(frozen=True)
class Visit:
    """One shopper at the door, and what is offered.

    Attributes:
        shopper: code of the shopper. day: days since the first of the log. week: row of `prices`.
        offer: item codes of the bundle, empty where nothing is offered.
        discount: share off the shelf price of each item in the bundle, if it is taken whole.
        prices: (n_items,) this week's shelf prices; read-only.
    """

    shopper: int
    day: int
    week: int
    offer: tuple[int, ...]
    discount: float
    prices: np.ndarray


@dataclass(frozen=True)
class Answer:
    """What one shopper does at a visit.

    Attributes:
        take: take the whole bundle at the discount, one unit of each item.
        basket: item code -> units bought at the shelf price besides; items of the offer among them are
            cherry-picked.
        days: until the next visit, at least 1.
        left: the shopper does not come back.
    """

    take: bool = False
    basket: dict[int, int] = field(default_factory=dict)
    days: int = 7
    left: bool = False


class PlainShopper(Protocol):
    """The two methods; see the module's docstring."""

    def reset(self, shopper: int, day: int) -> dict[str, Any]:
        """State of a shopper at the door on a day."""

    def respond(self, state: dict[str, Any], visit: Visit, luck: np.random.Generator) -> Answer:
        """What the shopper does; `state` is the shopper's own copy."""


class PlainShoppers(UserModel):
    """A `PlainShopper` under the batched contract: N shoppers are asked one after the other."""

    device = torch.device("cpu")

    def __init__(self, shopper: PlainShopper, dataset: Dataset) -> None:
        self.shopper = shopper
        self.prices = np.array(dataset.shelf_price.T, order="C")
        self.prices.flags.writeable = False  # all shoppers see the same

    @property
    def offer_is_only_discount(self) -> bool:
        """As the class says of itself; not unless it does."""
        return bool(getattr(self.shopper, "offer_is_only_discount", False))

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        own = [self.shopper.reset(s, d) for s, d in zip(shopper.tolist(), day.tolist(), strict=True)]
        return {"_shopper": shopper, "_day": day, **_packed(own, self._name("reset"))}

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        shopper, day = state["_shopper"], state["_day"]
        weeks = (day // 7).clamp(0, len(self.prices) - 1).tolist()
        seeds = (draws.uniform(streams.SINGLE) * (1 << 23)).long().tolist()
        arrays = {k: v.numpy() for k, v in state.items() if not k.startswith("_")}
        answers, carried, lines = [], [], []
        for n, (s, d, week) in enumerate(zip(shopper.tolist(), day.tolist(), weeks, strict=True)):
            own = {name: _plain(value[n]) for name, value in arrays.items()}
            bundle = tuple(item for item in offer.items[n].tolist() if item >= 0)
            visit = Visit(s, d, week, bundle, float(offer.discount[n]), self.prices[week])
            answer = self.shopper.respond(own, visit, np.random.Generator(np.random.PCG64(seeds[n])))
            if faults := list(_faults(answer, len(visit.prices))):
                raise UserError(f"{self._name('respond')} {'; '.join(faults)}")
            answers.append((_choice(answer, bundle), answer.days, answer.left))
            carried.append(own)
            if answer.take and bundle:
                lines += [(n, i, 1, visit.prices[i] * (1 - visit.discount)) for i in bundle]
            lines += [(n, i, units, visit.prices[i]) for i, units in answer.basket.items()]
        row, item, quantity, price = zip(*lines, strict=True) if lines else ((), (), (), ())
        choice, days, left = zip(*answers, strict=True)
        response = Response(
            torch.tensor(choice),
            torch.tensor(row, dtype=torch.int64),
            torch.tensor(item, dtype=torch.int64),
            torch.tensor(quantity, dtype=torch.int64),
            torch.tensor(price, dtype=torch.float32),
            torch.tensor(days, dtype=torch.int64),
            torch.tensor(left, dtype=torch.bool),
        )
        after = {"_shopper": shopper, "_day": day + response.days}
        after |= _packed(carried, self._name("respond"))
        for name, value in after.items():
            if name in state and value.dtype != state[name].dtype:
                raise UserError(
                    f"{self._name('respond')}: state {name!r} becomes {value.dtype}, and was "
                    f"{state[name].dtype}; give it numbers of one kind from the start, such as 0.0 and 0.5"
                )
        return response, after

    def _name(self, method: str) -> str:
        return f"{type(self.shopper).__name__}.{method}"


def _faults(answer: Any, n_items: int) -> Iterator[str]:
    """What is wrong with an answer, in plain words."""
    if not isinstance(answer, Answer):
        yield f"gave {type(answer).__name__}; must be an Answer"
        return
    for name in ("take", "left"):
        if not isinstance(value := getattr(answer, name), bool | np.bool_):
            yield f"gave {name} {value!r}; must be True or False"
    if not _whole(answer.days, 0, MOST_DAYS):
        yield f"answered: days {answer.days!r} is out of range; must be a whole number, 0..{MOST_DAYS}"
    if not isinstance(answer.basket, dict):
        yield f"gave a basket that is a {type(answer.basket).__name__}; must be a dict of item: units"
        return
    for item, units in answer.basket.items():
        if not _whole(item, 0, n_items - 1):
            yield f"bought item {item!r}; items are 0..{n_items - 1}"
        if not _whole(units, 1, MOST_UNITS):
            yield f"answered: quantity {units!r} is out of range; must be a whole number, 1..{MOST_UNITS}"


def _whole(value: Any, least: int, most: int) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and bool(least <= value <= most)


def _choice(answer: Answer, bundle: tuple[int, ...]) -> int:
    if answer.take and bundle:
        return TAKE
    return CHERRY_PICK if any(item in answer.basket for item in bundle) else IGNORE


def _plain(value: np.ndarray) -> Any:
    """Python's own number for a scalar, a copy for an array."""
    return value.item() if value.ndim == 0 else value.copy()


def _packed(states: Sequence[dict[str, Any]], method: str) -> State:
    """The states of N shoppers, name by name, as tensors of N rows.

    Raises:
        UserError: they are no dicts of numbers and arrays, or not alike.
    """
    for state in states:
        if not isinstance(state, dict) or state.keys() != states[0].keys():
            raise UserError(f"{method}: a state must be a dict with the same names for every shopper")
    packed = {}
    for name in states[0]:
        try:
            array = np.stack([np.asarray(state[name]) for state in states])
        except ValueError as error:
            raise UserError(f"{method}: state {name!r} changes its shape ({error})") from error
        if array.dtype.kind not in "iufb" or name.startswith("_"):
            raise UserError(
                f"{method}: state {name!r} is of type {array.dtype}; must be numbers under a name without _"
            )
        wide = {"b": np.bool_, "f": np.float64}.get(array.dtype.kind, np.int64)
        packed[name] = torch.from_numpy(array.astype(wide))
    return packed
