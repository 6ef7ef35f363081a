"""A run with two hardly trained agents, of the small fitted world that the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundlegym.data import DataConfig
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.envs import EnvConfig
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.job import Job
from bundlegym.user_models import ChoiceShopper


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, user_model: ChoiceShopper, cache: Path) -> Path:
    """Its shoppers are the fixture's, and so is its one judge."""
    runs = tmp_path_factory.mktemp("runs")
    (runs / "small" / "judges").mkdir(parents=True)
    for folder in (runs / "small", runs / "small" / "judges"):
        user_model.save(folder)
    config = TrainConfig(
        agents=("ppo", "dqn"), steps=256, dqn_steps=256, n_envs=16, episodes=16, judges=("choice",),
        offer_exposure=(0.0, 1.0), device="cpu", name="small", runs=runs, env=EnvConfig(reward_draws=1),
        data=DataConfig(log="synthetic", min_purchases=10, cache_dir=cache),
    )  # fmt: skip
    experiment = Experiment(config)
    for job in (Job("ppo", 0, 1.0), Job("dqn", 0, 1.0)):
        experiment.train(job)
    return config.folder


@pytest.fixture(scope="session")
def ppo(run: Path, cache: Path) -> BundlePolicy:
    return BundlePolicy.load(run, "ppo", exposure=1.0, cache_dir=cache)


@pytest.fixture(scope="session")
def planner(run: Path, cache: Path) -> BundlePolicy:
    return BundlePolicy.load(run, "planner", exposure=1.0, cache_dir=cache)
