"""Judging: intervals, the zero row, seeds, the table."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bundlegym.agents.heuristics import SCORES, fill_by, offer_nothing
from bundlegym.envs import METRICS, BundleCore, EnvConfig
from bundlegym.evaluation import estimate, format_table, play
from bundlegym.evaluation.rollout import AT_HIGHER_MARGINS, AT_LOWER_MARGINS
from bundlegym.evaluation.table import format_report


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


def test_gains_at_other_margins_are_those_of_a_simulation_with_other_costs(dataset, user_model, market):
    """From the same episodes, and as if costs had been five points of the list price higher or lower."""

    def row(points: float):
        costs = market.unit_cost - points * market.list_price
        core = BundleCore(
            dataclasses.replace(market, unit_cost=costs), user_model, EnvConfig(), n=64,
            shoppers=np.arange(dataset.n_shoppers), weeks=dataset.split.test_weeks,
        )  # fmt: skip
        return estimate([play(core, fill_by(SCORES["most_bought"], 3), 1)])

    told, gain = row(0.0), "incremental_margin_per_visit"
    for name, points in ((AT_LOWER_MARGINS, -0.05), (AT_HIGHER_MARGINS, 0.05)):
        expected = row(points)[gain]
        assert told[name] == {key: pytest.approx(value, abs=1e-5) for key, value in expected.items()}
        by_hand = told[gain]["mean"] + points * told["incremental_list_value_per_visit"]["mean"]
        assert told[name]["mean"] == pytest.approx(by_hand, abs=1e-9)
    assert told[AT_LOWER_MARGINS] != told[AT_HIGHER_MARGINS]


def test_table_shows_gains_at_other_margins_and_reads_runs_that_lack_them(make_core):
    figures = estimate([play(make_core(n=32), fill_by(SCORES["most_bought"], 3), 1)])
    row = {"policy": "greedy_session-bundles", "kind": "heuristic", **figures}
    head, line = format_table([row]).splitlines()
    assert "at -5 pts" in head and "at +5 pts" in head and len(line) <= len(head) <= 150
    for name in (AT_LOWER_MARGINS, AT_HIGHER_MARGINS):
        assert f"{figures[name]['mean']:+.4f}" in line
    old = {name: value for name, value in row.items() if "margins" not in name}
    assert len(format_table([old]).splitlines()) == 2


def test_report_in_words_tells_weighed_items_and_errors():
    report = {
        "cleaning": {"lines_before": 10, "lines_after": 9, "dropped": []},
        "lines_outside_catalogue": 2,
        "assumptions": {"unit_cost": "a share", "table shoppers": "people.csv: 3 rows"},
        "weighed_items": {
            "items": 2,
            "share_of_lines": 0.25,
            "most_bought": ["Plums (item 7)", "Pears (item 8)"],
        },
        "errors": [{"name": "margin_share", "sentence": "one item is far off"}],
    }
    text = format_report(report)
    assert "2 items with 25% of the lines, most of all Plums (item 7); Pears (item 8)" in text
    assert "assumed, unit_cost: a share\ntable shoppers: people.csv: 3 rows" in text
    assert text.splitlines()[-1] == "ERROR, margin_share: one item is far off"


def test_table_has_the_best_row_first(make_core):
    rows = [
        {"policy": name, "kind": "heuristic", "episodes": 32, **estimate([play(make_core(n=32), policy, 1)])}
        for name, policy in (("nothing", offer_nothing), ("bought", fill_by(SCORES["most_bought"], 4)))
    ]
    lines = format_table(rows).splitlines()
    gains = {row["policy"]: row["incremental_margin_per_visit"]["mean"] for row in rows}
    assert lines[1].split()[0] == max(gains, key=gains.get)  # type: ignore[arg-type]
