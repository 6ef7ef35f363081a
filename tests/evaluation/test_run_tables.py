"""Who plays in which table of a run, and with whom."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bundlegym.evaluation import run_tables
from bundlegym.evaluation.baselines import Contender
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.judging import Judged, judge
from bundlegym.evaluation.run_tables import Turn, take_turn, turns_of_agents, turns_of_rivals
from bundlegym.evaluation.table import read_results


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """Each play: contender, the table's user model, and whether it plans with the very model that reacts."""
    found = []

    def noted(contender: Contender, core, **options) -> Judged:
        planned_with = getattr(contender.policies[0], "user_model", None)
        found.append((contender.kind, options["name"], planned_with is core.user_model))
        return judge(contender, core, **options)

    monkeypatch.setattr(run_tables, "judge", noted)
    return found


def test_each_contender_stands_once_in_each_table(finished_run: Path):
    results = read_results(finished_run)
    rows = [*results["rows"], *results["judges"]]
    tables = Counter((row["user_model"], row["offer_exposure"]) for row in rows)
    assert len(tables) == 6 and len(set(tables.values())) == 1
    names = Counter((row["user_model"], row["offer_exposure"], row["policy"]) for row in rows)
    assert set(names.values()) == {1}


def test_an_oracle_plans_with_the_very_model_that_reacts_and_the_planner_does_by_judges_not(
    finished_run: Path, played
):
    run = Experiment.open(finished_run)
    turns = [turn for turn in turns_of_rivals(run) if turn.who in ("planner", "oracle")]
    for turn in turns:
        take_turn(run, turn, 0)
    assert {same for kind, _, same in played if kind == "oracle"} == {True}
    assert {same for kind, name, same in played if (kind, name) == ("planner", "choice")} == {True}
    assert {same for kind, name, same in played if kind == "planner" and name != "choice"} == {False}


def test_shoppers_who_know_no_assumption_are_played_with_once(finished_run: Path, played):
    run = Experiment.open(finished_run)
    turn = turns_of_agents(run)[0]
    (outcome,) = take_turn(run, turn, 0)
    assert Counter(name for _, name, _ in played) == {
        "choice": 2, "choice, judge": 2, "lookalike, judge": 1
    }  # fmt: skip
    assert outcome["lookalike, judge", 0.0] is outcome["lookalike, judge", 1.0]
    oracles = [turn.tables for turn in turns_of_rivals(run) if turn.who == "oracle"]
    assert (("lookalike, judge", 0.0), ("lookalike, judge", 1.0)) in oracles and len(oracles) == 3


def test_a_turn_is_called_by_where_it_is_played():
    tables = ("choice", 0.0), ("lookalike, judge", 0.0)
    assert str(Turn("planner", 1.0, tables[:1])) == "planner, exposure 1, in choice"
    assert str(Turn("rules", 0.0, tables)) == "rules, exposure 0, in 2 tables"
