"""Every choice in a training run; the command line of train.py is generated from it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundlegym.data import DataConfig
from bundlegym.envs import EnvConfig
from bundlegym.envs.base import BLOCKS
from bundlegym.envs.custom import blocks_of, reward_of
from bundlegym.errors import UserError
from bundlegym.recommenders import RECOMMENDERS
from bundlegym.user_models.build import FAMILIES

AGENTS = ("ppo", "dqn")
#: What a good offer adds to a visit is a hundredth of what luck adds or takes.
_REWARD_DRAWS = 16


@dataclass(frozen=True)
class TrainConfig:
    """Train bundle agents on shoppers fitted to a log, then judge them beside heuristics."""

    agents: tuple[str, ...] = AGENTS
    """Which agents to train: ppo, dqn."""

    user_model: str = "choice"
    """Who reacts: choice, lookalike, replay, sequence, or module:Class of your own, installed or in the
    working directory."""

    user_model_args: tuple[str, ...] = ()
    """Arguments of a class of your own, as name=value."""

    steps: int = 1_500_000
    """Environment steps (picks and offers) for each ppo agent."""

    dqn_steps: int = 300_000
    """Environment steps for each dqn agent."""

    seed: int = 0
    """Seed of everything random; further seeds count up from it."""

    seeds: int = 1
    """How many agents of each kind to train, each with a seed of its own."""

    n_envs: int = 256
    """Shoppers simulated at once in training."""

    gamma: float = 0.95
    """Discount factor a step."""

    fit_epochs: int = 3
    """Passes over the visits when a user model is fitted."""

    offer_exposure: float = 0.0
    """Assumption: share of the log's own mailer effect that being offered has on an item."""

    bundle_pull: float = 0.0
    """Assumption: utility of taking a bundle as such."""

    judges: tuple[str, ...] = ("choice", "lookalike")
    """User models that only judge, fitted on held-out shoppers: choice, lookalike, replay,
    sequence."""

    candidates: str = ""
    """Recommender whose best items become candidates; by default what this shopper most likely buys."""

    embeddings: str = ""
    """Recommender whose item vectors stand in the observation; by default of their categories' synergies."""

    greedy: tuple[str, ...] = ("tifu-knn", "item-knn")
    """Recommenders over each of which a greedy bundle stands in the table."""

    planner_episodes: int = 256
    """Episodes of the planner, and of the oracle, which plans with the model that judges: fewer, since a plan
    asks the user model a thousand times a visit; 0 leaves both out."""

    hindsight_episodes: int = 0
    """Episodes of a policy that knows the luck of each visit: a curiosity; 0 leaves it out."""

    episodes: int = 8192
    """Episodes on held-out shoppers and weeks behind each row of the final table."""

    eval_every: int = 200_000
    """Steps between evaluations and checkpoints while training."""

    workers: int = 0
    """Agents trained at once, each in a process of its own; 0 is one for each core (one in all on a GPU)."""

    device: str = "auto"
    """auto, cpu or cuda."""

    name: str = ""
    """Folder of the run below `runs`; by default made of the log's name, the agents and the seed."""

    runs: Path = Path("runs")
    """Where runs are kept."""

    data: DataConfig = field(default_factory=DataConfig)
    env: EnvConfig = field(default_factory=lambda: EnvConfig(reward_draws=_REWARD_DRAWS))

    def __post_init__(self) -> None:
        for agent in self.agents:
            if agent not in AGENTS:
                raise UserError(f"--agents: unknown agent {agent!r}; known are {', '.join(AGENTS)}")
        if self.user_model not in FAMILIES and ":" not in self.user_model:
            known = ", ".join(FAMILIES)
            raise UserError(
                f"--user-model: unknown user model {self.user_model!r}; known are {known}, or module:Class"
            )
        if self.user_model_args and ":" not in self.user_model:
            raise UserError(f"--user-model-args: {self.user_model} takes none; they are for module:Class")
        for name in ("offer_exposure", "bundle_pull"):
            if getattr(self, name) and self.user_model != "choice":
                option = f"--{name.replace('_', '-')}"
                raise UserError(f"{option}: {self.user_model} makes no such assumption; choice does")
        for family in self.judges:
            if family not in FAMILIES:
                raise UserError(f"--judges: unknown user model {family!r}; known are {', '.join(FAMILIES)}")
        for option, names in (
            ("candidates", (self.candidates,)),
            ("embeddings", (self.embeddings,)),
            ("greedy", self.greedy),
        ):
            for name in filter(None, names):
                if name not in RECOMMENDERS:
                    known = ", ".join(RECOMMENDERS)
                    raise UserError(f"--{option}: unknown recommender {name!r}; known are {known}")
        reward_of(self.env.reward)
        if missing := [block for block in BLOCKS if block not in blocks_of(self.env, None)]:
            raise UserError(
                f"--observation: {', '.join(missing)} missing; the agents need {', '.join(BLOCKS)}"
            )
        for name in ("planner_episodes", "hindsight_episodes", "workers"):
            if getattr(self, name) < 0:
                raise UserError(f"--{name.replace('_', '-')}: {getattr(self, name)} is less than 0")
        if self.device not in ("auto", "cpu", "cuda"):
            raise UserError(f"--device: {self.device!r} is none of auto, cpu, cuda")
        for name in ("steps", "dqn_steps", "seeds", "n_envs", "fit_epochs", "episodes", "eval_every"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name.replace('_', '-')}: {getattr(self, name)} is less than 1")

    @property
    def folder(self) -> Path:
        """Where this run is kept."""
        log = Path(self.data.log).stem
        return self.runs / (self.name or f"{log}-{'-'.join(self.agents)}-seed{self.seed}")

    def steps_of(self, agent: str) -> int:
        """Steps for one agent of a kind."""
        return self.dqn_steps if agent == "dqn" else self.steps


def to_json(config: TrainConfig) -> dict[str, Any]:
    """The configuration in JSON's own types."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=str))


def from_json(content: dict[str, Any]) -> TrainConfig:
    """What `to_json` wrote."""
    data, env = dict(content["data"]), dict(content["env"])
    for name in ("columns", "items_file", "cache_dir"):
        data[name] = None if data[name] is None else Path(data[name])
    data["map"] = tuple(data["map"])
    rest = {k: v for k, v in content.items() if k not in ("data", "env")}
    for name in ("agents", "greedy", "judges", "user_model_args"):
        rest[name] = tuple(rest[name])
    rest["runs"] = Path(rest["runs"])
    return TrainConfig(**rest, data=DataConfig(**data), env=EnvConfig(**env))
