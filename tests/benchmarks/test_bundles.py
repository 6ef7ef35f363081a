"""The benchmarks of bundles: small folders in the real formats, and what wrong ones are told."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bundlegym.errors import UserError

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def script(name: str) -> ModuleType:
    """The module that a benchmark's file makes, which is no part of a package."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def youshu_folder(tmp_path: Path) -> Path:
    """30 shoppers, 25 bundles, 12 parts. All bought bundle 24; all test pairs are of bundle 23."""
    rng = np.random.default_rng(0)
    train = [(s, b) for s in range(30) for b in (24, *rng.permutation(22)[:2])] + [(0, 23), (1, 23)]
    tables: dict[str, list[tuple]] = {
        "Youshu_data_size": [(30, 25, 12)],
        "user_bundle_train": train,
        "user_bundle_tune": [(s, 22) for s in range(30)],
        "user_bundle_test": [(s, 23) for s in range(2, 30)],
        "user_item": [(s, s % 12) for s in range(30)],
        "bundle_item": [(b, b % 12) for b in range(25)],
    }
    for name, rows in tables.items():
        text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_youshu_leaves_training_bundles_out_and_keeps_what_is_done(youshu_folder: Path, capsys) -> None:
    youshu, out = script("youshu"), youshu_folder / "rows.json"
    config = youshu.Config(youshu_folder, output=out, models=("popularity",))
    youshu.main(config)
    rows, printed = json.loads(out.read_text(encoding="utf-8"))["rows"], capsys.readouterr().out
    assert [(row["model"], row["kind"], row["seeds"]) for row in rows] == [("popularity", "single", 1)]
    # 25 bundles less the three of each shopper leave 22, and bundle 23 is among the 20 most popular of them.
    assert rows[0]["recall@20"] == 1.0 and rows[0]["recall@20_std"] == 0.0
    assert 0 < rows[0]["ndcg@20"] < 1.0
    youshu.main(config)
    assert json.loads(out.read_text(encoding="utf-8"))["rows"] == rows
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("name", ["youshu", "dicl"])
def test_a_folder_without_the_data_is_named(name: str, tmp_path: Path) -> None:
    module = script(name)
    with pytest.raises(UserError, match=f"--data: {tmp_path}.* is missing"):
        module.main(module.Config(tmp_path))


def test_a_file_of_another_format_is_named(youshu_folder: Path) -> None:
    (youshu_folder / "user_item.txt").write_text("user,item\n0,1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"user_item.txt: .*must be whole numbers between tabs"):
        script("youshu").load(youshu_folder)


def test_dicl_reads_sessions_by_their_split(tmp_path: Path) -> None:
    sessions = {
        "session_items": {"1": ["x", "y"], "2": ["y", "z", "x"], "3": ["z", "x"]},
        "session_bundles": {k: [{"intent": "", "items": ["x", "y"]}] for k in "123"},
        "train_sessions": [2],
        "test_sessions": [1],
    }
    (tmp_path / "sessions.json").write_text(json.dumps(sessions), encoding="utf-8")
    titles = {"z": "Sony camera", "x": "Camera bag", "y": "Dog food"}
    (tmp_path / "item_titles.json").write_text(json.dumps(titles), encoding="utf-8")
    dicl = script("dicl")
    data = dicl.load(tmp_path)
    assert [s.items for s in data.train] == [(2, 0, 1)]
    assert [s.items for s in data.test] == [(1, 2)]
    assert [s.items for s in data.validation] == [(0, 1)]
    assert data.train[0].bundles == (frozenset({1, 2}),)
    # One word of three in common.
    find = dicl.title_overlap(data.titles)
    assert find((0, 1, 2), 0.3) == [frozenset({0, 1})] and find((0, 1, 2), 0.4) == []
