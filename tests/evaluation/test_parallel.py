"""Processes side by side: none outlives the command, and a killed one is told in a sentence."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import DataConfig
from bundlegym.envs import EnvConfig
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.parallel import Processes
from tests.evaluation.jobs import JOBS, killed, large, mistaken, place_of, squared

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """That of a run."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def until(*, of: Path | None = None, pid: int = 0) -> None:
    """Wait for a file, or for the end of a process."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if of is not None and of.exists():
            return
        if pid and not runs(pid):
            return
        time.sleep(0.05)
    raise AssertionError(f"{of or pid}: waited in vain")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _listens_to_interrupts() -> None:
    """What a shell runs in the background is told to ignore them, and so is all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def command(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that has two agents learn side by side, both begun."""
    code = (
        "from pathlib import Path\n"
        "from bundlegym.errors import guarded\n"
        "from bundlegym.evaluation.parallel import Processes\n"
        "from tests.evaluation.jobs import JOBS, learns, place_of\n"
        f"folder = Path({str(folder)!r})\n"
        "if __name__ == '__main__':\n"
        "    guarded(lambda: Processes(2).run(learns, place_of(folder), JOBS))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_listens_to_interrupts,
    )
    for seed in (0, 1):
        until(of=folder / f"{seed}.pid")
    yield process
    process.kill()
    process.wait()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes there are")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_command_and_each_agent_is_kept(kind, command, folder):
    workers = [int((folder / f"{seed}.pid").read_text()) for seed in (0, 1)]
    command.send_signal(kind)
    if kind == signal.SIGTERM:
        time.sleep(0.2)
        command.send_signal(kind)  # by somebody who is impatient
    for pid in (command.pid, *workers):
        until(pid=pid)
    assert all((folder / f"{seed}.kept").exists() for seed in (0, 1))
    if kind != signal.SIGKILL:
        assert command.wait(60) == 130 and "Traceback" not in command.stderr.read()


def test_a_killed_process_is_told_in_a_sentence_and_the_others_are_stopped(folder):
    with pytest.raises(
        UserError, match=r"ppo, seed 1, exposure 0: .* killed \(SIGKILL\).* memory .*--resume .*run"
    ):
        Processes(2).run(killed, place_of(folder), JOBS)
    assert (folder / "0.kept").exists() or not (folder / "0.pid").exists()


def test_what_is_wrong_in_a_process_is_told_in_its_own_sentence(folder):
    with pytest.raises(UserError, match="ppo cannot learn this"):
        Processes(2).run(mistaken, place_of(folder), JOBS)


def test_what_jobs_return_comes_in_their_order(folder):
    found = Processes(2).run(squared, place_of(folder), [3, 1, 2, 5])
    assert [square for square, _ in found] == [9, 1, 4, 25]
    assert len({process for _, process in found} - {os.getpid()}) == 2, "a process does several jobs"
    assert Processes(1).run(squared, place_of(folder), [3, 1]) == [(9, os.getpid()), (1, os.getpid())]
    assert Processes(2).run(squared, place_of(folder), []) == []


def test_a_job_may_return_more_than_a_pipe_holds(folder):
    assert Processes(2).run(large, place_of(folder), [1, 2]) == [b"\1" * 1_000_000, b"\2" * 1_000_000]


def test_side_by_side_and_one_after_the_other_the_table_is_the_same(few_steps, tmp_path):
    """An evaluation falls on the last roll-out of 16 shoppers by 32 steps."""
    options: dict[str, Any] = {
        "agents": ("ppo",), "seeds": 2, "steps": 1024, "n_envs": 16, "eval_every": 512, "episodes": 32,
        "user_model": "lookalike", "fit_epochs": 1, "judges": ("lookalike",), "greedy": (),
        "planner_episodes": 1,
        "env": EnvConfig(visits=5, n_candidates=12), "hyper": AgentConfigs(ppo=PPOConfig(imitate=16)),
        "data": DataConfig(log="synthetic", min_purchases=10, cache_dir=tmp_path / "cache"),
    }  # fmt: skip
    one = Experiment(TrainConfig(**options, runs=tmp_path, name="one", workers=1))
    table = one.run()
    # What was fitted is taken over, as where a run is resumed; agents and tables are made anew.
    made = shutil.ignore_patterns("ppo-*", "results.json", "episodes.parquet")
    shutil.copytree(one.folder, tmp_path / "two", ignore=made)
    two = Experiment(TrainConfig(**options, runs=tmp_path, name="two", workers=2))
    assert two.run() == table
