"""What offers are expected to earn: by the user model of the run and by each judge, under each assumption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from bundlegym.agents.planner import OpenVisits
from bundlegym.agents.planner.simulated_gains import simulated_gains
from bundlegym.deployment.at_door import states_at_door
from bundlegym.evaluation import population
from bundlegym.evaluation.experiment import Experiment
from bundlegym.user_models import Draws, UserModel

#: Of the draws of these estimates; neither simulations nor planners nor reports start from it.
_SEED = 7_381_240_597_120_033
#: Draws on which offers are chosen come long before those on which what was chosen is estimated.
FIRST_TO_CHOOSE, FIRST_TO_REPORT = 1, 1_000_001


@dataclass(frozen=True)
class Estimator:
    """Who says what offers earn.

    Attributes:
        name: as columns call it: family, `judge` where it only judges, and the assumption.
    """

    name: str
    model: UserModel


@dataclass(frozen=True)
class Gains:
    """Expected incremental margin of M visits, money in the log's currency.

    Attributes:
        mean, error: (M,) over draws, and the standard error.
    """

    mean: np.ndarray
    error: np.ndarray

    @property
    def low(self) -> np.ndarray:
        """(M,) lower end of the 95 % interval."""
        return self.mean - 1.96 * self.error

    @property
    def high(self) -> np.ndarray:
        """(M,) upper end of the 95 % interval."""
        return self.mean + 1.96 * self.error


def estimators(experiment: Experiment) -> list[Estimator]:
    """The user model that agents trained on, then the judges, each under each assumption of the run; a model
    that makes no assumption stands here once."""
    config, found = experiment.config, []
    for exposure, model in experiment.user_models.items():
        found.append(Estimator(_name(_family(config.user_model), exposure), model))
    judges = population.judges(experiment.folder, config, experiment.dataset, experiment.device)
    for family, judge in judges.items():
        for exposure in config.exposures:
            under = population.under(judge, config, exposure)
            if under is judge:
                found.append(Estimator(f"judge_{family}", under))
                break
            found.append(Estimator(_name(f"judge_{family}", exposure), under))
    return found


def _family(name: str) -> str:
    return name.rpartition(":")[2]


def _name(family: str, exposure: float) -> str:
    return f"{family}_exposure_{exposure:g}"


def expected_gains(
    experiment: Experiment,
    model: UserModel,
    codes: np.ndarray,
    episode: torch.Tensor,
    day: int,
    items: torch.Tensor,
    discount: torch.Tensor,
    numbers: range,
) -> Gains:
    """What offers on `day` are expected to earn.

    Args:
        codes: (M,) of the log's shoppers.
        episode: (M,) int64, whose luck each has.
        items: (M, B) codes, -1 where a bundle is smaller. discount: (M,).
        numbers: of the draws.
    """
    if len(codes) == 0:
        return Gains(np.zeros(0), np.zeros(0))
    device = model.device
    visits = OpenVisits(
        model,
        experiment.market,
        states_at_door(model, experiment.dataset, codes, day),
        torch.full((len(codes),), day, dtype=torch.int64, device=device),
        Draws(_SEED, episode.to(device), torch.zeros_like(episode, device=device)),
    )
    gain = simulated_gains(visits, items[:, None].to(device), discount[:, None].to(device), numbers)[:, 0]
    error = gain.std(1) / gain.shape[1] ** 0.5
    return Gains(gain.mean(1).double().cpu().numpy(), error.double().cpu().numpy())
