"""Nothing that a shop's log is for opens a network connection."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bundlegym.agents.dqn import DQNConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import DataConfig
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.deployment.recommend import make_offers
from bundlegym.envs import EnvConfig
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whatever would reach another machine, or be reached, fails and is noted."""
    asked: list[str] = []

    def refuse(name: str):
        def refused(*arguments: object, **_: object) -> None:
            asked.append(f"{name}{arguments[1:]}")
            raise OSError(f"socket.{name} in a test without a network")

        return refused

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse(name))
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse(name))
    return asked


def test_training_judging_and_recommending_need_no_network(
    no_network: list[str], few_steps: None, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="without a network"):
        socket.create_connection(("127.0.0.1", 9))
    no_network.clear()
    data = DataConfig(log="synthetic", min_purchases=10, cache_dir=tmp_path / "cache")
    config = TrainConfig(
        agents=("dqn",), steps=64, n_envs=16, fit_epochs=1, user_model="lookalike", judges=("lookalike",),
        greedy=("item-knn",), planner_episodes=0, episodes=16, eval_every=64, workers=1, device="cpu",
        name="run", runs=tmp_path / "runs", data=data, env=EnvConfig(reward_draws=1),
        hyper=AgentConfigs(dqn=DQNConfig(learning_starts=16, buffer_size=200)),
    )  # fmt: skip
    results = Experiment(config).run()
    policy = BundlePolicy.load(config.folder, cache_dir=data.cache_dir)
    assert results["rows"] and results["judges"]
    assert len(make_offers(policy, draws=2).table.columns) > 10
    assert no_network == []
