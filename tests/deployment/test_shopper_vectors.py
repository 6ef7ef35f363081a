"""An agent that sees shopper vectors, outside the simulator: anybody's, by purchases before the day."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import DataConfig
from bundlegym.deployment.export import export_policy
from bundlegym.deployment.exported import ExportedPolicy
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.envs import EnvConfig
from bundlegym.envs.base import BLOCKS, SHOPPER_EMBEDDING
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.job import Job
from bundlegym.recommenders.shopper_tables import Purchases


@pytest.fixture(scope="module")
def folder(run: Path, cache: Path) -> Path:
    """A run of the small world with an agent that sees vectors of LightGCN."""
    runs = run.parent
    (runs / "vectors").mkdir()
    for file in run.glob("choice.*"):
        shutil.copy(file, runs / "vectors")
    config = TrainConfig(
        agents=("ppo",), n_envs=16, judges=(), hyper=AgentConfigs(PPOConfig(steps=256, imitate=0)),
        shopper_embeddings="lightgcn", offer_exposure=(1.0,), device="cpu", name="vectors", runs=runs,
        env=EnvConfig(reward_draws=1), data=DataConfig(log="synthetic", min_purchases=10, cache_dir=cache),
    )  # fmt: skip
    Experiment(config).train(Job("ppo", 0, 1.0))
    return config.folder


@pytest.fixture(scope="module")
def policy(folder: Path, cache: Path) -> BundlePolicy:
    return BundlePolicy.load(folder, cache_dir=cache)


def seen(policy: BundlePolicy, asked, day: int) -> np.ndarray:
    return policy.open(asked, day, policy.ledger.excluded()).observe()[SHOPPER_EMBEDDING].numpy()


def history_of(policy: BundlePolicy, shopper: str) -> pd.DataFrame:
    ledger = policy.ledger
    bought = ledger.bought_by(ledger.ask([shopper]))
    times = [ledger.date(day) for day in bought.day]
    return pd.DataFrame({"item": ledger.item_ids[bought.item], "time": times, "basket": bought.visit})


def test_the_block_is_named_by_the_option_and_the_agent_reads_it(policy):
    assert policy.config.observation == (*BLOCKS, SHOPPER_EMBEDDING)
    assert SHOPPER_EMBEDDING in policy.model.observation_space.spaces


def test_in_the_simulator_they_are_those_of_the_end_of_the_training_weeks(policy):
    end = 7 * policy.dataset.split.train_weeks[1]
    everyone = policy.ledger.ask()
    np.testing.assert_allclose(seen(policy, everyone, end), policy.market.shopper_vectors.numpy(), atol=1e-4)
    assert policy.market.shopper_vectors.std() > 0.5


def test_no_purchase_after_the_training_weeks_shows_in_a_run(policy, folder, cache, tmp_path):
    """The same run over a log whose later lines are other items: its agents see the same."""
    split, again = policy.dataset.split, Experiment.open(folder, cache_dir=cache)
    visit = policy.dataset.purchases["visit"].to_numpy()
    late = (policy.dataset.visits["week"] >= split.train_weeks[1]).to_numpy()[visit]
    item = policy.dataset.purchases["item"].to_numpy()
    others = policy.dataset.purchases.assign(item=np.where(late, policy.dataset.n_items - 1 - item, item))
    again.dataset, again.folder = dataclasses.replace(again.dataset, purchases=others), tmp_path
    found = again.market.shopper_vectors.numpy()
    assert (tmp_path / "recommenders" / "lightgcn").exists()  # it is fitted anew
    np.testing.assert_allclose(found, policy.market.shopper_vectors.numpy(), atol=1e-4)


def test_a_stranger_is_told_what_a_shopper_of_the_log_with_the_same_purchases_is(policy):
    for shopper in ("3", "8", "40"):
        stranger, unknown = policy.ledger.ask_new(history_of(policy, shopper), name=shopper)
        day = policy.ledger.day(None)
        own = seen(policy, policy.ledger.ask([shopper]), day)
        np.testing.assert_allclose(seen(policy, stranger, day), own, atol=1e-4)
        assert not unknown and np.abs(own).max() > 0.1
        assert policy.recommend(history_of(policy, shopper), name=shopper) == policy.recommend(shopper)


def test_an_exported_agent_knows_the_vectors_of_the_log(policy, folder, cache, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    export_policy(policy, tmp_path / "out")
    exported = ExportedPolicy.load(tmp_path / "out")
    day, nothing = policy.ledger.day(None), policy.ledger.excluded()
    asked = exported.ledger.ask()
    blocks = exported.open(asked, day, nothing).blocks()
    np.testing.assert_allclose(blocks[SHOPPER_EMBEDDING], seen(policy, asked, day), atol=1e-4)
    stranger, _ = exported.ledger.ask_new(history_of(policy, "3"))
    assert not exported.open(stranger, day, nothing).blocks()[SHOPPER_EMBEDDING].any()
    assert exported.recommend("12") == policy.recommend("12")


def test_who_bought_nothing_is_the_mean_shopper(policy):
    rule = policy.experiment.shopper_vectors
    none = np.zeros(0, dtype=np.int64)
    assert not rule.as_of(Purchases(none, none, none, none), 2, 100).any()
