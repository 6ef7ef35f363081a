"""What an answer must be, of whichever user model: shapes and dtypes, codes in range, finite numbers.

A user model of the user's own comes from outside, and what is compiled looks up its codes unasked: each
answer is looked at before that.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bundlegym.user_models.base import IGNORE, TAKE, Response
from bundlegym.user_models.response_codes import MOST_DAYS, MOST_PRICE, MOST_UNITS

#: Dtypes of `Response`.
KINDS = {"choice": torch.int64, "row": torch.int64, "item": torch.int64, "quantity": torch.int64,
         "price": torch.float32, "days": torch.int64, "left": torch.bool}  # fmt: skip
_LINES = ("row", "item", "quantity", "price")


def wrong_shapes(response: Response, n: int) -> Iterator[str]:
    """What is wrong with the shapes and dtypes of an answer of n shoppers, in plain words."""
    lines = (response.row.numel() if isinstance(response.row, Tensor) else 0,)
    for name, kind in KINDS.items():
        value = getattr(response, name)
        if not isinstance(value, Tensor) or value.dtype != kind:
            right = str(kind).removeprefix("torch.")
            yield f"respond: {name} must be a tensor of {right}; it is {getattr(value, 'dtype', type(value))}"
        elif tuple(value.shape) != (expected := lines if name in _LINES else (n,)):
            yield f"respond: {name} has shape {tuple(value.shape)}; must be {expected}"
        elif value.requires_grad:
            yield f"respond: {name} requires gradients; give {name}.detach()"


def out_of_range(response: Response, n: int, n_items: int) -> Iterator[str]:
    """What is out of range in an answer of n shoppers, of the right shapes, in plain words."""
    rules: list[tuple[str, Tensor, str]] = [
        (
            "choice",
            (response.choice >= IGNORE) & (response.choice <= TAKE),
            "0 ignore, 1 cherry-pick, 2 take",
        ),
        ("row", (response.row >= 0) & (response.row < n), f"the shopper's row, 0..{n - 1}"),
        ("item", (response.item >= 0) & (response.item < n_items), f"an item's code, 0..{n_items - 1}"),
        ("quantity", (response.quantity >= 1) & (response.quantity <= MOST_UNITS), f"1..{MOST_UNITS}"),
        ("price", (response.price >= 0) & (response.price <= MOST_PRICE), f"a price of 0..{MOST_PRICE:g}"),
        (
            "days",
            (response.days >= 0) & (response.days <= MOST_DAYS),
            f"0..{MOST_DAYS}, days until the next visit",
        ),
    ]
    for name, good, right in rules:
        if not bool(good.all()):
            wrong = getattr(response, name)[~good][0].item()
            yield f"respond: {name} {wrong} is out of range; must be {right}"
