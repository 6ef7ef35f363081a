"""A run goes on, and is shown, only with the log that it was made of."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from bundlegym.__main__ import main
from bundlegym.evaluation.experiment import Experiment

Edit = Callable[[pd.DataFrame], pd.DataFrame]
EDITS: dict[str, Edit] = {
    "a price": lambda log: log.assign(price_paid=log["price_paid"].where(log.index != 7, 0.37)),
    "a line less": lambda log: log.drop(index=100),
    "all dates": lambda log: log.assign(time=pd.to_datetime(log["time"]) + pd.Timedelta(days=7)),
}


@pytest.fixture
def shop(finished_run: Path) -> Iterator[Path]:
    """The log of the finished run, as it was again at the end."""
    log = finished_run.parents[1] / "shop.csv"
    kept = shutil.copy2(log, log.with_suffix(".kept"))
    yield log
    shutil.move(kept, log)


@pytest.mark.parametrize("edit", EDITS)
def test_each_command_notices_that_the_log_has_changed(edit, shop, finished_run, monkeypatch, capsys):
    EDITS[edit](pd.read_csv(shop)).to_csv(shop, index=False)
    before = {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()}
    for line in (
        f"evaluate {finished_run}", f"train --resume {finished_run}", f"recommend {finished_run}",
        f"report {finished_run}",
    ):  # fmt: skip
        arguments = ["--cache-dir", str(finished_run.parents[1] / "cache")]
        monkeypatch.setattr(sys, "argv", ["bundlegym", *line.split(), *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        (told,) = [told for told in capsys.readouterr().err.splitlines() if told.startswith("error: ")]
        assert end.value.code == 2 and "shop.csv: this log" in told and "another --name" in told
    assert before == {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()}


def test_the_same_content_written_anew_is_the_same_log(shop, finished_run):
    pd.read_csv(shop).to_csv(shop, index=False)
    assert Experiment.open(finished_run, cache_dir=finished_run.parents[1] / "cache")
