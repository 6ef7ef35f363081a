"""Jobs on a cluster of Ray: what comes out is the same, and a job whose process is killed is done."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation import ray_cluster as clusters
from bundlegym.evaluation.engines import EngineOptions
from bundlegym.evaluation.parallel import Processes
from bundlegym.evaluation.ray_cluster import RayCluster, ray_cluster
from tests.evaluation.jobs import JOBS, killed_once, learns, mistaken, place_of, squared


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with ray_cluster(None, 2) as found:
        yield found


def test_what_jobs_return_is_that_of_processes_of_this_machine(cluster, tmp_path):
    place, jobs = place_of(tmp_path), [3, 1, 2]
    found = cluster.run(squared, place, jobs)
    assert [square for square, _ in found] == [square for square, _ in Processes(1).run(squared, place, jobs)]
    assert os.getpid() not in {process for _, process in found} and cluster.at_once == 2
    assert cluster.run(squared, place, []) == []


def test_a_job_whose_process_is_killed_goes_on_from_what_was_kept(cluster, tmp_path):
    (_, first), (_, killed) = cluster.run(killed_once, place_of(tmp_path), [0, 1])
    assert int((tmp_path / "0.kept").read_text(encoding="ascii")) == first
    assert int((tmp_path / "1.kept").read_text(encoding="ascii")) == killed
    assert not Path(f"/proc/{killed}").exists()


def test_what_is_wrong_in_a_job_is_told_in_its_own_sentence(cluster, tmp_path):
    with pytest.raises(UserError, match="^ppo cannot learn this$"):
        cluster.run(mistaken, place_of(tmp_path), JOBS)


def test_an_interrupt_reaches_each_job_which_keeps_its_agent(cluster, tmp_path):
    def terminate() -> None:
        while not all((tmp_path / f"{seed}.pid").exists() for seed in (0, 1)):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        cluster.run(learns, place_of(tmp_path), JOBS)
    assert all((tmp_path / f"{seed}.kept").exists() for seed in (0, 1))


def test_a_machine_that_does_not_see_the_run_says_so(cluster, tmp_path):
    with pytest.raises(UserError, match="does not see .*elsewhere: a cluster needs"):
        cluster.run(squared, place_of(tmp_path / "elsewhere"), [1])


def test_without_ray_the_option_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(clusters, "find_spec", lambda name: None)
    for options in ({"ray": True}, {"address": "auto"}):
        with pytest.raises(UserError, match=r"^--ray needs the extra `ray`: pip install 'bundlegym\[ray\]'$"):
            EngineOptions(**options)


def test_only_what_is_asked_for_is_taken_from_a_command_line():
    assert EngineOptions.taken(["--seed", "1"]) == (EngineOptions(), ["--seed", "1"])
