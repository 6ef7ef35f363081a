"""What sizes and size constants are measured by, and that a simulation is brought to the log's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.components.basket_size import GRID, SIZE_EDGES
from bundlegym.user_models.components.size_constants import (
    SizeConstantsConfig,
    _lines_by_size,
    _lines_in_all,
    _log_ratios,
    _visits,
    match_sizes,
)
from bundlegym.user_models.panel import logged_panel, simulated_panel


def test_small_baskets_have_lines_of_their_own():
    # 4,000 baskets of one item of code 0, 400 of ten items of codes 0 and 1 alike.
    visit = np.r_[np.arange(4_000), 4_000 + np.repeat(np.arange(400), 10)]
    item = np.r_[np.zeros(4_000, np.int64), np.tile(np.arange(10), 400)]
    panel = pd.DataFrame({"visit": visit, "shopper": visit % 50, "day": visit // 50, "item": item})
    lines = _lines_by_size(panel, code=np.arange(10) % 2)
    assert lines.shape == (len(SIZE_EDGES) + 1, 2)
    assert lines[0].tolist() == [4_000, 0]  # one line
    assert lines[np.digitize(10, SIZE_EDGES)].tolist() == [2_000, 2_000]
    assert lines.sum() == len(panel)


def test_sizes_come_from_all_weeks_and_how_much_from_the_last():
    everywhere = np.zeros((6, 2))
    everywhere[0], everywhere[5] = [8_000, 1_000], [2_000, 9_000]
    late = np.zeros((6, 2))
    late[0], late[5] = [500, 500], [500, 500]  # as much of either by now, of no size more than of another
    lines = _lines_in_all(everywhere, late, weight=20.0)
    assert lines.sum(1)[[0, 5]] == pytest.approx([10_000, 10_000])
    assert lines[0, 0] / lines[0, 1] == pytest.approx(8, rel=0.02)


def test_a_subcategory_of_which_little_is_known_is_like_its_category():
    free = np.tile([1_000.0, 1_000.0, 0.1, 1_000.0], (6, 1))
    lines = free.copy()
    lines[0, :3] *= 2
    constants = _log_ratios(lines, free, nested=[np.array([0, 0, 0, 1]), np.arange(4)], weight=20.0)
    assert constants[0] == pytest.approx(np.log([2, 2, 2, 1]), abs=0.03)
    assert constants[1:] == pytest.approx(0.0, abs=1e-6)


def test_mean_baskets_by_days_since_the_last_add_up_to_that_of_all():
    """Small baskets day by day of one shopper, big ones week by week of another: both as large as usual."""
    day_by_day = pd.DataFrame({"visit": np.repeat(np.arange(900), 2), "shopper": 0})
    week_by_week = pd.DataFrame({"visit": 900 + np.repeat(np.arange(100), 20), "shopper": 1})
    panel = pd.concat([day_by_day, week_by_week]).assign(item=0)
    panel["day"] = np.where(panel["shopper"] == 0, panel["visit"], 7 * (panel["visit"] - 900))
    factor = _visits(panel, np.log([2.0, 20.0]))["log_gap_factor"]
    assert factor == pytest.approx(np.full_like(factor, len(panel) / 1_000))


def test_sizes_that_are_far_off_are_found(dataset, user_model):
    params = user_model.params
    larger = params.basket_size.log_gap_factor + 0.5
    model = user_model.with_parameters(params.changed(log_gap_factor=larger))
    weeks, known = dataset.split.train_weeks, np.flatnonzero(~dataset.split.held_out)
    last = (weeks[1] - (weeks[1] - weeks[0]) // 5, weeks[1])

    def lines(panel: pd.DataFrame) -> float:
        return len(panel) / panel["visit"].nunique()

    real = lines(logged_panel(dataset, last, known))
    assert lines(simulated_panel(model, last, known, 99)) > 1.2 * real
    matched = match_sizes(model, dataset, weeks, ~dataset.split.held_out, seed=0)
    found = np.mean([lines(simulated_panel(matched, last, known, seed)) for seed in range(99, 107)])
    assert found == pytest.approx(real, rel=0.05)


def test_what_small_trips_are_for_is_found(dataset, user_model):
    """A fit starts from constants that make every other subcategory one for small trips, which the log knows
    nothing of. Hardly shrunk, since shrinkage alone leaves a third of it in so small a log; with two steps
    more than a fit has, which starts nearer."""
    params, constants = user_model.params, user_model.params.size_constants.size_constants
    side = torch.tensor([1.0, -1.0]).repeat(constants.shape[1] // 2)
    tilted = constants + torch.linspace(3.0, -3.0, len(GRID))[:, None] * side
    model = user_model.with_parameters(params.changed(size_constants=tilted))
    weeks, known = dataset.split.train_weeks, np.flatnonzero(~dataset.split.held_out)
    last = (weeks[1] - (weeks[1] - weeks[0]) // 5, weeks[1])

    def tilt(panel: pd.DataFrame) -> float:
        """How much more of these is in the smallest than in the biggest baskets."""
        lines = _lines_by_size(panel, params.catalogue.subcategory.numpy())
        small, big = (part @ side.numpy() / part.sum() for part in (lines[:3].sum(0), lines[4:].sum(0)))
        return float(small - big)

    def simulated(model: ChoiceShopper) -> float:
        return float(np.mean([tilt(simulated_panel(model, last, known, 99 + i)) for i in range(12)]))

    real, before = tilt(logged_panel(dataset, weeks, known)), simulated(model)
    config = SizeConstantsConfig(lines=1.0, simulations=(2, 2, 4, 12, 24, 24))
    after = simulated(match_sizes(model, dataset, weeks, ~dataset.split.held_out, seed=0, config=config))
    assert abs(before - real) > 0.2 and abs(after - real) < 0.3 * abs(before - real)
