"""Measures of rankings against answers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from bundlegym.evaluation.ranking import (
    accuracy_of_lists,
    diversity,
    evaluate_ranking,
    latency,
    miscalibration,
    ranking_metrics,
)
from bundlegym.recommenders import Interactions, make_recommender


def csr(rows: list[list[int]], n_items: int = 6) -> sparse.csr_matrix:
    dense = np.zeros((len(rows), n_items))
    for dense_row, items in zip(dense, rows, strict=True):
        dense_row[items] = 1
    return sparse.csr_matrix(dense)


#: Hits at rank 2 of three wanted; a miss; nothing wanted.
IDS = np.array([[4, 1], [0, 2], [3, 5]])
TRUTH = csr([[0, 1, 2], [5], []])


def test_accuracy_by_hand() -> None:
    found = accuracy_of_lists(IDS, TRUTH)
    second = 1 / math.log2(3)
    expected = {
        "precision": [0.5, 0],
        "recall": [1 / 3, 0],
        "hit_rate": [1, 0],
        "accuracy": [3 / 6, 3 / 6],
        "ndcg": [second / (1 + second), 0],
        "mrr": [0.5, 0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], [*values, np.nan], err_msg=name)  # type: ignore[misc]


def test_ideal_list_is_as_long_as_the_truth_where_asked() -> None:
    second = 1 / math.log2(3)
    found = accuracy_of_lists(IDS, TRUTH, cut_ideal=False)["ndcg"]
    np.testing.assert_allclose(found, [second / (1 + second + 1 / math.log2(4)), 0, np.nan])


def test_lists_that_end_early_have_no_hits_there() -> None:
    found = accuracy_of_lists(np.array([[-1, -1]]), csr([[0, 5]]))
    assert found["recall"][0] == 0 and found["mrr"][0] == 0


def test_repeat_and_explore_apart() -> None:
    ids, truth, history = np.array([[1, 4]]), csr([[1, 2, 4]]), csr([[1, 2, 3]])
    found = ranking_metrics(ids, truth, history)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["repeat_recall"] == pytest.approx(1 / 2)
    assert found["explore_recall"] == pytest.approx(1)
    assert found["repeat_share"] == pytest.approx(1 / 2)


def test_coverage_and_novelty_by_hand() -> None:
    history = csr([[0], [0], [0, 1], []])
    ids = np.array([[0], [0], [1], [2]])
    found = ranking_metrics(ids, csr([[0]] * 4), history)
    assert found["coverage"] == pytest.approx(3 / 6)
    bits = [-math.log2(3 / 4), -math.log2(3 / 4), 2, 3]
    assert found["novelty"] == pytest.approx(np.mean(bits))


def test_diversity_by_hand() -> None:
    category = np.array([0, 0, 1, 1, 2, 2])
    found = diversity(np.array([[0, 1, 2], [0, 2, 4], [5, -1, -1]]), category)
    np.testing.assert_allclose(found, [2 / 3, 1, np.nan])


def test_calibration_by_hand() -> None:
    category = np.array([0, 0, 1, 1, 1, 1])
    history = csr([[0, 2], [0, 2], []])
    found = miscalibration(np.array([[1, 3], [2, 3], [0, 1]]), history, category)
    off = 0.5 * math.log(0.5 / 0.005) + 0.5 * math.log(0.5 / (0.99 + 0.005))
    np.testing.assert_allclose(found, [0, off, np.nan], atol=1e-12)


def test_a_model_is_ranked_over_all_items() -> None:
    log = Interactions.from_baskets([[[0, 1], [0]], [[2]]], n_items=6)
    model = make_recommender("popularity").fit(log)
    found = evaluate_ranking(model, np.array([0, 1]), csr([[0], [3]]), k=2)
    assert found["recall"] == 0.5 and found["ndcg"] == 0.5 and "diversity" not in found


def test_latency_by_a_clock_of_known_ticks() -> None:
    log = Interactions.from_baskets([[[0, 1], [0]], [[2]]], n_items=6)
    model = make_recommender("popularity").fit(log)
    ticks = iter(np.cumsum([0, 0.001, 0, 0.003, 0, 0.5]))
    found = latency(model, np.array([0, 1]), k=2, clock=lambda: next(ticks))
    assert found["p50_ms"] == pytest.approx(2)
    assert found["shoppers_per_second"] == pytest.approx(4)
