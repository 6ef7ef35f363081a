"""What a step gives back in the arrays of the parts that made it, before tensors are made of them."""

from __future__ import annotations

from typing import NamedTuple

from bundlegym.envs.arrays import Array
from bundlegym.user_models.base import Offer, Response


class Ended(NamedTuple):
    """M visits that ended in one step: a `base.VisitRecord`, by its names."""

    whose: Array
    made: Offer
    both: Response
    figures: Array


class Stepped(NamedTuple):
    """What a step gives back: a `base.StepResult`, by its names."""

    reward: Array
    terminated: Array
    truncated: Array
    record: Ended | None
