"""Paired differences: intervals that cover, common episodes, the probability of being best."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.agents.heuristics import SCORES, fill_by
from bundlegym.evaluation import play
from bundlegym.evaluation.paired import GAIN, against_the_best, best, difference, rank_correlations


def made(rng: np.random.Generator, luck: np.ndarray, mean: float) -> np.ndarray:
    """(N, 2) gains and visits of episodes that share their luck (N,)."""
    return np.stack([8 * mean + luck + rng.normal(0, 0.5, len(luck)), np.full(len(luck), 8.0)], 1)


def test_intervals_cover_the_truth_and_shared_luck_narrows_them():
    rng, covered, widths = np.random.default_rng(0), 0, []
    for _ in range(400):
        luck = rng.normal(0, 5, 200)
        gap = difference([made(rng, luck, 0.3)], [made(rng, luck, 0.2)])
        covered += gap["low"] <= 0.1 <= gap["high"]
        widths.append(gap["high"] - gap["low"])
    assert 0.92 < covered / 400 < 0.98
    other = difference([made(rng, luck, 0.3)], [made(rng, rng.normal(0, 5, 200), 0.2)])
    assert other["high"] - other["low"] > 5 * np.mean(widths)


def test_seeds_widen_the_interval():
    rng, luck = np.random.default_rng(0), np.zeros(200)
    rival = [made(rng, luck, 0.2)]
    one = difference([made(rng, luck, 0.3)], rival)
    two = difference([made(rng, luck, 0.1), made(rng, luck, 0.5)], rival)
    assert two["high"] - two["low"] > 20 * (one["high"] - one["low"])


def test_an_episode_is_the_same_however_many_are_played_beside_it(make_core):
    """What lets a policy that plays fewer episodes be paired with one that plays more."""
    policy = fill_by(SCORES["most_bought"], 3)
    many, few = (play(make_core(n=n), policy, 1)[GAIN] for n in (48, 16))
    np.testing.assert_array_equal(many[:16], few)
    assert difference([many], [few]) == {"mean": 0.0, "low": 0.0, "high": 0.0, "episodes": 16}


def test_the_probability_of_being_best():
    rng, luck = np.random.default_rng(0), np.random.default_rng(1).normal(0, 5, 400)
    clear = best({"a": [made(rng, luck, 0.5)], "b": [made(rng, luck, 0.2)]})
    assert clear["a"] > 0.999 and sum(clear.values()) == pytest.approx(1)
    same = made(rng, luck, 0.2)
    assert best({"a": [same], "b": [same]}) == {"a": 0.5, "b": 0.5}
    few = best({"a": [made(rng, luck, 0.2)], "b": [made(rng, luck, 0.2)]})
    assert 0.001 < few["a"] < 0.999


def test_each_is_compared_with_the_best_other_that_could_be_deployed():
    rng, luck = np.random.default_rng(0), np.zeros(100)
    means = {"good": 0.3, "better": 0.5, "oracle": 0.9}
    gains = {name: [made(rng, luck, mean)] for name, mean in means.items()}
    rows = [
        {"policy": name, "kind": "oracle" if name == "oracle" else "heuristic", "user_model": "choice",
         "offer_exposure": 0.0, GAIN: {"mean": mean}}
        for name, mean in means.items()
    ]  # fmt: skip
    found = {entry["policy"]: entry for entry in against_the_best(rows, gains)}
    assert found.keys() == {"good", "better"}
    assert found["good"]["rival"] == "better" and found["better"]["rival"] == "good"
    assert found["good"]["difference"]["high"] < 0 < found["better"]["difference"]["low"]


def test_rank_correlations_are_of_deployable_policies():
    def table(*means: float) -> list[dict]:
        names = ("a", "b", "c")
        rows = [
            {"policy": n, "kind": "heuristic", GAIN: {"mean": m}} for n, m in zip(names, means, strict=True)
        ]
        return [*rows, {"policy": "oracle", "kind": "oracle", GAIN: {"mean": 9.0}}]

    found = rank_correlations({"x": table(1, 2, 3), "y": table(3, 2, 1), "z": table(0, 0, 0)})
    by = {tuple(one["between"]): one for one in found}
    assert by["x", "y"]["spearman"] == pytest.approx(-1) and by["x", "y"]["policies"] == 3
    assert by["x", "z"]["spearman"] is None
