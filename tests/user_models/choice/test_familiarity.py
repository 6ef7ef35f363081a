"""What the time since last bought does is found for favourites and for others apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models.choice.estimation.coefficients import fit_coefficients
from bundlegym.user_models.components.marketing import familiarity
from tests.user_models.logs import weekly_lines

SHOPPERS, ITEMS, WEEKS, FAVOURITES = 400, 60, 40, 3
STOCKED = -2.0  # on a favourite's log rate in the week after it was bought


def draw() -> Dataset:
    """Favourites, three a shopper, are bought in every other week or so, since they are then used up; of the
    others all shoppers like all alike and always."""
    rng = np.random.default_rng(0)
    favourite = rng.permuted(
        np.arange(SHOPPERS * ITEMS).reshape(SHOPPERS, ITEMS) % ITEMS < FAVOURITES, axis=1
    )
    stocked, baskets = np.zeros_like(favourite), []
    for _ in range(WEEKS):
        rate = np.where(favourite, np.exp(STOCKED * stocked), 0.05)
        bought = rng.random(rate.shape) < 1 - np.exp(-rate)
        stocked = bought & favourite
        baskets.append(np.nonzero(bought))
    names = [f"c{i % 10}" for i in range(ITEMS)]
    items = pd.DataFrame({"item": np.arange(ITEMS), "category": names, "subcategory": names})
    log = Log("known", weekly_lines(baskets), items=items)
    return build_dataset(log, DataConfig(log="known", min_purchases=1))


def test_only_favourites_are_stocked() -> None:
    found = fit_coefficients(
        draw(), (0, WEEKS), np.ones(SHOPPERS, bool), ITEMS, epochs=30, seed=0, progress=lambda _: None
    )
    recency = found.recency.numpy()
    # An item is in a basket once, so coefficients are of the odds of a rate's purchase, exp(rate) - 1. A week
    # is half of a favourite's interval; after two weeks it is due.
    wanted = np.log(np.expm1(1.0) / np.expm1(np.exp(STOCKED)))
    assert recency[-1, 6] - recency[-1, 4] == pytest.approx(wanted, abs=0.3)
    assert np.ptp(recency[2, 3:6]) < 0.3


PROMOTED = 1.0  # on the log rate of an item that the shopper has not bought before


def draw_promoted() -> Dataset:
    """Each week a fifth of the items is on display, which moves only those who have never bought them."""
    rng = np.random.default_rng(1)
    known, baskets, rows = np.zeros((SHOPPERS, 150), dtype=bool), [], []
    liking = np.exp(rng.normal(0, 1, known.shape)) * 0.01
    for week in range(WEEKS):
        display = rng.random(150) < 0.2
        rate = liking * np.exp(PROMOTED * (display & ~known))
        bought = rng.random(rate.shape) < 1 - np.exp(-rate)
        known |= bought
        baskets.append(np.nonzero(bought))
        rows.append(pd.DataFrame({"item": np.flatnonzero(display), "week": week + 1}))
    names = [f"c{i % 10}" for i in range(150)]
    items = pd.DataFrame({"item": np.arange(150), "category": names, "subcategory": names})
    promotions = pd.concat(rows).assign(display=1.0, mailer=0.0)
    log = Log("known", weekly_lines(baskets), items=items, promotions=promotions)
    return build_dataset(log, DataConfig(log="known", min_purchases=1))


def test_who_does_not_know_an_item_is_most_sensitive_to_its_display() -> None:
    found = fit_coefficients(
        draw_promoted(), (0, WEEKS), np.ones(SHOPPERS, bool), 150, epochs=30, seed=0, progress=lambda _: None
    )
    effect = float(found.display) * found.promotion_sensitivity.numpy()
    assert effect[0] == pytest.approx(PROMOTED, abs=0.15)
    assert (
        np.abs(effect[2:4]).max() < 0.35
    )  # a prior of equal sensitivities draws them up where lines are few


def test_classes_rise_with_lines_and_none_is_the_first() -> None:
    lines = np.array([[50.0, 0.0, 0.4, 3.0]], dtype=np.float32)
    assert familiarity(lines).tolist() == [[5, 0, 1, 3]]
