"""A run with hardly trained agents, of the small fitted world that the tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bundlegym.agents.a2c import A2CConfig
from bundlegym.agents.dqn import DQNConfig
from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.agents.tabular import QLearningConfig
from bundlegym.data import DataConfig
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.envs import EnvConfig
from bundlegym.envs.base import BLOCKS
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
    ppo, few = PPOConfig(steps=256, imitate=0), {"steps": 256}
    hyper = AgentConfigs(ppo, DQNConfig(**few), A2CConfig(**few), QLearningConfig(**few))
    config = TrainConfig(
        agents=("ppo", "dqn", "a2c", "q-learning"), n_envs=16, episodes=16, judges=("choice",), hyper=hyper,
        offer_exposure=(0.0, 1.0), device="cpu", name="small", runs=runs, env=EnvConfig(reward_draws=1),
        data=DataConfig(log="synthetic", min_purchases=10, cache_dir=cache),
    )  # fmt: skip
    experiment = Experiment(config)
    for agent in config.agents:
        experiment.train(Job(agent, 0, 1.0))
    return config.folder


@pytest.fixture(scope="session")
def forecasting(run: Path, cache: Path) -> Path:
    """The same with a PPO agent that sees forecasts."""
    runs = run.parent
    (runs / "forecasting").mkdir()
    for file in run.glob("choice.*"):
        shutil.copy(file, runs / "forecasting")
    hyper = AgentConfigs(PPOConfig(steps=256, imitate=0))
    config = TrainConfig(
        agents=("ppo",), n_envs=16, episodes=16, judges=(), hyper=hyper, offer_exposure=(1.0,), device="cpu",
        name="forecasting", runs=runs, data=DataConfig(log="synthetic", min_purchases=10, cache_dir=cache),
        env=EnvConfig(reward_draws=1, observation=(*BLOCKS, "forecasts")),
    )  # fmt: skip
    Experiment(config).train(Job("ppo", 0, 1.0))
    return config.folder


@pytest.fixture(scope="session")
def ppo(run: Path, cache: Path) -> BundlePolicy:
    return BundlePolicy.load(run, "ppo", exposure=1.0, cache_dir=cache)


@pytest.fixture(scope="session")
def planner(run: Path, cache: Path) -> BundlePolicy:
    return BundlePolicy.load(run, "planner", exposure=1.0, cache_dir=cache)
