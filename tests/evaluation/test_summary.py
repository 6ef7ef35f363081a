"""The verdict: what survives on the judges, who cannot see it and why, who is at the edge of its range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from bundlegym.agents.heuristics import SCORES, fill_by, offer_nothing
from bundlegym.envs import BundleCore, EnvConfig
from bundlegym.evaluation.baselines import Contender
from bundlegym.evaluation.judging import judge, table_of
from bundlegym.evaluation.rivals import rank_correlations
from bundlegym.evaluation.summary import summary
from bundlegym.evaluation.table import format_table
from bundlegym.evaluation.verdict import verdict, verdicts
from bundlegym.user_models import LookalikeShopper, UserModel

TRAINED, CHOICE, LOOKALIKE = "choice", "choice, judge", "lookalike, judge"


def row(
    policy: str, low: float, user_model: str = CHOICE, kind: str = "learned", **rates: Any
) -> dict[str, Any]:
    gain = {"mean": low + 0.01, "low": low, "high": low + 0.02}
    figures = {name: {"mean": value} for name, value in rates.items() if name.endswith("rate")}
    return {
        "policy": policy, "kind": kind, "user_model": user_model, "incremental_margin_per_visit": gain,
        "offer_is_only_discount": rates.get("only", False), **figures,
    }  # fmt: skip


#: A policy that gains where it learned, and how a judge sees it.
GAINS, LOSES = row("ppo", 0.1, TRAINED), -0.1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row("ppo", 0.1), row("dqn", -0.1)], "The gain of ppo survives on every judge (choice)."),
        ([row("ppo", 0.1), row("planner", 0.2, kind="planner")], "of planner, ppo survives on every judge"),
        ([row("ppo", -0.1, TRAINED), row("ppo", -0.1)], "Nothing pays"),
        ([row("ppo", -0.1), row("oracle", 0.1, kind="oracle")], "Nothing pays"),
        ([GAINS], "No judge was asked; on the model trained on, ppo gain(s)."),
        (
            [GAINS, row("ppo", LOSES), row("ppo", LOSES, LOOKALIKE)],
            "NO GAIN SURVIVES on every judge (choice, lookalike); that of ppo EXISTS ONLY WHERE IT WAS "
            "LEARNED: no judge sees it.",
        ),
        (
            [GAINS, row("ppo", 0.1), row("ppo", LOSES, LOOKALIKE)],
            "NO GAIN SURVIVES on every judge (choice, lookalike); that of ppo is not seen by lookalike.",
        ),
        (
            [GAINS, row("ppo", 0.1), row("ppo", LOSES, LOOKALIKE, only=True, full_price_rate=1)],
            "The gain of ppo survives on every judge that can see it (choice); lookalike cannot see that of "
            "ppo: mostly offers at full price, which change nothing for that judge.",
        ),
        (
            [GAINS, row("ppo", LOSES, LOOKALIKE, only=True, full_price_rate=1)],
            "NO JUDGE CAN TELL whether the gain of ppo survives; lookalike cannot see",
        ),
        (
            [GAINS, row("ppo", LOSES, LOOKALIKE, only=True, full_price_rate=0.2)],
            "ppo EXISTS ONLY WHERE IT WAS LEARNED",
        ),
        (
            [row("ppo", 0.1, deepest_discount_rate=0.97)],
            "ppo is AT THE EDGE OF ITS RANGE, the largest discount at 97% of visits",
        ),
    ],
)
def test_the_sentence_says_what_the_judges_say(rows, words):
    assert words in verdict(rows)["sentence"]


def least_bought(core: BundleCore) -> Tensor:
    """What nobody would have bought, and takes only as a bundle."""
    return -SCORES["most_bought"](core)


def test_a_policy_that_exploits_its_user_model_is_caught(dataset, user_model, market):
    """Shoppers with a planted pull of bundles take whatever is offered; those who judge have none."""
    offers = EnvConfig(discounts=(0.0, 0.05, 0.1))
    contenders = [
        Contender("offer_nothing", "heuristic", [offer_nothing]),
        Contender("most_bought", "heuristic", [fill_by(SCORES["most_bought"], 1)]),
        Contender("exploit", "learned", [fill_by(least_bought, 2)]),
    ]
    held_out = dataset.split.held_out
    weeks = dataset.split.train_weeks[0], dataset.split.validation_weeks[1]
    models = {
        TRAINED: user_model.under(offer_exposure=0.0, bundle_pull=8.0),
        CHOICE: user_model,
        LOOKALIKE: LookalikeShopper.fit(dataset, shoppers=held_out, weeks=weeks, progress=lambda _: None),
    }

    def made_core(model: UserModel) -> BundleCore:
        shoppers, weeks = np.flatnonzero(held_out), dataset.split.test_weeks
        return BundleCore(market, model, offers, n=256, shoppers=shoppers, weeks=weeks)

    tables = {}
    for name, model in models.items():
        played = [judge(each, made_core(model), name=name, seed=1) for each in contenders]
        tables[name] = table_of(played, name=name, exposure=0.0)
    found = verdict([row for table in tables.values() for row in table.rows])
    assert "exploit" in found["only_where_learned"] and found["at_the_edge"] == ["exploit"]
    assert not found["survives"]
    assert "NO GAIN SURVIVES" in found["sentence"] and "EXISTS ONLY WHERE IT WAS LEARNED" in found["sentence"]
    assert "exploit is AT THE EDGE OF ITS RANGE, the largest discount at 100% of visits" in found["sentence"]
    lines = format_table(tables[CHOICE].rows).splitlines()
    below = lines[1 + next(i for i, line in enumerate(lines) if line.startswith("exploit"))]
    assert "at the edge of its range: largest discount at 100% of visits" in below
    results = {
        "rows": tables[TRAINED].rows, "judges": tables[CHOICE].rows + tables[LOOKALIKE].rows, "seeds": 1,
        "episodes": 256, "log": "synthetic", "notes": [],
        "paired": [entry for table in tables.values() for entry in table.paired],
        "rank_correlation": [
            {"offer_exposure": 0.0, **one}
            for one in rank_correlations({name: table.rows for name, table in tables.items()})
        ],
    }  # fmt: skip
    text = summary(results)
    assert text.splitlines()[-1].startswith("Verdict, Offer exposure 0") and "NO GAIN SURVIVES" in text
    assert "best with probability" in text and "Rank correlation of the policies' orders" in text
    assert verdicts(results)[0]["sentence"] in text


def test_offers_at_full_price_are_noted_where_they_change_nothing(make_core):
    showing = Contender("showing", "heuristic", [fill_by(SCORES["most_bought"], 0)])
    table = table_of([judge(showing, make_core(16), name=LOOKALIKE, seed=1)], name=LOOKALIKE, exposure=0.0)
    assert table.rows[0]["full_price_rate"]["mean"] == 1.0
    assert "100% of offers at full price, which change nothing here" in format_table(table.rows)
    assert table.paired == []
