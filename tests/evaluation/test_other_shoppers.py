"""Agents of a run may learn from other shoppers than its own: the benchmark's learned oracle."""

from __future__ import annotations

import shutil

import numpy as np
import torch

from bundlegym.evaluation import population
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.fitting import fit
from bundlegym.evaluation.parallel import Processes
from tests.benchmarks.test_bundles import script


def test_agents_of_other_shoppers_are_kept_apart(finished_run, tmp_path):
    run = Experiment.open(shutil.copytree(finished_run, tmp_path / "runs" / "small"))
    kept = {path: path.read_bytes() for path in run.folder.rglob("*.safetensors")}
    judge = population.judge(run.folder, "choice", run.config, run.dataset, run.device)
    fit(run, Processes(1), judges=False)
    mine = dict(run.user_models)
    other = run.with_shoppers({0.0: judge, 1.0: judge}, "other")
    job = next(job for job in other.jobs if job.exposure == 0)
    other.train(job)
    assert other.checkpoint(job).is_relative_to(run.folder / "other")
    assert list((run.folder / "other").glob("demonstrations-*.safetensors"))
    assert run.user_models == mine and all(path.read_bytes() == held for path, held in kept.items())
    one, two = (each.trained(job).policy.state_dict() for each in (run, other))
    assert not all(torch.equal(one[name], two[name]) for name in one)


def test_the_learned_oracle_stands_beside_the_agent_by_the_judge_alone(finished_run, tmp_path):
    run = Experiment.open(shutil.copytree(finished_run, tmp_path / "runs" / "small"))
    agents = script("agents")
    found = agents.rows(run, visits=6, fresh=8, learned_oracle=True)
    judged = [row for row in found if row["judged_by"] == "judge" and row["exposure"] == 1]
    assert [row["policy"] for row in judged] == ["planner", "oracle", "ppo", "ppo oracle"]
    assert not any(row["policy"] == "ppo oracle" for row in found if row["judged_by"] != "judge")
    *_, agent, taught = judged
    assert taught["seeds"] == 2 and np.isclose(
        taught["over_agent"]["mean"], taught["gain"]["mean"] - agent["gain"]["mean"]
    )
    assert "over the agent that learned from the other fit" in agents.words(taught)
