"""`benchmarks/environments.py`: the rows of a table are in the order that headroom has."""

from __future__ import annotations

from benchmarks.environments import in_words, rows


def test_the_table_of_the_shop_in_which_planning_pays():
    found = {row["policy"].split(" (")[0]: row for row in rows("bundlegym/Planning-v0", 48, 64, 2)}
    assert list(found) == [
        "nothing", "best rule", "planner", "every other visit", "myopic optimum", "optimum", "bound",
    ]  # fmt: skip
    mean = {name: row["mean"] for name, row in found.items()}
    assert mean["nothing"] == 0 < mean["planner"] < mean["every other visit"] < mean["optimum"]
    assert found["every other visit"]["less_planner"]["low"] > 0
    gap = found["bound"]["gap"]["mean"]
    assert 0 < gap < 0.1 * mean["bound"]
    assert in_words(found["bound"]).endswith(f"| {found['bound']['cpu_seconds']:.1f} |")
