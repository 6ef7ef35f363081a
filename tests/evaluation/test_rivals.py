"""Against the best rival, on common episodes; the orders of judges."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.agents.heuristics import SCORES, fill_by
from bundlegym.envs.base import GAIN
from bundlegym.evaluation import play
from bundlegym.evaluation.pairing import Scored
from bundlegym.evaluation.rivals import against_the_best, rank_correlations


def made(policy: str, mean: float, episodes: int, kind: str = "heuristic") -> Scored:
    """A policy's episodes of eight visits, whose luck all policies share."""
    luck = np.random.default_rng(0).normal(0, 5, 400)[:episodes]
    own = np.random.default_rng(len(policy)).normal(0, 0.5, episodes)
    return Scored(policy, kind, np.stack([8 * mean + luck + own, np.full(episodes, 8.0)], 1)[None])


def test_each_is_compared_with_the_best_other_that_could_be_deployed():
    policies = [made("good", 0.3, 400), made("better", 0.5, 100), made("oracle", 0.9, 400, "oracle")]
    found = {entry["policy"]: entry for entry in against_the_best(policies)}
    assert found.keys() == {"good", "better"}
    assert found["good"]["rival"] == "better" and found["better"]["rival"] == "good"
    assert found["good"]["episodes"] == found["better"]["episodes"] == 100
    assert found["good"]["difference"]["high"] < 0 < found["better"]["difference"]["low"]
    assert found["better"]["probability_best"] > 0.99


def test_one_alone_has_no_rival():
    assert against_the_best([made("good", 0.3, 10), made("oracle", 0.9, 10, "oracle")]) == []
    assert against_the_best([]) == []


def test_an_episode_is_the_same_however_many_are_played_beside_it(make_core):
    """What lets a policy that plays fewer episodes be paired with one that plays more."""
    policy = fill_by(SCORES["most_bought"], 3)
    many, few = (play(make_core(n=n), policy, 1)[GAIN] for n in (48, 16))
    np.testing.assert_array_equal(many[:16], few)


def test_rank_correlations_are_of_policies_that_could_be_deployed():
    def table(*means: float) -> list[dict]:
        pairs = zip(("a", "b", "c"), means, strict=True)
        rows = [{"policy": name, "kind": "heuristic", GAIN: {"mean": mean}} for name, mean in pairs]
        return [*rows, {"policy": "oracle", "kind": "oracle", GAIN: {"mean": 9.0}}]

    found = rank_correlations({"x": table(1, 2, 3), "y": table(3, 2, 1), "z": table(0, 0, 0)})
    by = {tuple(one["between"]): one for one in found}
    assert by["x", "y"]["spearman"] == pytest.approx(-1) and by["x", "y"]["policies"] == 3
    assert by["x", "z"]["spearman"] is None
