"""A run with candidates of any recommender, and the benchmark of what private ones cost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundlegym.evaluation import population
from bundlegym.evaluation.experiment import Experiment
from bundlegym.recommenders import Interactions, make_recommender
from tests.benchmarks.test_bundles import script

margin = script("privacy_margin")


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Experiment:
    return Experiment.open(shutil.copytree(finished_run, tmp_path / "runs" / "small"))


def setting(run: Experiment, agent: str) -> Any:
    fitted = population.judge(run.folder, "choice", run.config, run.dataset, run.device)
    return margin.Setting(run, 1.0, population.under(fitted, run.config, 1.0), agent, visits=8, fresh=8)


def test_other_candidates_are_put_before_the_same_visits(run: Experiment) -> None:
    log = Interactions.from_dataset(run.dataset, run.dataset.split.train_weeks)
    other = run.with_candidates(make_recommender("popularity").fit(log), "popular")
    cores = [each.judging_core(24, run.user_models[1.0]) for each in (run, other)]
    for core in cores:
        core.reset()
    mine, theirs = cores
    for what in ("shopper", "day"):
        assert torch.equal(getattr(mine.records, what), getattr(theirs.records, what))
    popular = log.popularity[theirs.candidates].mean()
    assert popular > log.popularity[mine.candidates].mean()
    assert other.folder == run.folder / "popular" and other.user_models is run.user_models


def test_margins_are_paired_by_visit_and_kept(run: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = (margin.NO_RECOMMENDER, "popularity"), (None, 0.5)
    found = list(margin.rows(setting(run, margin.PLANNER), *wanted))
    assert [(row["candidates"], row["epsilon"], row["seeds"]) for row in found] == [
        (margin.NO_RECOMMENDER, None, 1), ("popularity", None, 1), ("popularity", 0.5, 2),
    ]  # fmt: skip
    _, exact, noisy = found
    assert noisy["gain"]["mean"] != exact["gain"]["mean"]
    assert np.isclose(noisy["over_none"]["mean"], noisy["gain"]["mean"] - exact["gain"]["mean"])
    assert exact["over_none"] is None and "| popularity | 0.5 |" in margin.line(noisy)
    monkeypatch.setattr(margin, "offers_of", None)  # what is kept is not made again
    assert list(margin.rows(setting(run, margin.PLANNER), *wanted)) == found


def test_agents_are_trained_with_the_candidates_of_each_row(run: Experiment) -> None:
    exact, noisy = margin.rows(setting(run, "ppo"), ("popularity",), (None, 0.5))
    assert exact["seeds"] == noisy["seeds"] == 2
    folders = ("popularity", "popularity", "popularity-epsilon-0.5-noise-0", "popularity-epsilon-0.5-noise-1")
    for seed, folder in zip((0, 1, 0, 1), folders, strict=True):
        agent = run.folder / folder / f"ppo-{seed}-exposure-1"
        assert (agent / "checkpoint.safetensors").exists()
