"""The design of a field experiment: power by formula and by trial, windows, the assignment, the plan."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.design import (
    Design,
    Gain,
    eligible,
    expected_gains,
    smallest,
    spread,
    spread_of,
    windows,
)
from bundlegym.evaluation.field_test.difference import difference, random_arms, rejections
from bundlegym.evaluation.field_test.outcomes import Visits, date_of, day_of
from bundlegym.evaluation.field_test.plan import as_text, assignment, plan
from bundlegym.evaluation.field_test.power import households_needed, power, smallest_gain


@pytest.fixture(scope="module")
def visits(dataset):
    return Visits.of(dataset)


def test_power_is_that_of_the_textbook():
    # Cohen (1988), table 2.3.5: d = .5 at 64 an arm has power .80.
    assert power(0.5, 1.0, 64, 64) == pytest.approx(0.80, abs=0.003)
    assert households_needed(0.5, 1.0) == pytest.approx(128, abs=2)
    assert smallest_gain(1.0, 64, 64) == pytest.approx(0.5, abs=0.005)
    assert power(0.0, 1.0, 50, 50) == pytest.approx(0.05, abs=1e-6)


def test_fewer_households_do_where_arms_are_even_and_noise_is_small():
    even = households_needed(0.1, 1.0)
    assert even is not None and households_needed(0.1, 1.0, share=0.1) > 2.5 * even
    assert households_needed(0.1, 0.5) == pytest.approx(even / 4, rel=0.02)
    assert households_needed(0.0, 1.0) is None


def test_adjusting_takes_out_what_the_weeks_before_explain():
    rng = np.random.default_rng(0)
    before = rng.gamma(0.5, 2.0, (400, 600))
    y = before + rng.normal(0, 0.3, before.shape)
    arms = random_arms(rng, 600, 300, 400)
    plain, adjusted = (difference(y + 0.1 * arms, arms, x) for x in (None, before))
    assert adjusted.error.mean() < 0.3 * plain.error.mean()
    low, high = adjusted.interval()
    assert ((low < 0.1) & (0.1 < high)).mean() == pytest.approx(0.95, abs=0.03)
    assert adjusted.gain.mean() == pytest.approx(0.1, abs=0.01)


def test_welch_agrees_with_scipy():
    from scipy import stats

    rng = np.random.default_rng(1)
    y, offered = rng.normal(size=30), np.arange(30) < 10
    y[offered] *= 3
    found, theirs = difference(y, offered), stats.ttest_ind(y[offered], y[~offered], equal_var=False)
    assert float(found.p_value()) == pytest.approx(theirs.pvalue)
    assert float(found.freedom) == pytest.approx(theirs.df)


def test_the_log_itself_keeps_the_error_rate(visits):
    last = windows(visits, 4, 8)[0]
    found = rejections(last.margin, last.before, len(last.margin) // 2, 0.05, 2000, 0)
    assert all(rate == pytest.approx(0.05, abs=0.02) for rate in found.values())


def test_a_planted_gain_is_found_with_the_planned_power(visits):
    last, rng = windows(visits, 4, 8)[0], np.random.default_rng(0)
    found = spread_of([last], 4, 8)
    gain = smallest(found, Design(), found.sd_adjusted)
    who = rng.integers(0, len(last.margin), (1000, len(last.margin)))
    arms = random_arms(rng, len(last.margin), len(last.margin) // 2, 1000)
    hits = difference(last.margin[who] + gain * arms, arms, last.before[who]).p_value() < 0.05
    assert hits.mean() == pytest.approx(0.8, abs=0.04)


def test_margins_are_those_of_the_log(dataset, visits):
    lines = dataset.purchases.join(dataset.visits, on="visit")
    lines = lines[(lines["shopper"] == 3) & lines["day"].between(14, 27)]
    cost = dataset.unit_cost[lines["item"], lines["week"]]
    expected = (lines["quantity"] * (lines["price_paid"] - cost)).sum()
    assert visits.margins(14, 28)[3] == pytest.approx(expected)
    assert visits.counts(14, 28)[3] == lines["visit"].nunique()


def test_windows_do_not_overlap_and_end_with_the_log(visits):
    found = windows(visits, 4, 8)
    assert len(found) == (26 - 8) // 4
    assert (found[0].margin * 4).sum() == pytest.approx(
        visits.margins(visits.end - 28, visits.end)[found[0].shopper].sum()
    )
    assert spread(visits, 30, 8) is None
    assert spread(visits, 24, 8).weeks_before == 2


def test_the_assignment_is_by_seed_and_share(dataset):
    table = assignment(dataset, Design(share=0.25), before=8, seed=3)
    assert table.equals(assignment(dataset, Design(share=0.25), before=8, seed=3))
    assert not table.equals(assignment(dataset, Design(share=0.25), before=8, seed=4))
    assert (table["arm"] == "offers").sum() == round(len(table) / 4)
    visits = Visits.of(dataset)
    assert len(table) == len(eligible(visits, visits.end, 8))
    assert len(assignment(dataset, Design(), households=20)) == 20
    with pytest.raises(UserError, match="--households"):
        assignment(dataset, Design(), households=10_000)


def test_a_plan_says_when_the_shop_is_too_small_and_when_not(dataset):
    def told(gain: float) -> tuple[dict, str]:
        content = plan(dataset, [Gain("ppo", "choice, judge", 1.0, gain, gain, gain)], Design(), splits=200)
        assert json.loads(json.dumps(content)) == content
        return content, as_text(content)

    content, text = told(0.001)
    assert not content["expected"][0]["shows"]
    assert "too small a shop, or too small a gain" in text
    content, text = told(5.0)
    assert content["expected"][0]["shows"] and "too small" not in text.split("Heavy tails")[0]
    # The households that the plan says are needed do show the gain.
    row = next(r for r in content["rows"] if r["weeks"] == 4)
    needed = next(r for r in content["expected"][0]["rows"] if r["weeks"] == 4)
    n = needed["households_needed_adjusted"] / 2
    assert power(needed["gain"], row["sd_adjusted"], n, n) >= 0.8
    assert "nothing to test" in told(0.0)[1]
    unsure = plan(dataset, [Gain("random", "choice, judge", 1.0, 0.1, -0.1, 0.3, "heuristic")], Design())
    assert "not significantly different from zero" in as_text(unsure) and "is a rule" in as_text(unsure)
    with pytest.raises(UserError, match="26 weeks"):
        plan(dataset, [], Design(), weeks=40)


def test_the_gain_of_a_run_is_that_of_the_judge_who_gives_least():
    def row(policy: str, kind: str, judge: str, mean: float, exposure: float = 0.0) -> dict:
        gain = {"mean": mean, "low": mean - 1, "high": mean + 1}
        return {"policy": policy, "kind": kind, "user_model": judge, "offer_exposure": exposure,
                "incremental_margin_per_visit": gain}  # fmt: skip

    rows = [row("ppo", "learned", "choice", 9.0), row("ppo", "learned", "choice", 2.0, exposure=1.0)]
    judges = [
        row("ppo", "learned", "a, judge", 3.0), row("ppo", "learned", "b, judge", 0.5),
        row("rule", "heuristic", "a, judge", 1.0), row("rule", "heuristic", "b, judge", 1.0),
        row("oracle", "oracle", "a, judge", 8.0), row("oracle", "oracle", "b, judge", 8.0),
    ]  # fmt: skip
    # A judge who cannot see what offers at full price do has no say on them.
    blind = row("ppo", "learned", "c, judge", 0.0, exposure=1.0) | {"offer_is_only_discount": True}
    judges += [
        blind | {"full_price_rate": {"mean": 1.0}},
        row("ppo", "learned", "a, judge", 1.5, exposure=1.0),
    ]
    found = expected_gains({"rows": rows, "judges": judges})
    assert [(g.policy, g.mean, g.exposure) for g in found] == [("rule", 1.0, 0.0), ("ppo", 1.5, 1.0)]


def test_dates_are_those_of_the_log(dataset):
    assert day_of(dataset, date_of(dataset, 40), "--start") == 40
    for wrong, match in (("soon", "no date"), ("1999-01-01", "lies outside")):
        with pytest.raises(UserError, match=match):
            day_of(dataset, wrong, "--start")
    with pytest.raises(UserError, match="--power"):
        Design(power=0.01)
    assert dataclasses.replace(Design(), share=0.3).offered(10) == 3
