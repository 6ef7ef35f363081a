"""Judging: intervals, the zero row, seeds, the table."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.agents.heuristics import SCORES, fill_by, offer_nothing
from bundlegym.envs import METRICS
from bundlegym.evaluation import estimate, format_table, play


def test_offering_nothing_earns_exactly_nothing(make_core):
    row = estimate([play(make_core(n=64), offer_nothing, 1)])
    assert row["incremental_margin_per_visit"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert row["size"]["mean"] is None and row["margin_per_visit"]["mean"] > 0


def test_same_seed_same_row_and_another_differs(make_core):
    policy = fill_by(SCORES["random"], 2)
    one, two, other = (estimate([play(make_core(n=64), policy, seed)]) for seed in (1, 1, 2))
    assert one == two != other


def test_interval_narrows_with_episodes_and_widens_with_seeds():
    rng = np.random.default_rng(0)

    def made(n: int, shift: float) -> dict[str, np.ndarray]:
        sums = np.stack([rng.normal(shift, 1, n), np.ones(n)], 1)
        return {name: sums for name in METRICS}

    def width(plays) -> float:
        row = estimate(plays)["margin_per_visit"]
        return row["high"] - row["low"]

    assert width([made(4000, 0)]) < width([made(100, 0)]) / 4
    assert width([made(4000, 0), made(4000, 5)]) > 10
    one = estimate([made(10_000, 2.0)])["margin_per_visit"]
    assert one["low"] < 2.0 < one["high"] and width([made(10_000, 2.0)]) == pytest.approx(
        2 * 1.96 / 100, rel=0.05
    )


def test_table_has_the_best_row_first(make_core):
    rows = [
        {"policy": name, "kind": "heuristic", "episodes": 32, **estimate([play(make_core(n=32), policy, 1)])}
        for name, policy in (("nothing", offer_nothing), ("bought", fill_by(SCORES["most_bought"], 4)))
    ]
    lines = format_table(rows).splitlines()
    gains = {row["policy"]: row["incremental_margin_per_visit"]["mean"] for row in rows}
    assert lines[1].split()[0] == max(gains, key=gains.get)
