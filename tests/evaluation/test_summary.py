"""The sentence at the end of the tables of an assumption."""

from __future__ import annotations

from typing import Any

import pytest

from bundlegym.evaluation.summary import verdict


def row(policy: str, low: float, user_model: str = "choice, judge", kind: str = "learned") -> dict[str, Any]:
    gain = {"mean": low + 0.01, "low": low, "high": low + 0.02}
    return {
        "policy": policy, "kind": kind, "user_model": user_model, "incremental_margin_per_visit": gain,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row("ppo", 0.1), row("dqn", -0.1)], "by every judge: ppo."),
        ([row("ppo", 0.1), row("ppo", -0.1, "lookalike, judge")], "Nothing pays"),
        ([row("ppo", -0.1), row("ppo", 0.1, "choice")], "Nothing pays"),
        ([row("ppo", -0.1), row("oracle", 0.1, kind="oracle")], "Nothing pays"),
        ([row("ppo", 0.1, "choice")], "no judge was asked: ppo."),
        ([row("ppo", 0.1), row("planner", 0.2, kind="planner")], "by every judge: planner, ppo."),
    ],
)
def test_what_pays_is_what_every_judge_says_pays(rows, words):
    assert words in verdict(rows)
