"""Off-policy values where the truth is known: a made-up shop in which an offer of item 0 alone brings 1."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.off_policy import (
    Outcome,
    Target,
    clustered,
    nothing,
    read_target,
    support,
    value,
)
from bundlegym.evaluation.field_test.offer_log import OfferLog, offer_log, read_offers
from bundlegym.evaluation.field_test.outcomes import Visits, date_of

START = 18 * 7
CHANCES = np.array([0.5, 0.3, 0.2])  # nothing, item 0, item 1


def shop(dataset, rng: np.random.Generator, decisions: int = 600) -> OfferLog:
    shopper = np.sort(rng.integers(0, dataset.n_shoppers, decisions))
    done = rng.choice(3, decisions, p=CHANCES)
    items = (done - 1)[:, None]
    margin = 2 + shopper % 3 + (done == 1) * 1.0 + rng.normal(0, 1, decisions)
    none = np.full(decisions, -1)
    return OfferLog(
        np.arange(decisions).astype(str), shopper, np.full(decisions, START), items, none[:, None],
        np.where(done > 0, 0.1, 0.0), CHANCES[done], np.full(decisions, "", dtype=object),
        np.full(decisions, np.nan), none, margin, 0, True, 7,
    )  # fmt: skip


def always(log: OfferLog, item: int) -> Target:
    n = len(log.shopper)
    return Target(
        (log.items[:, 0] == item).astype(float),
        np.arange(n),
        np.full((n, 1), item),
        np.full(n, 0.1),
        np.ones(n),
    )


def test_values_are_unbiased_and_intervals_hold_the_truth(dataset):
    rng = np.random.default_rng(0)
    off: dict[str, list[float]] = {"ips": [], "self_normalised": [], "doubly_robust": []}
    for _ in range(60):
        log = shop(dataset, rng)
        outcome = Outcome(log, dataset)
        none = value(log, nothing(log), outcome)
        for target, truth in ((always(log, 0), 1.0), (always(log, 1), 0.0), (None, 0.3)):
            of = value(log, target, outcome)
            for name, errors in off.items():
                found = clustered(getattr(of, name) - getattr(none, name), log.shopper)
                errors.append((found["mean"] - truth) / found["error"])
    for name, errors in off.items():
        assert np.mean(np.abs(errors) < 1.97) == pytest.approx(0.95, abs=0.04), name
        assert np.mean(errors) == pytest.approx(0.0, abs=0.3), name


def test_a_good_regression_makes_the_doubly_robust_value_less_noisy(dataset):
    log = shop(dataset, np.random.default_rng(1))
    found = value(log, always(log, 0), Outcome(log, dataset))
    error = {name: clustered(getattr(found, name), log.shopper)["error"] for name in ("ips", "doubly_robust")}
    assert error["doubly_robust"] < 0.7 * error["ips"]


def test_support_says_what_could_not_have_been_done(dataset):
    log = shop(dataset, np.random.default_rng(2))
    outcome = Outcome(log, dataset)
    good = support(value(log, always(log, 0), outcome).weight, log.shopper)
    assert good["told"] and good["greatest_weight"] == pytest.approx(1 / 0.3)
    assert good["effective_sample_size"] == pytest.approx(600 * 0.3, rel=0.2)
    unknown = support(value(log, always(log, 5), outcome).weight, log.shopper)
    assert not unknown["told"] and unknown["without_support"] == 1 and unknown["effective_sample_size"] == 0


def offers(dataset, **changed) -> pd.DataFrame:
    """Three decisions; shopper 0 and 1 are those of the log."""
    ids = dataset.shoppers["shopper"]
    items = dataset.items["item"].astype(str)
    return pd.DataFrame(
        {
            "offer_id": ["a", "b", "c"],
            "shopper": [ids[0], ids[0], ids[1]],
            "time": [date_of(dataset, START), date_of(dataset, START + 10), date_of(dataset, START)],
            "items": [f"{items[3]}|{items[5]}", "", f'["{items[2]}"]'],
            "discount": [0.1, "", 0.2],
            "propensity": [0.2, 0.5, 0.3],
        }
        | changed
    )


def test_decisions_are_linked_with_what_followed(dataset):
    log = offer_log(offers(dataset), dataset, window=7)
    assert log.items.tolist() == [[3, 5], [-1, -1], [2, -1]] and log.made.tolist() == [True, False, True]
    visits = Visits.of(dataset)
    assert log.margin[0] == pytest.approx(visits.margins(START, START + 7)[0])
    assert log.margin[1] == pytest.approx(visits.margins(START + 10, START + 17)[0])
    # The next decision takes over before the window is over.
    longer = offer_log(offers(dataset), dataset, window=30)
    assert longer.margin[0] == pytest.approx(visits.margins(START, START + 10)[0])
    own = (visits.shopper == 0) & (visits.day >= START)
    assert log.visit[0] == np.flatnonzero(own)[0] or visits.day[own][0] >= START + 7


def test_a_basket_says_which_visit_it_was(dataset):
    row = np.flatnonzero(dataset.visits["shopper"] == 0)[-1]
    table = offers(dataset, basket=[dataset.visits["basket"][row], "", ""])
    log = offer_log(table, dataset)
    assert log.by_basket and log.visit.tolist() == [row, -1, -1]
    assert log.margin.tolist() == pytest.approx([Visits.of(dataset).margin[row], 0, 0])
    with pytest.raises(UserError, match="another shopper's"):
        offer_log(offers(dataset, basket=["", "", dataset.visits["basket"][row]]), dataset)


def test_rows_of_strangers_are_left_out_and_counted(dataset):
    log = offer_log(offers(dataset, shopper=[0, 0, "stranger"]), dataset)
    assert len(log.shopper) == 2 and log.unknown_shoppers == 1


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"offer_id": ["a", "a", "b"]}, "more than once"),
        ({"propensity": [0.2, 0.0, 0.3]}, "propensity of 0"),
        ({"propensity": [0.2, 1.5, 0.3]}, "'propensity' holds"),
        ({"discount": [0.1, "much", 0.2]}, "'discount' holds 'much'"),
        ({"time": ["soon", "2024-05-06", "2024-05-06"]}, "which is no date"),
        ({"time": ["2034-05-06"] * 3}, "lie outside"),
        ({"shopper": ["x", "y", "z"]}, "none of its shoppers"),
        ({"items": ["[1,", "", ""]}, "no list of items"),
    ],
)
def test_wrong_offer_logs_are_one_sentence(dataset, changed, match):
    with pytest.raises(UserError, match=match):
        offer_log(offers(dataset, **changed), dataset)


def test_a_policy_is_read_from_a_table(dataset, tmp_path):
    table, path, other = offers(dataset), tmp_path / "offers.csv", tmp_path / "policy.csv"
    table.to_csv(path, index=False)
    log = read_offers(path, dataset)
    items = dataset.items["item"].astype(str)
    # In the order of items that it likes; the last decision is left to offering nothing.
    rows = [("a", f"{items[5]}|{items[3]}", 0.1, 0.6), ("a", items[1], 0.1, 0.1), ("b", items[1], 0.1, 0.25)]
    pd.DataFrame(rows, columns=["offer_id", "items", "discount", "probability"]).to_csv(other, index=False)
    assert read_target(other, log, dataset).chance == pytest.approx([0.6, 0.75, 0.0])
    by_time = table[["shopper", "time", "items", "discount"]]
    by_time.to_csv(other, index=False)
    assert read_target(other, log, dataset).chance == pytest.approx([1, 1, 1])
    pd.DataFrame([*rows, ("a", "", 0, 0.9)], columns=["offer_id", "items", "discount", "probability"]).to_csv(
        other, index=False
    )
    with pytest.raises(UserError, match="sum to 1.600"):
        read_target(other, log, dataset)
    table[["items", "discount"]].to_csv(other, index=False)
    with pytest.raises(UserError, match="needs the column offer_id"):
        read_target(other, log, dataset)
    assert dataclasses.is_dataclass(log)
