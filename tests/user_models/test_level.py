"""What a level is measured by, and how classes of baskets become sizes of trips."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.level import _figures, fit_level
from bundlegym.user_models.tape import real_tape, simulated_tape
from bundlegym.user_models.trips import GRID, SIZE_EDGES, on_grid


def test_small_baskets_have_shares_of_their_own():
    # 4,000 baskets of one item of category 0, 400 of ten items of categories 0 and 1 alike.
    visit = np.r_[np.arange(4_000), 4_000 + np.repeat(np.arange(400), 10)]
    item = np.r_[np.zeros(4_000, np.int64), np.tile(np.arange(10), 400)]
    tape = pd.DataFrame({"visit": visit, "shopper": visit % 50, "day": visit // 50, "item": item})
    share = _figures(tape, category=np.arange(10) % 2)["category_level"]
    assert share.shape == (len(SIZE_EDGES) + 1, 2)
    assert share.sum(1) == pytest.approx(1.0)
    assert share[0, 0] > 0.9  # one line
    assert share[np.digitize(10, SIZE_EDGES), 0] == pytest.approx(0.5, abs=0.1)
    # A size that no basket has is taken to be like all.
    assert share[-1, 0] == pytest.approx(0.75, abs=0.01)


def test_between_classes_of_baskets_trips_lie_in_between():
    by_class = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    grid = on_grid(by_class)
    assert grid.shape == GRID.shape
    assert (np.diff(grid) >= 0).all() and grid[0] == 0.0 and grid[-1] == 5.0
    assert on_grid(np.stack([by_class, 2 * by_class], 1))[:, 1] == pytest.approx(2 * grid)


def test_a_level_that_is_far_off_is_found(dataset, user_model):
    tensors = user_model.tensors
    model = ChoiceShopper({**tensors, "trip_gap": tensors["trip_gap"] + 0.5})
    weeks, known = dataset.split.train_weeks, np.flatnonzero(~dataset.split.held_out)
    last = (weeks[1] - (weeks[1] - weeks[0]) // 5, weeks[1])

    def lines(tape: pd.DataFrame) -> float:
        return len(tape) / tape["visit"].nunique()

    real = lines(real_tape(dataset, last, known))
    assert lines(simulated_tape(model, last, known, 99)) > 1.2 * real
    fit_level(model, model.tensors, dataset, weeks, ~dataset.split.held_out, seed=0)
    assert lines(simulated_tape(model, last, known, 99)) == pytest.approx(real, rel=0.05)
