"""Two commands never work on one run at once, and a dead one is in nobody's way."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bundlegym.data import DataConfig
from bundlegym.data.lock import sole_user
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment

ROOT = Path(__file__).parents[2]
HOLDS = """
import sys, time
from pathlib import Path
from bundlegym.data.lock import sole_user
with sole_user(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


def test_a_second_run_of_the_same_folder_ends_in_a_sentence(tmp_path):
    config = TrainConfig(
        runs=tmp_path,
        name="run",
        data=DataConfig(log="synthetic", min_purchases=10, cache_dir=tmp_path / "c"),
    )
    experiment = Experiment(config)
    with sole_user(config.folder), pytest.raises(UserError, match="run: another command is at work here"):
        experiment.run()
    assert not list(config.folder.glob("*.safetensors"))  # it has not even fitted


def test_another_process_is_kept_out_until_the_first_is_dead(tmp_path):
    first = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout.readline() == "in\n"
    with pytest.raises(UserError, match="another command"), sole_user(tmp_path):
        pass
    first.send_signal(signal.SIGKILL)
    with sole_user(tmp_path, patience=30.0):
        pass
    first.wait()
