"""A policy of one shop in another, and one policy from several shops."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import synthetic_log
from bundlegym.envs import EnvConfig
from bundlegym.envs.base import BLOCKS
from bundlegym.errors import UserError
from bundlegym.evaluation import transfer
from bundlegym.evaluation.cli import train
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.run_folder import read_config
from bundlegym.evaluation.several_shops import by_log
from bundlegym.evaluation.sweep import check_sweep
from tests.commands import command

SMALL = ["--agents", "ppo", "--steps", "512", "--ppo.imitate", "4", "--n-envs", "16", "--visits", "2",
         "--n-candidates", "12", "--fit-epochs", "1", "--planner-episodes", "0", "--greedy", "item-knn",
         "--judges", "lookalike", "--episodes", "16", "--eval-every", "512", "--device", "cpu", "--workers",
         "1", "--offer-exposure", "1", "--min-purchases", "10", "--beyond-support",
         "--discounts", "0", "0.1", "0.2"]  # fmt: skip
JOB = Job("ppo", 0, 1.0)


def log_of(seed: int, path: Path) -> None:
    """A shop of its own: other items, prices and shoppers, and one category that no other shop has."""
    log = synthetic_log(seed, n_shoppers=120, n_items=48, n_weeks=18)
    assert log.items is not None
    items = log.items.assign(category=log.items["category"].replace("Tuna", f"Fish of {seed}"))
    table: pd.DataFrame = log.transactions.merge(items, on="item").drop(columns=["week", "unit_cost"])
    table.assign(item=f"{seed}-" + table["item"].astype(str)).to_csv(path, index=False)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory, few_steps: None) -> Path:
    """One training on two logs; a third log lies beside them."""
    folder = tmp_path_factory.mktemp("shops")
    for seed, name in enumerate("abc"):
        log_of(seed, folder / f"{name}.csv")
    done = command(
        train, *SMALL, "--log", "a.csv", "--log", "b.csv", "--name", "both", *cache(folder), cwd=folder
    )
    assert done.code == 0, done.err
    return folder


def cache(folder: Path) -> list[str]:
    return ["--cache-dir", str(folder / "cache")]


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.chdir(folder.parents[1])  # logs are named from there
    return Experiment(read_config(folder, cache_dir=folder.parents[1] / "cache"))


def weights(experiment: Experiment) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in experiment.trained(JOB).policy.state_dict().items()}


def test_one_agent_of_two_logs_is_judged_in_each(shops, monkeypatch):
    first, second = (opened(shops / "runs" / f"both-{name}", monkeypatch) for name in "ab")
    assert first.config.also == (Path("runs/both-b"),) and second.config.start_from == Path("runs/both-a")
    mine, theirs = weights(first), weights(second)
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
    assert first.trained(JOB).num_timesteps == 512 and second.trained(JOB).num_timesteps == 0
    for run, words in ((first, "also learned from"), (second, "begin as those of")):
        results = json.loads((run.folder / "results.json").read_text(encoding="utf-8"))
        assert {row["user_model"] for row in results["judges"]} == {"lookalike, judge"}
        assert any(words in note for note in results["notes"])
        assert run.examples(1)
    demonstrations = sorted(path.name for path in first.folder.glob("demonstrations*"))
    assert demonstrations == [
        "demonstrations-2-exposure-1-shop-1.safetensors", "demonstrations-2-exposure-1.safetensors",
    ]  # fmt: skip


def test_items_of_the_other_shop_have_the_vectors_of_their_category(shops, monkeypatch):
    first, second = (opened(shops / "runs" / f"both-{name}", monkeypatch) for name in "ab")
    mine, theirs = (run.market.item_features[:, 1:].numpy() for run in (first, second))
    of_milk = [mine[np.flatnonzero(first.dataset.items["category"] == "Milk")[0]]]
    milk = theirs[np.flatnonzero(second.dataset.items["category"] == "Milk")]
    assert len(milk) and np.allclose(milk, of_milk, atol=1e-6)
    fish = theirs[np.flatnonzero(second.dataset.items["category"] == "Fish of 1")]
    assert len(fish) and np.allclose(fish, mine.mean(0), atol=1e-6)


def test_a_policy_goes_on_in_another_shop_with_fewer_discounts(shops, monkeypatch):
    options = [*SMALL, "--start-from", "runs/both-a", "--log", "c.csv", "--name", "on", *cache(shops)]
    done = command(train, *options, "--discounts", "0", "0.2", "--ppo.imitate", "0", cwd=shops)
    assert done.code == 0, done.err
    source, run = (opened(shops / "runs" / name, monkeypatch) for name in ("both-a", "on"))
    before, after = weights(source), weights(run)
    level = "scorer.offer_net.2.bias"
    assert before[level].shape == (3,) and after[level].shape == (2,)
    rest = [name for name in before if name.startswith("scorer.query_net")]
    assert rest and not any(np.array_equal(before[name], after[name]) for name in rest)
    assert all(np.allclose(before[name], after[name], atol=0.1) for name in rest)  # it did not begin anew
    assert run.trained(JOB).num_timesteps == 512


def test_without_steps_an_agent_is_kept_as_it_begins(shops, monkeypatch):
    options = [
        *SMALL,
        "--steps",
        "0",
        "--ppo.steps",
        "0",
        "--log",
        "c.csv",
        "--name",
        "imitates",
        *cache(shops),
    ]
    done = command(train, *options, cwd=shops)
    assert done.code == 0, done.err
    assert opened(shops / "runs" / "imitates", monkeypatch).trained(JOB).num_timesteps == 0


def config(**options) -> TrainConfig:
    return TrainConfig(**{"agents": ("ppo",), "offer_exposure": (1.0,), "name": "theirs"} | options)


def test_what_does_not_fit_is_refused_by_name():
    env, mine = EnvConfig(discounts=(0.0, 0.1)), config()

    def refused(words: str, theirs: TrainConfig, of_theirs: EnvConfig, of_mine: EnvConfig) -> None:
        with pytest.raises(UserError, match=words):
            transfer.check_fit(theirs, of_theirs, mine, of_mine)

    transfer.check_fit(config(), env, mine, env)
    transfer.check_fit(config(), env, mine, EnvConfig(discounts=(0.1,), n_candidates=8))
    refused("nothing of 20% off; give --discounts 0 0.1", config(), env, EnvConfig(discounts=(0.0, 0.2)))
    seeing = dataclasses.replace(env, observation=(*BLOCKS, "forecasts"))
    refused(
        "other blocks; give --observation shopper context candidates picked forecasts", config(), seeing, env
    )
    fewer = dataclasses.replace(seeing, discounts=(0.0,))
    refused("see forecasts by discount level", config(), seeing, fewer)
    wide = config(hyper=AgentConfigs(ppo=PPOConfig(width=64)))
    refused("network is 64 wide; give --ppo.width 64", wide, env, env)
    with pytest.raises(UserError, match="the block profile does not fit.*share_of_tea"):
        transfer.check_profiles("--also", Path("runs/a"), ["visits", "share_of_tea"], ["visits"])


def test_a_sweep_begins_with_no_other_shop():
    with pytest.raises(UserError, match="leave out --start-from"):
        check_sweep(config(start_from=Path("runs/a")), [])


def test_prices_of_another_order_are_told(capsys):
    transfer.tell_prices("--also", Path("runs/a"), 2.0, 3.0)
    assert not capsys.readouterr().err
    transfer.tell_prices("--also", Path("runs/a"), 2.0, 300.0)
    assert "costs 2 there and 300 here" in capsys.readouterr().err


def test_whose_agent_one_begins_as():
    source = config(seed=4, seeds=2)
    assert transfer.source_job(source, Job("ppo", 7, 1.0)) == Job("ppo", 5, 1.0)
    with pytest.raises(UserError, match="has no dqn; give --agents ppo"):
        transfer.source_job(source, Job("dqn", 0, 1.0))
    with pytest.raises(UserError, match="at exposure 0; give --offer-exposure 1"):
        transfer.source_job(source, Job("ppo", 0, 0.0))


def test_each_log_has_its_columns():
    assert by_log(["--seed", "1", "--log", "a"]) == [["--seed", "1", "--log", "a"]]
    two = by_log(["--log", "a", "--log=b", "--columns", "c", "--seeds", "2"])
    assert two == [["--seeds", "2", "--log", log, "--columns", "c"] for log in "ab"]
    two = by_log(["--log", "a", "--columns", "x", "--log", "b", "--columns", "y"])
    assert two == [["--log", "a", "--columns", "x"], ["--log", "b", "--columns", "y"]]
    with pytest.raises(UserError, match="one for each of the 3 logs"):
        by_log([*("--log", "a") * 3, *("--columns", "x") * 2])


def test_a_log_is_given_once(tmp_path):
    done = command(train, "--log", "synthetic", "--log", "synthetic", *cache(tmp_path), cwd=tmp_path)
    assert done.code == 2 and "two logs have the same name" in done.err
