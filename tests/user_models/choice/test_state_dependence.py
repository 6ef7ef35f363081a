"""Habit after a trial is told from the liking that led to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models.choice.estimation.state_dependence import state_dependence_share
from tests.user_models.logs import weekly_lines

SHOPPERS, ITEMS, WEEKS = 800, 200, 36
EVERYONE = np.ones(SHOPPERS, dtype=bool)


def draw(spread: float, habit: float, seed: int) -> tuple[Dataset, np.ndarray]:
    """A log, and (WEEKS, ITEMS) what promotions added to log rates. Shoppers come in two weeks of three, for
    baskets of unlike size; preferences for an item differ by `spread`, and having bought it adds `habit` to
    its log rate ever after."""
    rng = np.random.default_rng(seed)
    log_rate = np.log(0.006) - spread**2 / 2 + rng.normal(0, spread, (SHOPPERS, ITEMS))
    effect = 1.8 * (rng.random((WEEKS, ITEMS)) < 0.15)
    tried = np.zeros((SHOPPERS, ITEMS), dtype=bool)
    baskets = []
    for week in range(WEEKS):
        size = rng.choice([0.0, 0.5, 2.5], (SHOPPERS, 1))
        bought = rng.random(tried.shape) < 1 - np.exp(-size * np.exp(log_rate + effect[week] + habit * tried))
        tried |= bought
        baskets.append(np.nonzero(bought))
    lines = weekly_lines(baskets)
    names = [f"c{i % 10}" for i in range(ITEMS)]
    items = pd.DataFrame({"item": np.arange(ITEMS), "category": names, "subcategory": names})
    log = Log("known", lines, items=items)
    return build_dataset(log, DataConfig(log="known", min_purchases=1)), effect


@pytest.mark.parametrize(("spread", "habit", "wanted"), [(1.2, 0.0, 0.0), (0.0, 1.5, 1.0)])
def test_habit_is_told_from_liking(spread: float, habit: float, wanted: float) -> None:
    answers = []
    for seed in range(3):
        dataset, effect = draw(spread, habit, seed)
        answers.append(state_dependence_share(dataset, (0, WEEKS), EVERYONE, effect))
    found, errors = np.array(answers).T
    error = np.sqrt((errors**2).sum()) / len(errors)
    assert error < 0.2
    assert found.mean() == pytest.approx(wanted, abs=2 * error)


def test_too_few_trials_tell_nothing() -> None:
    dataset, effect = draw(0.0, 0.0, 0)
    assert state_dependence_share(dataset, (0, 2), EVERYONE, effect) == (0.0, float("inf"))
