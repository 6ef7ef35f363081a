"""Parameters and states of which a test names what it needs, and no more."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

from bundlegym.user_models.choice.estimation.mechanisms import MECHANISMS
from bundlegym.user_models.choice.reference.recent_trials import NONE, TRIALS
from bundlegym.user_models.choice.state import ChoiceState
from bundlegym.user_models.parameters import Parameters

P = TypeVar("P", bound=Parameters)


def some(kind: type[P], **leaves: Any) -> P:
    """Parameters of these tensors or arrays; of the others, each is empty.

    Raises:
        TypeError: there is none of a name.
    """
    empty = {name: torch.zeros(0) for _, name, _ in kind.specs()}
    if unknown := leaves.keys() - empty.keys():
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind.of(empty | leaves)


def all_but(*names: str) -> tuple[str, ...]:
    """Every mechanism but these: a fit without them takes a third of the time."""
    return tuple(name for name in MECHANISMS if name not in names)


def somebody(shopper: Tensor) -> ChoiceState:
    """Shoppers (N,) on day 0 who have no shortlist, tried nothing and were offered nothing."""
    n, zero = len(shopper), torch.zeros_like(shopper)
    nothing = torch.zeros(n, 0, dtype=torch.int64)
    return ChoiceState(
        shopper,
        day=zero,
        days_since_visit=zero,
        last_size_class=zero,
        last_bought=nothing,
        recent_trials=torch.full((n, TRIALS), NONE),
        shown=nothing,
        shown_week=nothing,
        shown_run=nothing,
    )
