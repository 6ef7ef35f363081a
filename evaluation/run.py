"""What a run stands on: its log, its shoppers, what the shop knows, and simulators of them."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from functools import cached_property, partial
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch

from bundlegym.data import Dataset, prepare
from bundlegym.data.files import replacing
from bundlegym.devices import device_of
from bundlegym.envs import BundleCore, Market, build_market, recommended
from bundlegym.envs.base import EMBEDDING_SIZE
from bundlegym.envs.observations import blocks_of
from bundlegym.envs.rewards import reward_of
from bundlegym.errors import UserError
from bundlegym.evaluation import population, transfer
from bundlegym.evaluation.config import ITEM_VECTORS, SHOPPER_VECTORS, TrainConfig
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.parallel import Place, at_once
from bundlegym.evaluation.run_folder import begin
from bundlegym.recommenders import (
    Interactions,
    Recommender,
    ShopperVectors,
    check_installed,
    check_shopper_vectors,
    item_vectors,
    load_recommender,
    make_recommender,
    shopper_profile,
)
from bundlegym.recommenders.carried_vectors import carried_vectors
from bundlegym.recommenders.shopper_tables import Purchases
from bundlegym.terminal import remark
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel
from bundlegym.user_models.persistence import read_tensors, write_tensors

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
        embedders = config.embeddings, config.shopper_embeddings
        for name in filter(None, (config.candidates, *embedders, *config.greedy)):
            check_installed(name, self.dataset.vectors)
        if config.shopper_embeddings:
            check_shopper_vectors(config.shopper_embeddings)
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

    def with_shoppers(self, user_models: dict[float, UserModel], name: str) -> Self:
        """The same log, market and offers, and other shoppers whom agents learn from; demonstrations and
        agents are kept in the folder `name` of the run. `fitting.fit` comes before it.

        Args:
            user_models: as in `user_models`.
        """
        other = copy.copy(self)
        other.folder = other.agents_folder = self.folder / name
        other.folder.mkdir(exist_ok=True)
        other.user_models = user_models
        return other

    def with_candidates(self, source: Recommender | None, name: str) -> Self:
        """The same log, shoppers and offers, which are made of a recommender's best items, by default of what
        each shopper most likely buys; demonstrations and agents are kept in the folder `name` of the run.
        `fitting.fit` comes before it."""
        other = self.with_shoppers(self.user_models, name)
        other.market = self._market(self._item_vectors(), source)
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
    def judges(self) -> dict[str, UserModel]:
        """Those that only judge, by what they are called in the tables."""
        fitted = population.judges(self.folder, self.config, self.dataset, self.device)
        return {f"{family}, judge": model for family, model in fitted.items()}

    @cached_property
    def market(self) -> Market:
        """What the shop itself knows."""
        return self._market(self._item_vectors(), self._source_of_candidates)

    @property
    def _source_of_candidates(self) -> Recommender | None:
        name = self.config.candidates
        return self.recommender(name) if name else None

    def _market(self, vectors: np.ndarray | None, source: Recommender | None) -> Market:
        return build_market(
            self.dataset,
            device=self.device,
            candidates=None if source is None else recommended(source),
            embeddings=vectors,
            shopper_embeddings=self._shopper_embeddings(),
        )

    def _item_vectors(self) -> np.ndarray | None:
        """(I, EMBEDDING_SIZE); those of the earlier run, or of the other shop, where this one goes on from
        one; None for the market's own."""
        if (kept := self.folder / ITEM_VECTORS).exists():
            return read_tensors(kept)[0]["vectors"].numpy()
        if self.source is not None:
            carried = torch.from_numpy(self.source.vectors_for(self.dataset))
            with replacing(kept) as part:
                write_tensors(part, {"vectors": carried}, {})
            return carried.numpy()
        name = self.config.embeddings
        return item_vectors(self.recommender(name), EMBEDDING_SIZE) if name else None

    def _shopper_embeddings(self) -> np.ndarray | None:
        """(S, EMBEDDING_SIZE), by what shoppers bought in the training weeks; None where agents see none."""
        if self.shopper_vectors is None:
            return None
        dataset = self.dataset
        end = 7 * dataset.split.train_weeks[1]
        return self.shopper_vectors.as_of(Purchases.of(dataset), dataset.n_shoppers, end)

    @cached_property
    def shopper_vectors(self) -> ShopperVectors | None:
        """How purchases become the block `shopper_embedding`; as in the earlier run where this one goes on
        from one; None where agents see none."""
        if not (name := self.config.shopper_embeddings):
            return None
        kept = self.folder / SHOPPER_VECTORS
        model = load_recommender(kept) if kept.exists() else self.recommender(name)
        return ShopperVectors.of(model, EMBEDDING_SIZE)

    def vectors_for(self, dataset: Dataset) -> np.ndarray:
        """(J, EMBEDDING_SIZE) of the items of another log, as the agents of this run see them."""
        vectors = self.market.item_features[:, 1:].numpy(force=True)
        return carried_vectors(vectors, self.dataset.items, dataset.items)

    @cached_property
    def source(self) -> Run | None:
        """The run of another shop whose agents these begin as.

        Raises:
            UserError: it cannot be read, or what its agents see does not fit.
        """
        folder = self.config.start_from
        if folder is None:
            return None
        source = Run(transfer.read_other(self.config, "--start-from", folder), check=False)
        transfer.check_fit(source.config, source.env, self.config, self.env)
        self._compare("--start-from", source)
        return source

    @cached_property
    def also(self) -> list[Run]:
        """The shops whose shoppers agents learn from beside this one's, under the same assumptions and with
        the same offers; their items have vectors by this shop's.

        Raises:
            UserError: one cannot be read, or does not fit.
        """
        return [self._beside(folder) for folder in self.config.also]

    def _beside(self, folder: Path) -> Run:
        same = ("bundle_pull", "beyond_support", "device")
        config = dataclasses.replace(
            transfer.read_other(self.config, "--also", folder),
            env=self.env,
            shopper_embeddings="",
            offer_exposure=self.config.exposures,
            **{name: getattr(self.config, name) for name in same},
        )
        shop = Run(config, check=False)
        if shop.env != self.env:
            known = " ".join(f"{level:g}" for level in shop.env.discounts)
            raise UserError(f"--also {folder}: its log knows no deeper discounts; give --discounts {known}")
        self._compare("--also", shop)
        shop.market = shop._market(self.vectors_for(shop.dataset), shop._source_of_candidates)
        return shop

    def _compare(self, option: str, other: Run) -> None:
        """Hold the other shop's profile and prices against this one's."""
        datasets = other.dataset, self.dataset
        if "profile" in self.env.observation:
            names = [shopper_profile(each, each.split.train_weeks).names for each in datasets]
            transfer.check_profiles(option, other.folder, *names)
        prices = [float(each.items["list_price"].median()) for each in datasets]
        transfer.tell_prices(option, other.folder, *prices)

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
