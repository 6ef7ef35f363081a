"""A run goes on, and is shown, only with the log that it was made of."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bundlegym.__main__ import main
from bundlegym.evaluation.experiment import Experiment
from tests.sealing import edit_sealed

Edit = Callable[[pd.DataFrame], pd.DataFrame]
EDITS: dict[str, Edit] = {
    "a price": lambda log: log.assign(price_paid=log["price_paid"].where(log.index != 7, 0.37)),
    "a line less": lambda log: log.drop(index=100),
    "all dates": lambda log: log.assign(time=pd.to_datetime(log["time"]) + pd.Timedelta(days=7)),
}


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, whose log lies beside it."""
    shutil.copytree(finished_run, tmp_path / "run")
    shutil.copy(finished_run.parents[1] / "shop.csv", tmp_path)
    data = json.loads((finished_run / "config.json").read_text(encoding="utf-8"))["data"]
    edit_sealed(tmp_path / "run" / "config.json", data=data | {"log": str(tmp_path / "shop.csv")})
    return tmp_path / "run"


@pytest.mark.parametrize("edit", EDITS)
def test_each_command_notices_that_the_log_has_changed(edit, run, monkeypatch, capsys):
    log, cache = run.with_name("shop.csv"), run.with_name("cache")
    EDITS[edit](pd.read_csv(log)).to_csv(log, index=False)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for line in (f"evaluate {run}", f"train --resume {run}", f"recommend {run}", f"report {run}"):
        monkeypatch.setattr(sys, "argv", ["bundlegym", *line.split(), "--cache-dir", str(cache)])
        with pytest.raises(SystemExit) as end:
            main()
        (told,) = [told for told in capsys.readouterr().err.splitlines() if told.startswith("error: ")]
        assert end.value.code == 2 and "shop.csv: this log" in told and "another --name" in told
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_the_same_content_written_anew_is_the_same_log(run):
    log = run.with_name("shop.csv")
    pd.read_csv(log).to_csv(log, index=False)
    assert Experiment.open(run, cache_dir=run.with_name("cache"))
