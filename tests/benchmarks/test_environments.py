"""`benchmarks/environments.py`: the rows of a table are in the order that headroom has, and hold an agent."""

from __future__ import annotations

import dataclasses

from tests.benchmarks.test_bundles import script

environments = script("environments")
PLANNING = "bundlegym/Planning-v0"


def test_the_table_of_the_shop_in_which_planning_pays(monkeypatch):
    few = dataclasses.replace(environments.LEARNERS[PLANNING][0], steps=8192, imitate=16)
    monkeypatch.setitem(environments.LEARNERS, PLANNING, (few,))
    found = {row["policy"].split(" (")[0]: row for row in environments.rows(PLANNING, 48, 64, 2, 2)}
    assert list(found) == [
        "nothing", "best rule", "planner", "every other visit", "myopic optimum", "optimum", "bound", "ppo",
    ]  # fmt: skip
    mean = {name: row["mean"] for name, row in found.items()}
    assert mean["nothing"] == 0 < mean["planner"] < mean["every other visit"] < mean["optimum"]
    assert found["every other visit"]["less_planner"]["low"] > 0
    gap = found["bound"]["gap"]["mean"]
    assert 0 < gap < 0.1 * mean["bound"]
    assert environments.in_words(found["bound"]).endswith(f" | {found['bound']['wall_seconds']:.1f} |")
    share = found["ppo"]["of_optimum"]
    assert share["low"] < found["ppo"]["mean"] / mean["optimum"] < share["high"]
    assert "ppo, 2 seeds" in environments.in_words(found["ppo"])
    assert "of the optimum" in environments.in_words(found["ppo"])
