"""How much of a basket is new: the share of lines that the shopper had not bought before, by size of trip.

Likelihood finds it for all visits together. In a simulation big trips hold more of it than in the log, and
small ones less: an item is bought once a visit at most, and what else is bought on a big trip is new.
`explore_level`, by size of trip, adds to the log rates of what is new until simulated baskets of each size
differ from those of all sizes as the log's do, in weeks that preferences have not seen: in those that they
were counted in, all that was bought is known.

Some trips are for the usual, others for something new. So the log rates of what is new differ from trip to
trip by a normal number of standard deviation `explore_spread`, with which two lines of a simulated basket are
both new, or both known, as often as in the log.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix

from bundlegym.recommenders.likeliest import values_at
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.components.basket_size import SIZE_EDGES, on_grid
from bundlegym.user_models.config import Config, Count, Positive


@dataclass(frozen=True)
class ExplorationConfig(Config):
    """Hyper-parameters of `ExplorationMoment`."""

    steps: Count = 5
    """Steps of simulated moments."""

    most_spread: Positive = 1.5
    """Standard deviation between trips at most, in log rates; what a small log has by luck goes no
    further."""

    lines: Positive = 100.0
    """Lines like all, added to those in baskets of each size."""


class ExplorationMoment:
    """`explore_level` and `explore_spread` with which a simulation holds as large a share of new lines in
    baskets of each size, beside that in all, and as many pairs of lines alike, as a `panel` of the log;
    `bought` (S, I) holds what each shopper had bought before, in sorted rows."""

    def __init__(
        self, panel: pd.DataFrame, bought: csr_matrix, config: ExplorationConfig = ExplorationConfig()
    ) -> None:
        self.bought, self.variance, self.config = bought, 0.0, config
        self.simulations = (1,) * config.steps
        self.real, self.alike = _new_odds(panel, bought, config), _alike(panel, bought)

    def start(self, params: ChoiceParameters) -> ChoiceParameters:
        return params

    def update(self, params: ChoiceParameters, panels: list[pd.DataFrame], step: int) -> ChoiceParameters:
        (panel,) = panels
        apart = self.real - _new_odds(panel, self.bought, self.config)
        change = on_grid(apart).astype(np.float32) / (step + 1)
        # A share p near a half moves by p (1 - p) of the log odds, and pairs alike by twice its variance.
        alike = np.nan_to_num(self.alike - _alike(panel, self.bought))  # no pairs say nothing
        self.variance += alike / (2 * 0.25**2) / (step + 1)
        self.variance = float(np.clip(self.variance, 0.0, self.config.most_spread**2))
        return params.changed(
            explore_level=params.exploration.explore_level + torch.from_numpy(change),
            explore_spread=torch.tensor([np.sqrt(self.variance)], dtype=torch.float32),
        )


def _known(panel: pd.DataFrame, bought: csr_matrix) -> np.ndarray:
    """(P,) bool: whether the shopper of a line had bought its item before."""
    return values_at(bought, panel["shopper"].to_numpy(), panel["item"].to_numpy()) > 0


def _alike(panel: pd.DataFrame, bought: csr_matrix) -> float:
    """Share of baskets' pairs of lines of which both are new or both known, each basket of two lines or more
    counting once; NaN where there is no such basket."""
    known = pd.Series(_known(panel, bought)).groupby(panel["visit"].to_numpy())
    n, k = known.size(), known.sum()
    n, k = n[n > 1], k[n > 1]
    pairs = (k * (k - 1) + (n - k) * (n - k - 1)) / (n * (n - 1))
    return float(pairs.mean()) if len(pairs) else float("nan")


def _new_odds(
    panel: pd.DataFrame, bought: csr_matrix, config: ExplorationConfig = ExplorationConfig()
) -> np.ndarray:
    """(6,) log odds that a line of a basket of each size is new, less those of any line."""
    size = np.digitize(panel.groupby("visit")["item"].transform("size"), SIZE_EDGES)
    known = _known(panel, bought)
    count = np.stack([np.bincount(size[known == k], minlength=len(SIZE_EDGES) + 1) for k in (False, True)])
    overall = count.sum(1, keepdims=True) + 1.0
    new, old = count + config.lines * overall / overall.sum()
    return np.asarray(np.log(new / old) - np.log(overall[0] / overall[1]))
