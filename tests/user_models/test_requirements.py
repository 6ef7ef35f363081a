"""Small and odd logs: what they lack is said before a fit, and what is enough can be fitted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.errors import UserError
from bundlegym.evaluation.fidelity.report import fidelity
from bundlegym.user_models.components.basket_size import GRID, fit_basket_size
from bundlegym.user_models.components.complementarity import _sums
from bundlegym.user_models.components.preferences import Preferences
from bundlegym.user_models.numeric.row_stable import row_stable_matmul
from bundlegym.user_models.registry import FAMILIES, fit_family
from bundlegym.user_models.requirements import cannot_learn, lacking
from tests.user_models.logs import weekly_lines

WEEKS = 8


def made(bought: list[np.ndarray], config: DataConfig | None = None) -> Dataset:
    log = Log(name="made", transactions=weekly_lines([tuple(lines) for lines in bought]))
    return build_dataset(log, config or DataConfig(min_purchases=1))


def some_lines(shoppers: range, items: int = 20, seed: int = 0) -> np.ndarray:
    """(2, P) shopper and item: two items each."""
    rng = np.random.default_rng(seed)
    return np.stack([np.repeat(shoppers, 2), rng.integers(items, size=2 * len(shoppers))])


@pytest.fixture(scope="module")
def late() -> Dataset:
    """30 shoppers each week; the last five codes come in the last week only."""
    weeks = [some_lines(range(30), seed=week) for week in range(WEEKS - 1)]
    return made([*weeks, some_lines(range(35), seed=99)])


def test_trips_of_shoppers_who_come_after_the_fit(late):
    found = fit_basket_size(late, late.split.train_weeks, ~late.split.held_out)
    assert found.size_cdf.shape == (late.n_shoppers, len(GRID))
    np.testing.assert_allclose(found.size_cdf[:, -1], 1, rtol=1e-5)


def test_sums_by_code_have_a_row_a_code():
    assert _sums(np.array([0, 2, 2]), np.ones((3, 2))).tolist() == [[1, 1], [0, 0], [2, 2]]
    assert _sums(np.zeros(0, dtype=np.int64), np.ones((0, 2))).shape == (0, 2)


def test_preferences_of_fewer_shoppers_than_factors(late):
    few = np.arange(late.n_shoppers) < 4
    preferences = Preferences.fit(late, late.split.train_weeks, few)
    assert np.isfinite(preferences.of(np.arange(late.n_shoppers)).table()).all()


@pytest.mark.parametrize("n, m, h", [(40, 3, 0), (0, 3, 2), (5, 0, 2), (40, 3, 2)])
def test_products_of_any_size(n, m, h):
    """A shop of one category has no missions, so no columns."""
    x, weight = torch.randn(n, h), torch.randn(m, h)
    torch.testing.assert_close(row_stable_matmul(x, weight), x @ weight.T)


def one_visit_each() -> Dataset:
    return made([some_lines(range(80 * week, 80 * week + 80), seed=week) for week in range(WEEKS)])


def test_what_the_log_tells_nothing_of_is_said(late):
    weeks, shoppers = late.split.train_weeks, ~late.split.held_out
    text = " ".join(cannot_learn(late, weeks, shoppers))
    assert "no price moves" in text and "displayed or mailed" in text and "comes twice" not in text
    once = one_visit_each()
    assert "no shopper comes twice" in " ".join(cannot_learn(once, weeks, ~once.split.held_out))
    moving = dataclasses.replace(late, shelf_price=late.shelf_price * np.linspace(0.5, 1, late.n_weeks))
    assert "no price moves" not in " ".join(cannot_learn(moving, weeks, shoppers))


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "replay"])
def test_too_little_is_said_before_a_fit(family, late):
    nobody = np.arange(late.n_shoppers) < 2
    said: list[str] = []
    with pytest.raises(UserError, match=f"holds . visits of 2 shoppers; the user model '{family}' needs at"):
        fit_family(family, late, shoppers=nobody, progress=said.append)
    assert not said
    assert lacking("replay", late, late.split.train_weeks, nobody) == ""


def test_lookalikes_need_somebody_who_comes_twice():
    once = one_visit_each()
    said: list[str] = []
    with pytest.raises(UserError, match="comes twice"):
        fit_family("lookalike", once, weeks=(0, 6), progress=said.append)
    assert not said


def test_one_visit_each_can_be_fitted(few_steps):
    once = one_visit_each()
    said: list[str] = []
    model = fit_family("choice", once, weeks=(0, 6), epochs=1, progress=said.append)
    assert "no shopper comes twice" in said[0]
    for (_, name, spec), (_, value) in zip(model.params.specs(), model.params.leaves(), strict=True):
        assert spec.with_error or not value.is_floating_point() or value.isfinite().all(), name


def test_fidelity_says_before_the_fit_that_nothing_can_be_compared(late):
    with pytest.raises(UserError, match="fidelity needs 50 of 10"):
        fidelity("choice", late, progress=lambda text: pytest.fail(text))
