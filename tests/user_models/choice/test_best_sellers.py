"""Of a catalogue that is large beside the shoppers, the items bought most stand for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bundlegym.data import part_of_catalogue
from bundlegym.user_models.choice.estimation import best_sellers as module
from bundlegym.user_models.choice.estimation.best_sellers import best_sellers
from bundlegym.user_models.choice.estimation.coefficients import fit_coefficients


def test_all_items_stand_for_themselves_where_they_are_few(dataset):
    known = ~dataset.split.held_out
    items = best_sellers(dataset, dataset.split.train_weeks, known)
    np.testing.assert_array_equal(items, np.arange(dataset.n_items))


def test_the_items_bought_most_and_each_departments_best(dataset, monkeypatch):
    known = ~dataset.split.held_out
    monkeypatch.setattr(module, "_ENTRIES", 10 * int(known.sum()))
    items = best_sellers(dataset, (0, dataset.n_weeks), known)
    mine = known[dataset.visits["shopper"].to_numpy()][dataset.purchases["visit"].to_numpy()]
    sold = np.bincount(dataset.purchases["item"].to_numpy()[mine], minlength=dataset.n_items)
    assert set(np.argsort(-sold, kind="stable")[:10]) <= set(items)
    assert set(dataset.department_code[items]) == set(dataset.department_code)
    assert (np.diff(items) > 0).all() and len(items) <= 10 + dataset.department_code.max() + 1


def test_a_part_of_a_catalogue_is_the_log_of_its_items(dataset):
    items = np.arange(3, dataset.n_items, 5)
    part = part_of_catalogue(dataset, items)
    held = dataset.purchases[dataset.purchases["item"].isin(items)]
    assert part.n_items == len(items) and len(part.visits) == len(dataset.visits)
    np.testing.assert_array_equal(items[part.purchases["item"]], held["item"])
    np.testing.assert_array_equal(part.purchases["visit"], held["visit"])
    np.testing.assert_array_equal(part.shelf_price, dataset.shelf_price[items])
    assert part.items["item"].tolist() == dataset.items["item"].to_numpy()[items].tolist()


def test_coefficients_of_a_part_are_near_those_of_all(dataset, monkeypatch):
    weeks, known = dataset.split.train_weeks, ~dataset.split.held_out
    options: dict[str, Any] = {"epochs": 3, "seed": 0, "progress": lambda _: None}
    whole = fit_coefficients(dataset, weeks, known, 40, **options)
    monkeypatch.setattr(module, "_ENTRIES", dataset.n_items * 2 // 3 * int(known.sum()))
    part = fit_coefficients(dataset, weeks, known, 40, **options)
    assert part.price.shape == whole.price.shape
    assert float(part.preference) == pytest.approx(float(whole.preference), abs=0.15)
    assert float(part.price.mean()) == pytest.approx(float(whole.price.mean()), abs=0.5)
