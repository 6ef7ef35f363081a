"""One small finished run, on a log whose item names try to be more than names."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import DataConfig, synthetic_log
from bundlegym.envs import EnvConfig
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from tests.world import made_once, quick_fits

HOSTILE = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil.example","bread")',
    '"><img src=x onerror=y>',
)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PPO agent of two seeds under two assumptions, two judges, a planner."""
    return made_once(tmp_path_factory, "reported", _run_in) / "runs" / "small"


def _run_in(folder: Path) -> None:
    log = synthetic_log(n_shoppers=160, n_items=60, n_weeks=22)
    items = log.items.assign(name=[HOSTILE[i % 3] + f" {i}" for i in range(len(log.items))])  # type: ignore[arg-type]
    lines = log.transactions.merge(items, on="item").assign(
        shopper=lambda t: "secret-" + t["shopper"].astype(str)
    )
    lines.to_csv(folder / "shop.csv", index=False)
    config = TrainConfig(
        agents=("ppo",), steps=256, seeds=2, n_envs=16, fit_epochs=1, greedy=("item-knn",),
        judges=("choice", "lookalike"),
        planner_episodes=4, episodes=24, eval_every=128, workers=1, device="cpu", name="small",
        runs=folder / "runs",
        data=DataConfig(log=str(folder / "shop.csv"), min_purchases=10, cache_dir=folder / "cache"),
        env=EnvConfig(reward_draws=1, n_candidates=12, visits=3),
        hyper=AgentConfigs(ppo=PPOConfig(imitate=16)),
    )  # fmt: skip
    with quick_fits():
        Experiment(config).run()
