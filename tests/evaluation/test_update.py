"""New days: a run is brought up to date as a new run, and the old one stays as it is."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import DataConfig, synthetic_log
from bundlegym.envs import EnvConfig
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.run_folder import read_config
from bundlegym.evaluation.update import update
from bundlegym.recommenders.shopper_tables import Purchases
from tests.world import made_once

QUIET: dict[str, Any] = {"progress": lambda _: None}


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    log = synthetic_log(n_shoppers=120, n_items=60, n_weeks=18)
    table = log.transactions.merge(log.items, on="item").drop(columns=["week", "unit_cost"])  # type: ignore[arg-type]
    late = table["time"] >= table["time"].min() + pd.Timedelta(weeks=16)
    return table[late | ((table["shopper"] % 20 != 1) & (table["item"] % 13 != 3))]


@pytest.fixture(scope="module")
def run(lines: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory, few_steps: None) -> Path:
    """A run on the first sixteen weeks, beside a table of the last two and what they made of it."""

    def make(folder: Path) -> None:
        week = (lines["time"] - lines["time"].min().normalize()).dt.days // 7
        lines[week < 16].to_csv(folder / "shop.csv", index=False)
        lines[week >= 16].to_csv(folder / "new.csv", index=False)
        config = TrainConfig(
            agents=("ppo",), steps=128, n_envs=16, fit_epochs=1, greedy=("item-knn",), judges=("lookalike",),
            planner_episodes=0, episodes=16, eval_every=128, workers=1, device="cpu", name="old",
            shopper_embeddings="als", offer_exposure=(1.0,), runs=folder / "runs",
            data=DataConfig(log=str(folder / "shop.csv"), min_purchases=15, cache_dir=folder / "cache"),
            env=EnvConfig(reward_draws=1, n_candidates=12, visits=2),
            hyper=AgentConfigs(ppo=PPOConfig(imitate=0)),
        )  # fmt: skip
        Experiment(config).run()
        before = digest(config.folder)
        out, _ = update(config, str(folder / "new.csv"), steps=0, **QUIET)
        assert out == folder / "runs" / "old-2024-05-05"
        assert digest(config.folder) == before
        assert not list(out.parent.glob(".*"))

    return made_once(tmp_path_factory, "updated", make) / "runs" / "old"


@pytest.fixture(scope="module")
def updated(run: Path) -> Path:
    return run.with_name("old-2024-05-05")


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def opened(folder: Path) -> Experiment:
    return Experiment.open(folder, cache_dir=folder.parents[1] / "cache")


def test_the_new_run_is_a_run_like_any(run, updated):
    told = json.loads((updated / "update.json").read_text(encoding="utf-8"))
    assert told["parent"] == str(run) and told["new_items"] and told["new_shoppers"] > 0
    assert told["first"] == "2024-04-22" and told["last"] == "2024-05-05"
    assert 0 < told["nats_after"] < np.log(60) and 0 < told["nats_before"]
    old, new = opened(run), opened(updated)
    assert new.dataset.n_items > old.dataset.n_items and new.dataset.n_weeks == old.dataset.n_weeks + 2
    assert new.recommender("item-knn").log.n_items == new.dataset.n_items
    assert new.examples(2)
    assert (updated / "results.json").exists()


def test_what_takes_long_is_kept_and_the_rest_counted_anew(run, updated):
    old, new = (opened(folder).user_models[1.0].params for folder in (run, updated))
    assert new.coefficients.mailer == old.coefficients.mailer
    assert new.marketing.wear_out.equal(old.marketing.wear_out)
    assert len(new.shortlists.shortlist) > len(old.shortlists.shortlist)
    n = len(old.incidence.visit_rate)
    assert not np.array_equal(new.incidence.visit_rate[:n], old.incidence.visit_rate)


def test_agents_go_on_from_their_weights(run, updated):
    job = opened(run).jobs[0]
    old, new = (opened(folder).trained(job) for folder in (run, updated))
    pairs = zip(old.policy.state_dict().values(), new.policy.state_dict().values(), strict=True)
    assert all(one.equal(other) for one, other in pairs)
    assert new.num_timesteps == old.num_timesteps
    seen = [opened(folder).market.item_features[:, 1:] for folder in (run, updated)]
    assert seen[1][: len(seen[0])].allclose(seen[0]) and len(seen[1]) > len(seen[0])


def test_shopper_vectors_keep_their_meaning(run, updated):
    """The new run's agents see the vectors of the old run's recommender, of the purchases until now."""
    old, new = opened(run), opened(updated)
    here, later = old.market.shopper_vectors, new.market.shopper_vectors
    end = 7 * old.dataset.split.train_weeks[1]
    then = new.shopper_vectors.as_of(Purchases.of(new.dataset), new.dataset.n_shoppers, end)
    np.testing.assert_allclose(then[: len(here)], here, atol=1e-4)
    assert len(later) == new.dataset.n_shoppers > len(here)
    assert not np.allclose(later[: len(here)], here, atol=1e-2)


def test_an_updated_run_can_move(updated, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(updated, moved)
    config = read_config(moved, cache_dir=updated.parents[1] / "cache")
    assert config.data.known == moved.resolve() / "known.json"


def test_what_does_not_follow_is_refused(run, lines, tmp_path):
    config = read_config(run, cache_dir=run.parents[1] / "cache")

    def refused(table: pd.DataFrame, match: str, **options) -> None:
        path = tmp_path / "wrong.csv"
        table.to_csv(path, index=False)
        with pytest.raises(UserError, match=match):
            update(config, str(path), steps=0, **options, **QUIET)

    new = pd.read_csv(run.parents[1] / "new.csv", parse_dates=["time"])
    refused(lines[lines["time"] < "2024-04-10"], "no usable line after 2024-04-21")
    refused(new[new["time"] >= "2024-05-02"], "10 days without a line .* --most-gap 10")
    refused(new.assign(price_paid=new["price_paid"] * 100, list_price=new["list_price"] * 100), "times what")
    with pytest.raises(UserError, match="is there already"):
        update(config, str(run.parents[1] / "new.csv"), out=run, **QUIET)
    assert {path.name for path in run.parent.iterdir()} <= {run.name, "old-2024-05-05"}
