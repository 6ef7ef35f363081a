"""What benchmarks of recommenders share, and their scripts on a small log."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation.benchmark import Row, Task, chosen, over_seeds, run, tune
from bundlegym.recommenders.testing import small_log
from tests.commands import command

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
HISTORY = {"a": [[-1], [0, 1], [2], [-1]], "b": [[-1], [1], [1, 2], [-1]], "c": [[-1], [3], [0], [-1]]}
FUTURE = {"a": [[-1], [0], [-1]], "b": [[-1], [1], [-1]], "c": [[-1], [3], [-1]]}


@pytest.fixture(scope="module")
def task() -> Task:
    history, last = small_log().split_last_visit()
    shoppers = np.flatnonzero(np.diff(last.indptr))
    return Task(history, shoppers, last[shoppers])


def test_seeds_give_means_and_spread(task: Task) -> None:
    line = over_seeds(Row("mf", "bpr", parameters={"factors": 4, "iterations": 3}), task, seeds=3)
    assert line["seeds"] == 3 and line["kind"] == "single" and line["recall@10_std"] > 0
    assert 0 < line["recall@10"] < 1 and line["parameters"] == {"factors": 4, "iterations": 3}


def test_a_model_without_chance_is_fitted_once(task: Task) -> None:
    line = over_seeds(Row("popularity", "popularity"), task, seeds=3)
    assert line["seeds"] == 1 and line["ndcg@10_std"] == 0


def test_tuning_visits_the_whole_grid(task: Task) -> None:
    row = Row("knn", "item-knn", grid={"neighbours": (2, 5), "weighting": ("cosine", "bm25")})
    found = list(tune(row, task))
    assert [point for point, _ in found][1] == {"neighbours": 2, "weighting": "bm25"}
    assert len({measures["ndcg"] for _, measures in found}) > 1


def test_lines_are_printed_and_written(task: Task, tmp_path: Path) -> None:
    printed: list[str] = []
    rows = [Row("popularity", "popularity")]
    lines = run(rows, task, 2, tmp_path / "rows.json", printed.append, data="small")
    assert printed[1].startswith("popularity") and f"{lines[0]['recall@10']:.4f}" in printed[1]
    written = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert written["data"] == "small" and written["rows"] == lines


def test_unknown_rows_are_named() -> None:
    with pytest.raises(UserError, match="--models: unknown none; known are one"):
        chosen([Row("one", "popularity")], ["none"])


def tafeng() -> None:
    runpy.run_path(str(BENCHMARKS / "tafeng.py"), run_name="__main__")


def test_tafeng_reads_its_files_and_writes_rows(tmp_path: Path) -> None:
    (tmp_path / "tafeng_history.json").write_text(json.dumps(HISTORY), encoding="utf-8")
    (tmp_path / "tafeng_future.json").write_text(json.dumps(FUTURE), encoding="utf-8")
    keys = {"item_num": 12, "train": list("abc"), "val": ["a"], "test": ["b", "c"]}
    (tmp_path / "tafeng_keyset.json").write_text(json.dumps(keys), encoding="utf-8")
    out = tmp_path / "rows.json"
    models = ["--models", "frequency", "up-cf"]
    done = command(tafeng, "--data", str(tmp_path), "--json", str(out), *models, cwd=tmp_path)
    assert done.code == 0, done.err
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert [row["model"] for row in rows] == ["frequency", "up-cf"]
    assert rows[0]["recall@10"] == 1 and rows[0]["kind"] == "single"


def test_tafeng_names_the_file_that_is_missing(tmp_path: Path) -> None:
    found = command(tafeng, "--data", str(tmp_path), cwd=tmp_path)
    assert found.code == 2 and "tafeng_history.json is missing" in found.err
