"""The method of simulated moments (McFadden 1989): parameters with which what is simulated is like the log.

What the parts of a model, fitted one by one, get wrong together is found by simulating all of them together.
A `Moment` says how its parameters move, given panels that were simulated with those of the step before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from bundlegym.user_models.base import UserModel
from bundlegym.user_models.panel import simulated_panel
from bundlegym.user_models.parameters import Parameters


class SimulatedModel(Protocol):
    """A `UserModel` with parameters that can be replaced."""

    params: Any

    def with_parameters(self, params: Any) -> Self:
        """The same shoppers with other parameters."""


P = TypeVar("P", bound=Parameters)
M = TypeVar("M", bound=SimulatedModel)


class Moment(Protocol[P]):
    """What simulations are to have in common with the log."""

    @property
    def simulations(self) -> Sequence[int]:
        """How many simulations each step rests on."""

    def start(self, params: P) -> P:
        """The parameters of the first simulations."""

    def update(self, params: P, panels: list[pd.DataFrame], step: int) -> P:
        """Parameters after a step, given what was simulated with those before it."""


def match(model: M, moment: Moment[Any], weeks: tuple[int, int], shoppers: np.ndarray, seed: int) -> M:
    """The model with parameters moved, step by step, until a simulation of `shoppers` (codes) in `weeks` has
    the moment of the log."""
    model, first = model.with_parameters(moment.start(model.params)), seed
    bar = tqdm(total=sum(moment.simulations), desc="simulated moments", leave=False, disable=None)
    for step, n in enumerate(moment.simulations):
        assert isinstance(model, UserModel)
        panels = []
        for i in range(n):
            panels.append(simulated_panel(model, weeks, shoppers, first + i))
            bar.update()
        model = model.with_parameters(moment.update(model.params, panels, step))
        first += n
    bar.close()
    return model
