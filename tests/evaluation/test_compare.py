"""A league table of runs: what may be compared, what is paired, and what a build fails on."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation.compare import compare
from bundlegym.evaluation.episodes import read_episodes
from bundlegym.evaluation.league import EVERY, comparable, leagues, read_runs
from bundlegym.evaluation.pairing import Scored, best_chances, difference, scored
from bundlegym.evaluation.rollout import estimate
from tests.sealing import edit_sealed


@pytest.fixture(scope="session")
def run(finished_run: Path) -> Path:
    return finished_run


def other_run(run: Path, folder: Path, **ground) -> Path:
    """A copy in which the agents earn a unit more in each visit, and the ground may differ."""
    shutil.copytree(run, folder)
    known, table = read_episodes(run)
    learned = table["kind"] == "learned"
    table.loc[learned, "incremental_margin"] += table.loc[learned, "visits"]
    changed = pq.read_table(run / "episodes.parquet").schema.metadata
    frame = pq.read_table(run / "episodes.parquet").from_pandas(table, preserve_index=False)
    content = json.dumps(asdict(replace(known, **ground)))
    pq.write_table(frame.replace_schema_metadata({next(iter(changed)): content}), folder / "episodes.parquet")
    edit_sealed(folder / "results.json")
    return folder


@pytest.fixture
def better(run, tmp_path):
    return other_run(run, tmp_path / "better")


def call(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bundlegym compare", *map(str, arguments)])
    compare()


def test_kept_episodes_are_those_of_the_table(run):
    _, table = read_episodes(run)
    results = json.loads((run / "results.json").read_text())
    for row in results["rows"] + results["judges"]:
        if row["kind"] == "oracle" and row["user_model"] == "choice":
            continue  # the planner's own row once more
        mine = table[
            (table["policy"] == row["policy"])
            & (table["user_model"] == row["user_model"])
            & (table["offer_exposure"] == row["offer_exposure"])
        ]
        (one,) = scored(mine)
        for end, value in row["incremental_margin_per_visit"].items():
            assert one.gain[end] == pytest.approx(value, abs=1e-5)
        assert one.episodes == row["episodes"]


def test_a_policy_that_did_the_same_everywhere_stands_there_once(run, better):
    runs = read_runs([run, better])
    names, notes = comparable(runs)
    assert len(names) == 3 and not notes
    for table in leagues(runs, names):
        rows = table["rows"]
        assert {row["run"] for row in rows if row["policy"] == "most_bought"} == {EVERY}
        agents = [row for row in rows if row["policy"] == "ppo"]
        assert [row["run"] for row in agents] == ["better", "small"]
        gap = np.diff([row["incremental_margin_per_visit"]["mean"] for row in agents])
        assert gap == pytest.approx(-1, abs=1e-4)
        assert sum(row["chance_best"] or 0 for row in rows) == pytest.approx(1)


@pytest.mark.parametrize(
    ("ground", "words"),
    [
        ({"log": "another"}, "differ in the log"),
        ({"visits": 9}, "number of visits"),
        ({"bundle_pull": 1.0}, "pull"),
    ],
)
def test_runs_on_other_ground_are_refused_with_the_reason(run, tmp_path, ground, words):
    with pytest.raises(UserError, match=words):
        comparable(read_runs([run, other_run(run, tmp_path / "other", **ground)]))


def test_a_judge_fitted_otherwise_is_left_out_and_said(run, tmp_path):
    known, _ = read_episodes(run)
    models = known.user_models | {"choice, judge": "otherwise"}
    names, notes = comparable(read_runs([run, other_run(run, tmp_path / "other", user_models=models)]))
    assert "choice, judge" not in names and "lookalike, judge" in names
    assert "fitted it differently" in notes[0]
    unknown = dict.fromkeys(known.user_models, "otherwise")
    with pytest.raises(UserError, match="no user model judged all"):
        comparable(read_runs([run, other_run(run, tmp_path / "none", user_models=unknown)]))


def test_the_command_prints_writes_and_fails_where_it_should(run, better, tmp_path, monkeypatch, capsys):
    files = "--csv", tmp_path / "t.csv", "--json", tmp_path / "t.json"
    call(monkeypatch, run, better, *files)
    shown = capsys.readouterr().out
    assert "== choice, judge; Offer exposure 1" in shown and "every run" in shown
    table = pd.read_csv(tmp_path / "t.csv")
    assert {"run", "policy", "chance_best", "less_than_best_low"} <= set(table.columns)
    assert (
        len(json.loads((tmp_path / "t.json").read_text())["tables"])
        == table.groupby(["user_model", "offer_exposure"]).ngroups
    )
    call(monkeypatch, better, "--fail-below", 0.5)
    with pytest.raises(SystemExit) as exit:
        call(monkeypatch, run, better, "--judge", "choice", "--exposure", 0, "--fail-below", 0.5)
    assert exit.value.code == 1
    short = capsys.readouterr().err.splitlines()
    assert len(short) == 1 and short[0].startswith("small: its best agent earns")


def test_a_runs_name_is_no_formula_in_a_spreadsheet(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "=1+1")
    call(monkeypatch, tmp_path / "=1+1", "--csv", tmp_path / "t.csv")
    assert set(pd.read_csv(tmp_path / "t.csv")["run"]) == {"'=1+1"}


def test_a_run_without_episodes_says_what_to_do(run, tmp_path):
    shutil.copytree(run, tmp_path / "old")
    (tmp_path / "old" / "episodes.parquet").unlink()
    with pytest.raises(UserError, match="episodes.parquet"):
        read_runs([tmp_path / "old"])
    (tmp_path / "old" / "episodes.parquet").write_bytes(b"no table")
    with pytest.raises(UserError, match="damaged"):
        read_runs([tmp_path / "old"])


def policy(name: str, gains: np.ndarray) -> Scored:
    """Gains (S, N) of episodes of one visit."""
    return Scored(name, "learned", np.stack([gains, np.ones_like(gains)], -1))


def test_what_is_common_cancels_in_a_difference():
    luck = np.random.default_rng(0).normal(0, 10, (1, 400))
    one, other = policy("a", luck + 0.1), policy("b", luck)
    assert difference(one, other) == pytest.approx({"mean": 0.1, "low": 0.1, "high": 0.1})
    assert one.gain["high"] - one.gain["low"] > 1
    assert best_chances([one, other]) == pytest.approx([1, 0], abs=1e-6)


def test_the_shorter_one_is_paired_on_its_own_episodes():
    luck = np.random.default_rng(0).normal(0, 10, (1, 400))
    assert difference(policy("a", luck[:, :50] + 0.1), policy("b", luck))["mean"] == pytest.approx(0.1)


def test_intervals_hold_the_true_difference_as_often_as_they_say():
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        luck = rng.normal(0, 3, (1, 200))
        found = difference(policy("a", luck + rng.normal(0.2, 1, (1, 200))), policy("b", luck))
        hits += found["low"] <= 0.2 <= found["high"]
    assert 0.92 <= hits / 400 <= 0.98


def test_seeds_widen_the_interval():
    rng = np.random.default_rng(2)
    gains = rng.normal(0, 1, (3, 500))
    apart = policy("a", gains + np.array([[-1.0], [0.0], [1.0]]))
    calm = policy("b", np.zeros((1, 500)))
    assert difference(apart, calm)["high"] - difference(apart, calm)["low"] > 1.0


def test_equal_policies_share_the_chance_of_being_best():
    nothing = np.zeros((1, 50))
    assert best_chances([policy("a", nothing), policy("b", nothing)]) == [0.5, 0.5]
    worse = best_chances([policy("a", nothing), policy("b", nothing - 1), policy("c", nothing)])
    assert worse == [0.5, 0.0, 0.5]


def test_an_episode_is_the_same_whatever_their_number(run):
    """Rows of the planner, which plays fewer, are paired with the first of the others."""
    _, table = read_episodes(run)
    few = table[table["kind"] == "planner"]
    many = table[(table["policy"] == "offer_nothing") & table["episode"].isin(few["episode"])]
    assert few["visits"].sum() == many["visits"].sum()


def test_estimate_agrees_with_the_formula_of_a_ratio():
    rng = np.random.default_rng(3)
    sums = np.stack([rng.normal(1, 1, 300), rng.integers(1, 9, 300)], -1)
    one = Scored("a", "learned", sums[None])
    play = dict.fromkeys(
        ("acceptance_rate", "cherry_pick_rate", "size", "discount", "revenue_per_visit", "margin_per_visit",
         "incremental_margin_per_visit", "incremental_list_value_per_visit"), sums,
    )  # fmt: skip
    assert one.gain == pytest.approx(estimate([play])["incremental_margin_per_visit"])
