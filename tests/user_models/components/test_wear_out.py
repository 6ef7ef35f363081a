"""Wear-out that was planted comes out, stockpiling is none, and a log without mailers says nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models.components.wear_out import (
    fit_wear_out,
    run_columns,
    run_weeks,
)
from bundlegym.user_models.numeric.poisson_fixed_effects import poisson_fixed_effects
from tests.user_models.logs import weekly_lines

SHOPPERS, ITEMS, WEEKS = 600, 90, 40
MAILER, DISPLAY, PRICE = 0.6, 0.5, -2.0
WEAR_OUT = np.array([1.0, 0.5, 0.2])
WHOLE, EVERYONE = (0, WEEKS), np.ones(SHOPPERS, dtype=bool)
ITEMS_ALL = np.ones(ITEMS, dtype=bool)


@cache
def draw(stock: float = 0.0, seed: int = 0) -> Dataset:
    """One visit a shopper and week. Mailers run for one to four weeks, price cuts and displays come apart
    from them and in them, departments have seasons, and who bought an item in the week before has a log rate
    less by `stock`."""
    rng = np.random.default_rng(seed)
    liking = np.log(0.06) + rng.normal(0, 0.8, (SHOPPERS, ITEMS))
    department = np.arange(ITEMS) % 3
    season = (0.3 * np.sin(np.arange(WEEKS) / 5 + rng.uniform(0, 6, (3, 1))))[department]
    mailer = np.zeros((ITEMS, WEEKS))
    for i in range(ITEMS):
        for start in np.flatnonzero(rng.random(WEEKS) < 0.06):
            mailer[i, start : start + rng.integers(1, 5)] = 1.0
    cut = rng.uniform(0.1, 0.3, (ITEMS, WEEKS)) * (rng.random((ITEMS, WEEKS)) < np.where(mailer, 0.5, 0.1))
    display = rng.uniform(0, 1, (ITEMS, WEEKS)) * (rng.random((ITEMS, WEEKS)) < 0.2)
    run = run_weeks(np.pad(mailer, ((0, 0), (1, 0))))[:, 1:]
    worn = MAILER * WEAR_OUT[run.clip(1, 3) - 1] * mailer
    push = worn + season + DISPLAY * display + PRICE * np.log(1 - cut)
    before, bought = np.zeros((SHOPPERS, ITEMS), dtype=bool), []
    for w in range(WEEKS):
        rate = np.exp(liking + push[:, w] - stock * before)
        before = rng.random((SHOPPERS, ITEMS)) < 1 - np.exp(-rate)
        bought.append(np.nonzero(before))
    lines = weekly_lines(bought)
    week = np.repeat(np.arange(WEEKS), [len(one[0]) for one in bought])
    lines["price_paid"] = 2.0 * (1 - cut[lines["item"], week])
    where = np.nonzero((display > 0) | (mailer > 0))
    promotions = pd.DataFrame(
        {"item": where[0], "week": where[1] + 1, "display": display[where], "mailer": mailer[where]}
    )
    lines["week"] = week + 1
    items = pd.DataFrame({"item": np.arange(ITEMS), "department": [f"d{d}" for d in department]})
    log = Log("known", lines, items=items, promotions=promotions)
    return build_dataset(log, DataConfig(log="known", min_purchases=1))


@pytest.mark.parametrize("known_buyers", [True, False])
def test_planted_wear_out_comes_out(known_buyers: bool) -> None:
    found = fit_wear_out(draw(), WHOLE, EVERYONE, ITEMS_ALL, known_buyers)
    assert found.factor[0] == found.measured[0] == 1 and found.standard_error[0] == 0
    assert (found.standard_error < 0.25).all()
    assert (abs(found.measured - WEAR_OUT) <= 2 * found.standard_error).all()
    # An item is bought once a visit at most, so whatever raises its rate raises its lines a little less.
    assert found.mailer[0] == pytest.approx(MAILER, rel=0.2) and found.mailer[0] < MAILER
    assert found.elasticity == pytest.approx(PRICE, rel=0.2)
    assert found.display == pytest.approx(DISPLAY, rel=0.2)
    assert abs(found.after) <= 3 * found.after_error
    assert (abs(found.factor - 1) <= abs(found.measured - 1)).all()


def test_stocking_up_shows_in_the_week_after_a_run() -> None:
    found = fit_wear_out(draw(stock=1.5), WHOLE, EVERYONE, ITEMS_ALL)
    plain = fit_wear_out(draw(), WHOLE, EVERYONE, ITEMS_ALL)
    assert found.after < -2.5 * found.after_error
    assert found.measured[1] < plain.measured[1] - 3 * plain.standard_error[1]


def test_a_log_without_mailers_or_without_runs_is_neutral() -> None:
    dataset = draw()
    none = replace(dataset, mailer=np.zeros_like(dataset.mailer))
    single = np.zeros_like(dataset.mailer)
    single[:, 1::3] = 1.0
    for silent in (none, replace(dataset, mailer=single)):
        found = fit_wear_out(silent, WHOLE, EVERYONE, ITEMS_ALL)
        assert found.factor.tolist() == [1, 1, 1] and np.isinf(found.standard_error).all()
        assert "none is assumed" in found.note


def test_weeks_of_a_run_are_counted_from_its_first() -> None:
    mailer = np.array([[1, 1, 0, 0.9, 1, 1, 1, 0], [0, 0.2, 1, np.nan, 1, 1, 0, 1]])
    run = run_weeks(mailer)
    assert run.tolist() == [[-1, -1, 0, 1, 2, 3, 4, 0], [0, 0, 1, -1, -1, -1, 0, 1]]
    first, second, third, other, after = run_columns(mailer, (0, 8))
    assert first[0].tolist() == [0, 0, 0, 0.9, 0, 0, 0, 0] and second[0, 4] == 1
    assert third[0].tolist() == [0, 0, 0, 0, 0, 1, 1, 0] and other[0, :2].tolist() == [1, 1]
    assert after[0].tolist() == [0, 0, 1, 0, 0, 0, 0, 1]
    assert other[1].tolist() == pytest.approx([0, 0.2, 0, 0, 1, 1, 0, 0]) and after[1, 6] == 1


def test_the_panel_regression_finds_its_own_coefficients_beside_both_effects() -> None:
    rng = np.random.default_rng(0)
    rows, periods, wanted = 150, 30, np.array([0.5, -1.0])
    group = np.arange(rows) % 4
    season = rng.normal(0, 0.5, (4, periods))[group]
    x = rng.normal(0, 0.5, (rows, periods, 2)) + season[:, :, None]  # confounded with the season
    exposure = rng.uniform(1, 5, (rows, periods)) * (rng.random((rows, periods)) < 0.9)
    rate = exposure * np.exp(x @ wanted + season + rng.normal(0, 1, (rows, 1)))
    found, covariance = poisson_fixed_effects(rng.poisson(rate).astype(float), x, exposure, group)
    error = np.sqrt(np.diag(covariance))
    assert (error < 0.05).all() and (abs(found - wanted) < 2.5 * error).all()
