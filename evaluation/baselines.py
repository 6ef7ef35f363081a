"""Who stands beside the agents in every table: heuristics, greedy bundles over recommenders, the planner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tqdm import tqdm

from bundlegym.agents.base import Policy
from bundlegym.agents.heuristics import SCORES, Score, fill_by, offer_nothing, recommended_score
from bundlegym.agents.hindsight import Hindsight
from bundlegym.agents.planner import Planner
from bundlegym.envs import BundleCore
from bundlegym.envs.base import GAIN
from bundlegym.evaluation.rollout import estimate, play
from bundlegym.recommenders import Recommender
from bundlegym.user_models import UserModel

#: Far from the seeds of training and judging.
_LEVEL_SEED = 2_000_003


@dataclass(frozen=True)
class Contender:
    """A line of the table; several policies are one algorithm under several seeds.

    Attributes:
        kind: 'learned', 'heuristic', 'planner', 'oracle' or 'hindsight'; the last two know what no shop does.
    """

    name: str
    kind: str
    policies: list[Policy]


def heuristics(tuning: BundleCore, recommenders: Mapping[str, Recommender], line: int = 0) -> list[Contender]:
    """Offer nothing, the rules, and a greedy bundle over each recommender, `greedy_<name>`.

    Each but the first offers at the discount level that earns most on the shoppers of `tuning`.

    Args:
        line: of the progress bar, where several stand below each other.
    """
    scores = SCORES | {f"greedy_{name}": recommended_score(model) for name, model in recommenders.items()}
    rows = [Contender("offer_nothing", "heuristic", [offer_nothing])]
    for name, score in tqdm(scores.items(), desc="discount levels of the heuristics", position=line):
        rows.append(
            Contender(name, "heuristic", [max(_levels(score, tuning), key=lambda p: gain(tuning, p))])
        )
    return rows


def planner(trained_on: UserModel) -> Contender:
    """Plans with the model that the agents trained on, whoever judges: a rival that can be deployed."""
    return Contender("planner", "planner", [Planner(trained_on)])


def oracle(judge: UserModel) -> Contender:
    """Plans with the very model by which it is judged."""
    return Contender("oracle", "oracle", [Planner(judge)])


def hindsight() -> Contender:
    """Knows the luck of the visit, too; see `agents.hindsight`."""
    return Contender("hindsight", "hindsight", [Hindsight()])


def gain(core: BundleCore, policy: Policy) -> float:
    """Mean incremental margin a visit."""
    return estimate([play(core, policy, _LEVEL_SEED)])[GAIN]["mean"] or 0.0


def _levels(score: Score, core: BundleCore) -> Iterator[Policy]:
    return (fill_by(score, level) for level in range(core.levels))
