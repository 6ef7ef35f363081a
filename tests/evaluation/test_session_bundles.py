"""Measures of bundles found in sessions, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from bundlegym.evaluation.session_bundles import bundle_measures


def sets(*bundles: str) -> list[frozenset[int]]:
    return [frozenset(int(digit) for digit in bundle) for bundle in bundles]


def test_by_hand() -> None:
    found = [sets("12", "45"), sets("12"), sets()]
    truth = [sets("123", "67"), sets("12"), sets("89")]
    measures = bundle_measures(found, truth)
    assert measures["precision"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert measures["recall"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert measures["coverage"] == pytest.approx((2 / 3 + 1) / 2)
    assert measures["exact_f1"] == pytest.approx(2 * 1 / (3 + 4))
    first = 2 * (1 / 3) * (1 / 3) / (2 / 3)  # both means are (2/3 + 0) / 2
    assert measures["jaccard_f1"] == pytest.approx((first + 1 + 0) / 3)


def test_sessions_without_predictions_count() -> None:
    with_empty = bundle_measures([sets("12"), sets()], [sets("12"), sets("34")])
    assert with_empty["precision"] == with_empty["recall"] == with_empty["jaccard_f1"] == 0.5


def test_the_subset_rule_can_be_gamed_and_the_others_cannot() -> None:
    measures = bundle_measures([sets("12", "34", "56")], [sets("123456")])
    assert measures["recall"] == 3.0 and measures["precision"] == 1.0
    assert measures["exact_f1"] == 0.0 and measures["jaccard_f1"] == pytest.approx(1 / 3)


def test_nothing_found_at_all() -> None:
    assert set(bundle_measures([sets()], [sets("12")]).values()) == {0.0}
