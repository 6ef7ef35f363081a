"""Units of a line: the log's own law comes out again, whatever its shape."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models import Draws
from bundlegym.user_models.components.basket_size import GRID
from bundlegym.user_models.components.quantity import Quantity, draw_quantity, fit_quantity, fit_units

SEVERAL = (0.1, 0.5)  # chance of more than one unit, of even items and of odd ones: 2 or, a third of them, 4


@pytest.fixture(scope="module")
def in_pairs(dataset: Dataset) -> Dataset:
    rng = np.random.default_rng(0)
    purchases = dataset.purchases.copy()
    chance = np.array(SEVERAL)[purchases["item"].to_numpy() % 2]
    more = np.where(rng.random(len(purchases)) < 1 / 3, 4, 2)
    purchases["quantity"] = np.where(rng.random(len(purchases)) < chance, more, 1)
    return dataclasses.replace(dataset, purchases=purchases)


def _shortlist(dataset: Dataset) -> np.ndarray:
    """All items, of everybody."""
    return np.tile(np.arange(dataset.n_items), (dataset.n_shoppers, 1))


def _fitted(dataset: Dataset, log_discount: np.ndarray, shortlist: np.ndarray) -> Quantity:
    weeks, everybody = (0, dataset.n_weeks), np.ones(dataset.n_shoppers, dtype=bool)
    units = fit_units(dataset, weeks, everybody, log_discount)
    return fit_quantity(dataset, weeks, everybody, log_discount, shortlist, units)


def _place(lines: float) -> int:
    """The size of a trip of so many lines."""
    return int(np.abs(np.log(GRID) - np.log(lines)).argmin())


def _with_units(dataset: Dataset, units: np.ndarray) -> Quantity:
    """Fitted to a log whose lines hold so many units."""
    log = dataclasses.replace(dataset, purchases=dataset.purchases.assign(quantity=units))
    return _fitted(log, np.zeros((dataset.n_weeks, dataset.n_items), np.float32), _shortlist(dataset))


def test_shopper_takes_of_an_item_what_they_took_before(dataset):
    """Each shopper takes 12 of some items and 1 of others, whatever everybody else takes of these."""
    shopper = dataset.visits["shopper"].to_numpy()[dataset.purchases["visit"]]
    item = dataset.purchases["item"].to_numpy(np.int64)
    dozen = (7 * shopper + 3 * item) % 5 == 0
    fitted = _with_units(dataset, np.where(dozen, 12, 1))
    often = np.bincount(shopper * dataset.n_items + item, minlength=fitted.regular_quantity.numel()) >= 3
    own = fitted.regular_quantity.ravel().numpy()
    pair = np.unique(shopper * dataset.n_items + item, return_index=True)
    of_dozens = np.zeros(len(often), dtype=bool)
    of_dozens[pair[0]] = dozen[pair[1]]
    assert own[often & of_dozens].min() > 0.3
    assert own[often & ~of_dozens].max() < -0.3
    assert (own[np.bincount(shopper * dataset.n_items + item, minlength=len(own)) == 0] == 0).all()


def test_big_trips_hold_fewer_units_a_line(dataset):
    lines = dataset.purchases.groupby("visit")["item"].transform("size").to_numpy()
    fitted = _with_units(dataset, np.where(lines >= 8, 2, np.where(lines >= 4, 4, 12)))
    few, some, many = (fitted.quantity_by_size[_place(n)] for n in (2.5, 6.0, 10.0))
    assert few > some + 0.1 and some > many + 0.1


def test_units_are_spread_as_in_the_log(in_pairs):
    weeks, log_discount = (0, in_pairs.n_weeks), np.zeros((in_pairs.n_weeks, in_pairs.n_items), np.float32)
    fitted = _fitted(in_pairs, log_discount, _shortlist(in_pairs))
    rows = visit_rows(in_pairs, weeks)
    line, place = lines_of(in_pairs, rows)
    item = torch.from_numpy(in_pairs.purchases["item"].to_numpy()[line].astype(np.int64))
    shopper = torch.from_numpy(in_pairs.visits["shopper"].to_numpy()[rows][place].astype(np.int64))
    size = torch.full_like(item, _place(10.0))
    luck = Draws(0, torch.from_numpy(line.astype(np.int64)), torch.zeros_like(item))
    units = draw_quantity(
        fitted, torch.from_numpy(_shortlist(in_pairs)), shopper, item, size, torch.zeros(len(item)), luck
    )
    for odd, several in enumerate(SEVERAL):
        share = np.bincount(units[item % 2 == odd].numpy(), minlength=5) / int((item % 2 == odd).sum())
        assert share[1] == pytest.approx(1 - several, abs=0.04)
        assert share[2] == pytest.approx(several * 2 / 3, abs=0.04)
        assert share[4] == pytest.approx(several / 3, abs=0.03)
        assert share[3] < 0.005 and share[5:].sum() < 0.005


def test_a_log_of_single_units_has_single_units(dataset):
    single = dataclasses.replace(dataset, purchases=dataset.purchases.assign(quantity=1))
    found = _fitted(single, np.zeros((dataset.n_weeks, dataset.n_items)), _shortlist(dataset))
    assert all(leaf.isfinite().all() for _, leaf in found.leaves())
    assert found.units_support.tolist()[0] == 1 and (found.units_cdf[:, 0] > 0.999).all()
