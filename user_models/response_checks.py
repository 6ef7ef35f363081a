"""What an answer must be, of whichever user model: shapes and dtypes, codes in range, finite numbers.

A user model of the user's own comes from outside, and what is compiled looks up its codes unasked: each
answer is looked at before that.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bundlegym.user_models.base import IGNORE, TAKE, Response

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
        ("quantity", response.quantity >= 1, "at least 1"),
        ("price", torch.isfinite(response.price) & (response.price >= 0), "a price of at least 0"),
        ("days", response.days >= 0, "at least 0, days until the next visit"),
    ]
    for name, good, right in rules:
        if not bool(good.all()):
            wrong = getattr(response, name)[~good][0].item()
            yield f"respond: {name} {wrong} is out of range; must be {right}"
