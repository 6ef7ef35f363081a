"""Units of a line: the log's own law comes out again, whatever its shape."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models import Draws
from bundlegym.user_models.components.quantity import draw_quantity, fit_quantity

SEVERAL = (0.1, 0.5)  # chance of more than one unit, of even items and of odd ones: 2 or, a third of them, 4


@pytest.fixture(scope="module")
def in_pairs(dataset: Dataset) -> Dataset:
    rng = np.random.default_rng(0)
    purchases = dataset.purchases.copy()
    chance = np.array(SEVERAL)[purchases["item"].to_numpy() % 2]
    more = np.where(rng.random(len(purchases)) < 1 / 3, 4, 2)
    purchases["quantity"] = np.where(rng.random(len(purchases)) < chance, more, 1)
    return dataclasses.replace(dataset, purchases=purchases)


def test_units_are_spread_as_in_the_log(in_pairs):
    weeks, log_discount = (0, in_pairs.n_weeks), np.zeros((in_pairs.n_weeks, in_pairs.n_items), np.float32)
    fitted = fit_quantity(in_pairs, weeks, np.ones(in_pairs.n_shoppers, dtype=bool), log_discount)
    assert fitted.same_units_prob < 0.2  # each line of the log has luck of its own
    rows = visit_rows(in_pairs, weeks)
    line, place = lines_of(in_pairs, rows)
    item = torch.from_numpy(in_pairs.purchases["item"].to_numpy()[line].astype(np.int64))
    shopper = torch.from_numpy(in_pairs.visits["shopper"].to_numpy()[rows][place].astype(np.int64))
    zero = torch.zeros_like(item)
    subcategory = torch.from_numpy(in_pairs.subcategory_code)[item]
    luck = Draws(0, torch.from_numpy(line.astype(np.int64)), zero)
    units = draw_quantity(fitted, shopper, item, torch.zeros(len(item)), subcategory, luck)
    for odd, several in enumerate(SEVERAL):
        share = np.bincount(units[item % 2 == odd].numpy(), minlength=5) / int((item % 2 == odd).sum())
        assert share[1] == pytest.approx(1 - several, abs=0.04)
        assert share[2] == pytest.approx(several * 2 / 3, abs=0.04)
        assert share[4] == pytest.approx(several / 3, abs=0.03)
        assert share[3] < 0.005 and share[5:].sum() < 0.005
