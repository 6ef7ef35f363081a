"""What a run stands on: its log, its shoppers, what the shop knows, and simulators of them."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from functools import cached_property, partial
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from bundlegym.data import Dataset, prepare
from bundlegym.devices import device_of
from bundlegym.envs import BundleCore, Market, build_market, recommended
from bundlegym.envs.base import EMBEDDING_SIZE
from bundlegym.envs.observations import blocks_of
from bundlegym.envs.rewards import reward_of
from bundlegym.evaluation import population
from bundlegym.evaluation.config import ITEM_VECTORS, TrainConfig
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.parallel import Place, at_once
from bundlegym.evaluation.run_folder import begin
from bundlegym.recommenders import (
    Interactions,
    Recommender,
    check_installed,
    item_vectors,
    load_recommender,
    make_recommender,
)
from bundlegym.terminal import remark
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel
from bundlegym.user_models.persistence import read_tensors

#: Seeds of judging are far from those of training, so that no agent has met the same luck.
JUDGE_SEED = 1_000_003


class Run:
    """Log, shoppers, market and recommenders of a run, each made when it is first asked for and kept in its
    folder.

    Args:
        check: that shoppers of the user's own keep the contract of a user model.
    """

    def __init__(self, config: TrainConfig, *, check: bool = True) -> None:
        #: Agents are kept in a folder of their own where a run is a `part` of another.
        self.config, self.folder, self.agents_folder = config, config.folder, config.folder
        self.device = device_of(config.device, "--device")
        self.dataset: Dataset = prepare(config.data)
        # Before the folder is made: a wrong class or a missing extra leaves none behind.
        for name in filter(None, (config.candidates, config.embeddings, *config.greedy)):
            check_installed(name)
        reward_of(config.env.reward)
        blocks_of(config.env.observation)
        #: The offers that agents may make.
        self.env, beyond = population.supported(config, self.dataset)
        #: What cannot be learned or judged, in sentences; known before any fit.
        self.limits = [*population.limits(config, self.dataset), *beyond]
        self._plugged = population.plugged(config, self.dataset, self.device, check=check)
        population.check_forecasts(self.env, config.user_model, self._plugged)
        begin(config, self.dataset)

    def part(self, config: TrainConfig, name: str) -> Self:
        """The same log, shoppers, market and demonstrations, and agents under other hyper-parameters, which
        are kept in the folder `name` of the run. `fitting.fit` comes before it."""
        other = copy.copy(self)
        other.config, other.agents_folder = config, self.folder / name
        return other

    @property
    def on_gpu(self) -> bool:
        """Whether its jobs compute on a GPU."""
        return self.device.type == "cuda"

    @property
    def at_once(self) -> int:
        """Jobs of the run that this machine does at once."""
        return at_once(self.config.workers, gpu=self.on_gpu)

    def place(self) -> Place[Self]:
        """The run as jobs side by side are given it: each opens it from its folder."""
        return Place(self, partial(_again, type(self), self.config), self.folder)

    @cached_property
    def user_models(self) -> dict[float, UserModel]:
        """Whom agents train on, under each assumption on what being offered does by itself."""
        config = self.config
        fitted = self._plugged or population.trained_on(self.folder, config, self.dataset, self.device)
        return {exposure: population.under(fitted, config, exposure) for exposure in config.exposures}

    @cached_property
    def market(self) -> Market:
        """What the shop itself knows."""
        source = self.config.candidates
        return build_market(
            self.dataset,
            device=self.device,
            candidates=recommended(self.recommender(source)) if source else None,
            embeddings=self._item_vectors(),
        )

    def _item_vectors(self) -> np.ndarray | None:
        """(I, EMBEDDING_SIZE); those of the earlier run where this one goes on from one; None for the
        market's own."""
        if (kept := self.folder / ITEM_VECTORS).exists():
            return read_tensors(kept)[0]["vectors"].numpy()
        name = self.config.embeddings
        return item_vectors(self.recommender(name), EMBEDDING_SIZE) if name else None

    def core(
        self,
        n: int,
        *,
        held_out: bool,
        weeks: tuple[int, int],
        seed: int,
        user_model: UserModel,
        reward_draws: int = 1,
    ) -> BundleCore:
        """A simulator of n held-out or training shoppers in some weeks, who react as `user_model` says."""
        shoppers = np.flatnonzero(self.dataset.split.held_out == held_out)
        env = dataclasses.replace(self.env, reward_draws=reward_draws)
        return BundleCore(self.market, user_model, env, n=n, shoppers=shoppers, weeks=weeks, seed=seed)

    def judging_core(self, n: int, user_model: UserModel) -> BundleCore:
        """A simulator of n held-out shoppers in the test weeks, as in the tables."""
        weeks = self.dataset.split.test_weeks
        return self.core(n, held_out=True, weeks=weeks, seed=JUDGE_SEED, user_model=user_model)

    def recommender(self, name: str) -> Recommender:
        """A recommender fitted on the training weeks of shoppers who are not held out, kept with the run."""
        folder = self.folder / "recommenders" / name
        if (folder / "recommender.json").exists():
            return load_recommender(folder)
        remark(f"recommender {name}: fitting")
        model = make_recommender(name).fit(
            Interactions.from_dataset(self.dataset, self.dataset.split.train_weeks)
        )
        model.save(folder)
        return load_recommender(folder)

    @property
    def jobs(self) -> list[Job]:
        """The agents of the run."""
        config = self.config
        return [Job(*job) for job in itertools.product(config.agents, config.all_seeds, config.exposures)]

    def checkpoint(self, job: Job) -> Path:
        """The file that an agent is kept in."""
        return self.agents_folder / job.folder / "checkpoint.safetensors"


R = TypeVar("R", bound=Run)


@one_thread()
def _again(kind: type[R], config: TrainConfig) -> R:
    """An existing run in another process; the first process has checked all."""
    return kind(config, check=False)
