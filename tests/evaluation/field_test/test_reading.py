"""Reading a field experiment back, and the command lines around it."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pandas as pd
import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation.field_test import command
from bundlegym.evaluation.field_test.design import Design
from bundlegym.evaluation.field_test.outcomes import date_of
from bundlegym.evaluation.field_test.plan import assignment
from bundlegym.evaluation.field_test.reading import as_text, read

START, WEEKS = 18 * 7, 8


@pytest.fixture
def arms(dataset, tmp_path):
    path = tmp_path / "arms.csv"
    assignment(dataset, Design(), seed=1).to_csv(path, index=False)
    return path


def with_gain(dataset, arms, gain: float):
    """The log, in which each line of those offered costs more from the start of the test on."""
    offered = set(pd.read_csv(arms).query("arm == 'offers'")["shopper"])
    visit = dataset.purchases["visit"].to_numpy()
    shopper = dataset.shoppers["shopper"].to_numpy()[dataset.visits["shopper"].to_numpy()]
    there = np.isin(shopper, list(offered)) & (dataset.visits["day"].to_numpy() >= START)
    price = dataset.purchases["price_paid"] + gain * there[visit]
    return dataclasses.replace(dataset, purchases=dataset.purchases.assign(price_paid=price))


def test_a_planted_gain_is_read_back(dataset, arms):
    nothing = read(dataset, arms, START, WEEKS)
    assert nothing["adjusted"]["low"] < 0 < nothing["adjusted"]["high"]
    changed = with_gain(dataset, arms, 0.5)
    content = read(changed, arms, START, WEEKS)
    lines = dataset.purchases.join(dataset.visits[["shopper", "day"]], on="visit").query("day >= @START")
    names = dataset.shoppers["shopper"].to_numpy()[lines["shopper"]]
    offered = pd.read_csv(arms).query("arm == 'offers'")["shopper"]
    truth = 0.5 * lines["quantity"][np.isin(names, offered)].sum() / WEEKS / len(offered)
    assert content["plain"]["mean"] - nothing["plain"]["mean"] == pytest.approx(truth)
    assert content["adjusted"]["low"] > 0
    assert content["adjusted"]["error"] < content["plain"]["error"]
    assert content["before"] == nothing["before"]
    assert "The offers earn more than no offers." in as_text(content)
    assert json.loads(json.dumps(content)) == content


def test_a_lopsided_file_is_told(dataset, arms):
    table = pd.read_csv(arms)
    table[~((table["arm"] == "control") & (table["shopper"] % 2 == 0))].to_csv(arms, index=False)
    assert "MISMATCH" in as_text(read(dataset, arms, START, WEEKS))
    table.to_csv(arms, index=False)
    assert "MISMATCH" not in as_text(read(dataset, arms, START, WEEKS))


def test_households_who_stay_away_count_as_nothing(dataset, arms):
    table = pd.read_csv(arms, dtype=str)
    more = pd.DataFrame({"shopper": ["new1", "new2"], "arm": ["offers", "control"]})
    pd.concat([table, more]).to_csv(arms, index=False)
    content = read(dataset, arms, START, WEEKS)
    assert content["not_in_log"] == 2
    assert sum(content["households"].values()) == len(table) + 2


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["shopper,group", "1,offers"], "no column 'arm'"),
        (["shopper,arm", "1,offers", "2,treatment"], "must hold 'offers' and 'control'"),
        (["shopper,arm", "1,offers", "1,control"], "more than once"),
        (["shopper,arm", "x,offers", "y,control"], "none of its shoppers"),
        (["shopper,arm"], "no rows"),
    ],
)
def test_wrong_files_are_one_sentence(dataset, tmp_path, lines, match):
    path = tmp_path / "arms.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=match):
        read(dataset, path, START, WEEKS)


def test_a_test_outside_the_log_is_refused(dataset, arms):
    with pytest.raises(UserError, match="give fewer --weeks"):
        read(dataset, arms, START, 20)
    with pytest.raises(UserError, match="no whole week before"):
        read(dataset, arms, 3, 2)


def call(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["bundlegym experiment", *arguments])
    command.experiment()


def test_the_commands_go_round(dataset, tmp_path, monkeypatch, capsys):
    log = ("--log", "synthetic", "--cache-dir", str(tmp_path / "cache"))
    arms, figures = tmp_path / "arms.csv", tmp_path / "plan.json"
    call(monkeypatch, "plan", *log, "--effect", "0.05", "--splits", "100", "--assignment", str(arms),
         "--json", str(figures))  # fmt: skip
    told = capsys.readouterr().out
    assert "too small a shop" in told and "simple random draw with seed 0" in told
    assert json.loads(figures.read_text())["expected"][0]["mean"] == 0.05
    call(monkeypatch, "read", str(arms), *log, "--start", date_of(dataset, START), "--weeks", "8")
    assert "gain, adjusted" in capsys.readouterr().out


def test_a_run_is_planned_from_its_results(tmp_path, monkeypatch, capsys):
    from bundlegym.data import DataConfig
    from bundlegym.data.sealed import write_sealed_json
    from bundlegym.evaluation.config import TrainConfig, to_json

    cache = tmp_path / "cache"
    config = TrainConfig(name="r", runs=tmp_path, data=DataConfig(log="synthetic", cache_dir=cache))
    gain = {"mean": 0.05, "low": 0.04, "high": 0.06}
    row = {"policy": "ppo", "kind": "learned", "user_model": "choice, judge", "offer_exposure": 1.0,
           "incremental_margin_per_visit": gain}  # fmt: skip
    config.folder.mkdir()
    write_sealed_json(config.folder / "config.json", to_json(config))
    write_sealed_json(config.folder / "results.json", {"rows": [], "judges": [row]})
    call(monkeypatch, "plan", str(config.folder), "--cache-dir", str(cache), "--splits", "50")
    told = capsys.readouterr().out
    assert "Expected gain: +0.0500 [+0.0400, +0.0600] a visit (ppo, by choice, judge)" in told
    with pytest.raises(UserError, match="a log of its own"):
        call(monkeypatch, "plan", str(config.folder), "--log", "synthetic")
    with pytest.raises(UserError, match="give the folder of a run"):
        call(monkeypatch, "plan")
    with pytest.raises(UserError, match="unknown word 'foo'"):
        call(monkeypatch, "foo")
