"""A table of offers: constraints hold, propensities are those of the draws, and the command writes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.deployment import recommend as recommending
from bundlegym.deployment import shards
from bundlegym.deployment.allocation import of_most_gain, within_budget, within_stock
from bundlegym.deployment.exploration import EXPLORE, NOTHING, Exploration, Offered
from bundlegym.deployment.limits import Limits
from bundlegym.deployment.recommend import Rules, make_offers
from bundlegym.deployment.recommend_cli import recommend
from bundlegym.deployment.restricted import restricted_items
from bundlegym.errors import UserError, guarded
from bundlegym.evaluation.parallel import Place
from tests.engines import Backwards

SHARED = ["offer_id", "shopper", "time", "items", "discount", "propensity", "arm", "policy"]


def items_of(table: pd.DataFrame) -> list[list[str]]:
    return [json.loads(items) for items in table["items"]]


@pytest.fixture(scope="module")
def plain(ppo):
    return make_offers(ppo, draws=8)


def test_one_offer_a_shopper_with_what_an_offer_log_needs(plain, ppo):
    table = plain.table
    assert set(SHARED) <= set(table.columns) and len(table) > 20
    assert not table["shopper"].duplicated().any() and not table["offer_id"].duplicated().any()
    assert (table["propensity"] == 1).all() and set(table["arm"]) == {"policy"}
    assert all(" " not in text and len(json.loads(text)) >= 2 for text in table["items"])
    assert (table["why"].str.len() > 0).all()
    paid = table["shelf_price"] * (1 - table["discount"])
    np.testing.assert_allclose(table["offer_price"], paid, atol=0.0051)


def test_each_judge_and_assumption_gives_an_interval(plain):
    for who in (
        "choice_exposure_0",
        "choice_exposure_1",
        "judge_choice_exposure_0",
        "judge_choice_exposure_1",
    ):
        low, mean, high = (plain.table[f"gain_{who}{end}"] for end in ("_low", "", "_high"))
        assert (low <= mean).all() and (mean <= high).all() and (low < high).any()


def test_offers_are_the_policys_own(plain, ppo):
    table = plain.table.iloc[:4]
    for shopper, items, discount in zip(table["shopper"], items_of(table), table["discount"], strict=True):
        (offer,) = ppo.recommend(shopper).offers
        assert [item.item for item in offer.items] == items and offer.discount == pytest.approx(discount)


def test_excluded_items_and_categories_are_replaced_not_dropped(plain, ppo):
    names = ppo.dataset.items.set_index(ppo.dataset.items["item"].astype(str))["department"]
    most = pd.Series([i for items in items_of(plain.table) for i in items]).value_counts().index[:3]
    rules = Rules(exclude_items=tuple(most), exclude_categories=("dairy",))
    table = make_offers(ppo, rules, draws=2).table
    offered = {item for items in items_of(table) for item in items}
    assert not offered & set(most) and "DAIRY" not in set(names[list(offered)])
    assert len(table) > 0.7 * len(plain.table)


def test_stock_is_never_exceeded(plain, ppo):
    scarce = pd.Series([i for items in items_of(plain.table) for i in items]).value_counts()
    stock = pd.Series(3.0, index=scarce.index[:10])
    table = make_offers(ppo, Rules(stock=stock, explore=0.3), draws=2).table
    taken = pd.Series([i for items in items_of(table) for i in items]).value_counts()
    assert taken.reindex(stock.index).fillna(0).max() <= 3
    assert (table["items"] != "[]").sum() > 20


def test_budget_holds_whatever_is_drawn(ppo):
    for explore in (0.0, 0.5):
        table = make_offers(ppo, Rules(budget=20.0, explore=explore), draws=2).table
        assert (table["discount"] * table["shelf_price"]).sum() <= 20.0 + 0.01


def test_no_more_offers_than_asked_for(ppo):
    assert len(make_offers(ppo, Rules(most_offers=7), draws=2).table) == 7


def test_exploring_gives_a_row_to_all_and_propensities_that_are_computed(ppo):
    table = make_offers(ppo, Rules(explore=0.5), draws=2).table
    again = make_offers(ppo, Rules(explore=0.5), draws=2).table
    pd.testing.assert_frame_equal(table, again)
    assert len(table) == ppo.dataset.n_shoppers
    explored = table["arm"] == EXPLORE
    assert 0.35 < explored.mean() < 0.65
    assert (table["propensity"] > 0).all() and (table["propensity"] <= 1).all()
    assert (table["propensity"][~explored] >= 0.5).all()
    some = make_offers(ppo, Rules(explore=0.5), shoppers=table["shopper"][5:9].tolist(), draws=2).table
    pd.testing.assert_frame_equal(some[SHARED], table[SHARED][5:9].reset_index(drop=True))


def test_ranges_of_shoppers_get_what_all_at_once_get_to_the_bit(ppo, run, monkeypatch):
    for module in (recommending, shards):
        monkeypatch.setattr(module, "BATCH", 32)
    place, engine = Place(ppo, lambda: ppo, run), Backwards(at_once=3)
    for rules, jobs in ((Rules(explore=0.3, exclude_presets=("alcohol",)), 3), (Rules(budget=20.0), 1)):
        whole, engine.done = make_offers(ppo, rules, draws=4), 0
        parts = shards.make_offers_by(engine, place, rules, draws=4)
        pd.testing.assert_frame_equal(parts.table, whole.table, check_exact=True)
        assert parts.notes == whole.notes and engine.done == jobs


def exploration(share: float = 0.4) -> Exploration:
    price, cost = np.array([2.0, 3.0, 4.0, 1.0]), np.array([1.0, 2.5, 1.0, 0.5])
    discounts, enough = np.array([0.0, 0.1, 0.3]), np.array([True, True, True, False])
    return Exploration(share, 0, discounts, price, cost, 2, Limits(), enough)


def test_draws_come_as_often_as_their_propensities_say():
    how, own = exploration(), Offered((2, 0), 1)
    choices = how.choices(np.arange(4), np.inf)
    drawn = [how.drawn(f"shopper {i}", 3, own, choices) for i in range(20_000)]
    for offer in [own, NOTHING, Offered((1, 3), 0), *choices]:
        same = [other for other in drawn if other.same(offer)]
        expected = same[0].propensity if same else 0.0
        assert len(same) / len(drawn) == pytest.approx(expected, abs=0.012)
        assert len({other.propensity for other in same}) <= 1
    # Inverse propensities are unbiased: each offer stands for all shoppers.
    for offer in (own, NOTHING, choices[0]):
        weights = sum(1 / other.propensity for other in drawn if other.same(offer)) / len(drawn)
        assert weights == pytest.approx(1, abs=0.1)
    assert how.drawn("x", 0, own, []).propensity in (0.6, 0.4)


def test_the_set_holds_what_limits_and_stock_allow():
    choices = exploration().choices(np.arange(4), np.inf)
    assert {(c.items, c.level) for c in choices} == {
        ((0, 1), 0), ((0, 1), 1), ((0, 2), 0), ((0, 2), 1), ((0, 2), 2), ((1, 2), 0), ((1, 2), 1),
    }  # fmt: skip
    cheap = exploration().choices(np.arange(4), 0.61)
    assert {(c.items, c.level) for c in cheap} == {
        ((0, 1), 0), ((0, 1), 1), ((0, 2), 0), ((0, 2), 1), ((1, 2), 0),
    }  # fmt: skip


def test_what_is_short_goes_where_most_is_expected():
    items = np.array([[0, 1], [0, 2], [0, -1], [-1, -1]])
    units = np.array([2.0, 1, 5])
    assert within_stock(items, np.array([1.0, 3, 2, 9]), units).tolist() == [False, True, True, False]
    assert units.tolist() == [0, 1, 4]
    cost, gain = np.array([0.0, 5, 4, 1]), np.array([-1.0, 10, 2, -1])
    assert within_budget(cost, gain, 8).tolist() == [True, True, False, False]
    assert within_budget(cost, gain, 9).tolist() == [True, True, True, False]
    made = np.array([True, True, False])
    assert of_most_gain(made, np.array([0.1, -2, 5]), 5).tolist() == [True, True, False]
    assert of_most_gain(made, np.array([0.1, -2, 5]), 1).tolist() == [True, False, False]


def test_restricted_items_are_found_by_whole_words():
    said = [
        "GROCERY DOMESTIC WINE",
        "Pale ale",
        "Infant formula, soy",
        "FISH Smoked salmon",
        "Ginger, salery",
    ]
    assert restricted_items(said, "alcohol").tolist() == [True, True, False, False, False]
    assert restricted_items(said, "infant-formula").tolist() == [False, False, True, False, False]
    with pytest.raises(UserError, match="alcohol, tobacco"):
        restricted_items(said, "weapons")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bundlegym recommend", *arguments, "--offer-exposure", "1"])
    try:
        guarded(recommend)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_the_command_writes_the_table(suffix, run, cache, tmp_path, monkeypatch, capsys):
    (tmp_path / "who.csv").write_text("shopper\n3\n5\n3\n", encoding="utf-8")
    out = tmp_path / f"offers.{suffix}"
    shared = ["--cache-dir", str(cache), "--shoppers", str(tmp_path / "who.csv"), "--draws", "2"]
    assert call(monkeypatch, str(run), "--out", str(out), "--explore", "0.1", *shared) == 0
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[suffix]
    assert read(out)["shopper"].astype(str).tolist() == ["3", "5"]
    assert "expected by choice_exposure_0" in capsys.readouterr().out


def test_it_is_said_where_nobody_is_offered_anything(run, cache, tmp_path, monkeypatch, capsys):
    options = ["--cache-dir", str(cache), "--draws", "2", "--most-offers", "0"]
    assert call(monkeypatch, str(run), "--out", str(tmp_path / "offers.csv"), *options) == 0
    said = capsys.readouterr().out
    assert "ppo offers nobody anything" in said and "--offer-exposure 0" in said


def test_the_control_arm_of_an_experiment_is_made_no_offers(run, cache, tmp_path, monkeypatch, capsys):
    arms, out = tmp_path / "arms.csv", tmp_path / "offers.csv"
    arms.write_text("shopper,arm\n3,offers\n5,control\n7,offers\n", encoding="utf-8")
    options = ["--cache-dir", str(cache), "--shoppers", str(arms), "--draws", "2", "--explore", "1"]
    assert call(monkeypatch, str(run), "--out", str(out), *options) == 0
    assert pd.read_csv(out)["shopper"].astype(str).tolist() == ["3", "7"]
    assert "no offers to 1 shopper(s) outside the arm 'offers'" in capsys.readouterr().out
    arms.write_text("shopper,arm\n3,treated\n", encoding="utf-8")
    assert call(monkeypatch, str(run), "--out", str(out), *options) == 2
    assert "nobody is in the arm 'offers'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "offers.pdf"], "offers.pdf"),
        (["--explore", "2"], "--explore: must be from 0 to 1, not 2"),
        (["--budget", "-1"], "--budget: must be 0 or more, not -1"),
        (["--exclude-categories", "Weapons"], "category Weapons"),
        (["--exclude-presets", "weapons"], "unknown preset 'weapons'"),
        (["--shoppers", "absent.csv"], "absent.csv"),
        (["--stock", "absent.csv"], "absent.csv"),
        (["--day", "soon"], "--day soon"),
        (["--exclude-categories", "GROCERY", "DAIRY", "PRODUCE"], "items are left"),
    ],
)
def test_mistakes_are_one_line_and_code_2(arguments, words, run, cache, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, str(run), "--cache-dir", str(cache), *arguments) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and words in last
    assert not list(Path(tmp_path).iterdir())
