"""Every choice in a training run; the command line of train.py is generated from it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import tyro

from bundlegym.agents.registry import AGENTS, AgentConfigs
from bundlegym.data import DataConfig
from bundlegym.data.built_in import check_mapping
from bundlegym.data.checked import (
    MAY_BE_EMPTY,
    Count,
    NotNegative,
    Options,
    Seed,
    Share,
    Whole,
    check_folder,
)
from bundlegym.data.config import default_cache_dir
from bundlegym.envs import EnvConfig
from bundlegym.envs.base import BLOCKS, SHOPPER_EMBEDDING
from bundlegym.envs.config import check_names
from bundlegym.errors import UserError
from bundlegym.recommenders import RECOMMENDERS
from bundlegym.user_models.registry import FAMILIES

#: Those that are trained unless others are asked for.
_DEFAULT_AGENTS = ("ppo", "dqn")
#: What a good offer adds to a visit is a hundredth of what luck adds or takes.
_REWARD_DRAWS = 16
_MOST_SEED = 2**32 - 1  # that numpy's global generator takes
#: What a run's file calls the hash of its log, which is no option.
FINGERPRINT = "log_fingerprint"
#: The file of a run's folder that holds what an earlier run has decided of the log.
KNOWN = "known.json"
#: The file of a run's folder that holds the item vectors that an earlier run's agents have learned with.
ITEM_VECTORS = "item_vectors.safetensors"
#: The folder of a run's folder that holds the recommender whose shopper vectors they have learned with.
SHOPPER_VECTORS = "shopper_vectors"
_LONGEST_NAME = 255  # bytes that file systems take


@dataclass(frozen=True)
class TrainConfig(Options):
    """Train bundle agents on shoppers fitted to a log, then judge them beside heuristics."""

    agents: tuple[str, ...] = _DEFAULT_AGENTS
    """Which agents to train: ppo, dqn, a2c, q-learning, sarsa, ppo-fast."""

    user_model: str = "choice"
    """Who reacts: choice, lookalike, replay, sequence, or module:Class of your own, installed or in the
    working directory."""

    user_model_args: tuple[str, ...] = ()
    """Arguments of a class of your own, as name=value."""

    steps: Whole = 0
    """Environment steps (picks and offers) for each agent; 0 is what its own --NAME.steps says."""

    seed: Seed = 0
    """Seed of everything random; further seeds count up from it."""

    seeds: Count = 1
    """How many agents of each kind to train, each with a seed of its own."""

    n_envs: Count = 256
    """Shoppers simulated at once in training."""

    gamma: Share = 0.85
    """Discount factor a visit; picks within a visit are not discounted."""

    fit_epochs: Count = 3
    """Passes over the visits when a user model is fitted."""

    fit_shoppers: Whole = 0
    """Shoppers that a user model is fitted on, drawn at random; 0 takes all. All are simulated, each by what
    they bought themselves."""

    offer_exposure: Annotated[tuple[NotNegative, ...], MAY_BE_EMPTY] = ()
    """Assumptions on what being offered does by itself, as shares of the log's own mailer effect. Agents are
    trained, and all are judged, under each. By default 0 (an offer is only its discount) and 1 (it works like
    a mailer); for user models that make no such assumption 0 alone."""

    beyond_support: bool = False
    """Also offer discounts deeper than any promotion that the log knows well: what shoppers would do then is
    an extrapolation."""

    bundle_pull: NotNegative = 0.0
    """Assumption: utility of taking a bundle as such."""

    offers: Path | None = None
    """File that `bundlegym learn-offers --json` wrote: offer_exposure and bundle_pull are then those that the
    shop's own offers have taught."""

    judges: tuple[str, ...] = ("choice", "lookalike")
    """User models that only judge, fitted on held-out shoppers: choice, lookalike, replay,
    sequence, whose oracle plans for many minutes unless there are fewer --planner-episodes."""

    candidates: str = ""
    """Recommender whose best items become candidates; by default what this shopper most likely buys."""

    embeddings: str = ""
    """Recommender whose item vectors stand in the observation; by default of their categories' synergies."""

    shopper_embeddings: str = ""
    """Recommender whose shopper vectors stand in the observation, as the block shopper_embedding: als, bpr or
    a network; by default no such block."""

    greedy: tuple[str, ...] = ("tifu-knn", "item-knn")
    """Recommenders over each of which a greedy bundle stands in the table."""

    planner_episodes: Whole = 128
    """Episodes of the planner, and of the oracle, which plans with the model that judges: fewer, since a plan
    asks the user model a thousand times a visit; 0 leaves both out."""

    hindsight_episodes: Whole = 0
    """Episodes of a policy that knows the luck of each visit: a curiosity; 0 leaves it out."""

    episodes: Count = 8192
    """Episodes on held-out shoppers and weeks behind each row of the final table."""

    eval_every: Count = 50_000
    """Steps between evaluations and checkpoints while training."""

    workers: Whole = 0
    """Fits, agents, contenders of the tables and trials of a sweep at once, in as many processes; 0 is one
    for each core (one in all on a GPU)."""

    device: str = "auto"
    """auto, cpu or cuda."""

    name: str = ""
    """Folder of the run below `runs`; by default made of the log's name, the agents and the seed."""

    runs: Path = Path("runs")
    """Where runs are kept."""

    start_from: Path | None = None
    """Folder of another shop's run: agents begin as that run's agents of the same kind (transfer), not as the
    planner or at random. With --NAME.steps 0 they stay as they are, and the tables tell what they are worth
    in this shop."""

    also: Annotated[tuple[Path, ...], MAY_BE_EMPTY] = ()
    """Folders of runs of other shops: agents learn from their shoppers as well, as many of each shop."""

    data: tyro.conf.OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    env: tyro.conf.OmitArgPrefixes[EnvConfig] = field(
        default_factory=lambda: EnvConfig(reward_draws=_REWARD_DRAWS)
    )
    hyper: Annotated[AgentConfigs, tyro.conf.arg(name="")] = field(default_factory=AgentConfigs)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_mapping(self.data)
        if not self.agents:
            raise UserError(f"--agents: none is given; known are {', '.join(AGENTS)}")
        for agent in self.agents:
            if agent not in AGENTS:
                raise UserError(f"--agents: unknown agent {agent!r}; known are {', '.join(AGENTS)}")
            if self.agents.count(agent) > 1:
                raise UserError(f"--agents: {agent} is named twice; --seeds trains several of a kind")
        if self.user_model not in FAMILIES and ":" not in self.user_model:
            known = ", ".join(FAMILIES)
            raise UserError(
                f"--user-model: unknown user model {self.user_model!r}; known are {known}, or module:Class"
            )
        if self.user_model_args and ":" not in self.user_model:
            raise UserError(f"--user-model-args: {self.user_model} takes none; they are for module:Class")
        for name, values in (("offer_exposure", self.offer_exposure), ("bundle_pull", (self.bundle_pull,))):
            for value in values:
                if value and self.user_model != "choice":
                    raise UserError(
                        f"{self.label(name)}: {self.user_model} makes no such assumption; choice does"
                    )
                if values.count(value) > 1:
                    raise UserError(f"{self.label(name)}: {value:g} is given twice")
        for family in self.judges:
            if family not in FAMILIES:
                raise UserError(f"--judges: unknown user model {family!r}; known are {', '.join(FAMILIES)}")
        for option, names in (
            ("candidates", (self.candidates,)),
            ("embeddings", (self.embeddings,)),
            ("shopper-embeddings", (self.shopper_embeddings,)),
            ("greedy", self.greedy),
        ):
            for name in filter(None, names):
                if name not in RECOMMENDERS:
                    known = ", ".join(RECOMMENDERS)
                    raise UserError(f"--{option}: unknown recommender {name!r}; known are {known}")
        check_names(self.env)
        blocks = {name.rpartition(":")[2] for name in self.env.observation}
        if missing := [block for block in BLOCKS if block not in blocks]:
            raise UserError(
                f"--observation: {', '.join(missing)} missing; the agents need {', '.join(BLOCKS)}"
            )
        if self.shopper_embeddings and (self.start_from is not None or self.also):
            raise UserError(
                "--shopper-embeddings: their axes are each shop's own; leave it out with --start-from and "
                "with several logs"
            )
        if SHOPPER_EMBEDDING in blocks and not self.shopper_embeddings:
            raise UserError(
                f"--observation: {SHOPPER_EMBEDDING} is of which recommender? give --shopper-embeddings NAME"
            )
        if self.seed + self.seeds - 1 > _MOST_SEED:
            raise UserError(f"--seed: {self.seed} is too great; the last seed may be {_MOST_SEED}")
        if self.start_from is not None and self.embeddings:
            raise UserError("--embeddings: agents of --start-from know the item vectors of that run alone")
        if self.n_envs <= len(self.also):
            raise UserError(
                f"--n-envs: {self.n_envs} shoppers at once are too few for {1 + len(self.also)} shops"
            )
        if self.device not in ("auto", "cpu", "cuda"):
            raise UserError(f"--device: {self.device!r} is none of auto, cpu, cuda")
        if any(sign in self.name for sign in ("/", "\\", "\0")) or self.name in (".", ".."):
            raise UserError(f"--name: {self.name!r} is no name of a folder; --runs says below which folder")
        if len(self.folder.name.encode(errors="surrogatepass")) > _LONGEST_NAME:
            raise UserError(f"--name: {self.folder.name[:20]}... is longer than {_LONGEST_NAME} bytes")
        check_folder("--runs", self.folder)

    @property
    def all_seeds(self) -> range:
        """The seeds of the agents of each kind."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def exposures(self) -> tuple[float, ...]:
        """The values of `offer_exposure` that the run is made under."""
        return self.offer_exposure or ((0.0, 1.0) if self.user_model == "choice" else (0.0,))

    @property
    def code(self) -> tuple[str, ...]:
        """The code of the user's own that the run imports, each as module:name."""
        named = (self.user_model, self.env.reward, *self.env.observation)
        return tuple(name for name in named if ":" in name)

    @property
    def folder(self) -> Path:
        """Where this run is kept."""
        log = Path(self.data.log).stem
        return self.runs / (self.name or f"{log}-{'-'.join(self.agents)}-seed{self.seed}")

    def steps_of(self, agent: str) -> int:
        """Steps for one agent of a kind."""
        return self.steps or self.hyper.of(agent).steps


def to_json(config: TrainConfig) -> dict[str, Any]:
    """The configuration in JSON's own types."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=str))


def from_json(content: dict[str, Any], folder: Path, cache_dir: Path | None = None) -> TrainConfig:
    """What `to_json` wrote, of the run that is now in `folder`.

    A file says what to read, never where to write: its `runs`, `name` and `cache_dir` are left alone.

    Args:
        cache_dir: where prepared logs are kept; the default's place where it is None.
    """
    data, env = dict(content["data"]), dict(content["env"])
    for name in ("columns", "items_file"):
        data[name] = None if data[name] is None else Path(data[name])
    data["known"] = None if data.get("known") is None else folder.resolve() / KNOWN
    data = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    data["cache_dir"] = cache_dir or default_cache_dir()
    apart = ("data", "env", "hyper", "runs", "name", FINGERPRINT)
    rest = {name: value for name, value in content.items() if name not in apart}
    for name in ("agents", "greedy", "judges", "user_model_args", "offer_exposure"):
        rest[name] = tuple(rest[name])
    for name in ("offers", "start_from"):
        rest[name] = None if rest.get(name) is None else Path(rest[name])
    rest["also"] = tuple(Path(other) for other in rest.get("also", ()))
    folder = folder.resolve()
    kinds = get_type_hints(AgentConfigs)
    return TrainConfig(
        **rest,
        runs=folder.parent,
        name=folder.name,
        data=DataConfig(**data),
        env=EnvConfig(**env),
        hyper=AgentConfigs(**{name: kinds[name](**values) for name, values in content["hyper"].items()}),
    )
