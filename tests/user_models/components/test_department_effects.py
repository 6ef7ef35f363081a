"""Small trips are often for one department: simulations hold as many pairs of its lines as the log."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.user_models import ChoiceShopper, Draws
from bundlegym.user_models.choice.reference.utility import department_effect
from bundlegym.user_models.components.basket_size import GRID
from bundlegym.user_models.components.department_effects import department_pairs, fit_department_spread
from bundlegym.user_models.panel import simulated_panel


def test_pairs_are_counted_by_size_of_basket_beside_shares() -> None:
    # 100 baskets of two lines of department 0, 100 of two of department 1, 100 of one line of each.
    visit = np.repeat(np.arange(300), 2)
    item = np.r_[np.tile([0, 1], 100), np.tile([2, 3], 100), np.tile([0, 2], 100)]
    pairs = department_pairs(pd.DataFrame({"visit": visit, "item": item}), np.array([0, 0, 1, 1]), 2)
    assert pairs[0, 1].tolist() == [200, 200]  # ordered pairs in baskets of two or three lines
    assert pairs[1, 1] == pytest.approx([600 / 4, 600 / 4])
    assert not pairs[:, [0, 2, 3, 4, 5]].any()


@pytest.fixture(scope="module")
def tensors(dataset) -> dict[str, torch.Tensor]:
    found = ChoiceShopper.fit(dataset, epochs=1, progress=lambda _: None).tensors
    return found | {"department_spread": torch.zeros_like(found["department_spread"])}


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_spread_of_a_simulated_log_comes_out(dataset, tensors, spread: float) -> None:
    last = dataset.split.train_weeks[1]
    weeks, everyone = (last - 6, last), np.arange(dataset.n_shoppers)
    wanted = torch.full_like(params.department_trips.department_spread, spread)
    world = ChoiceShopper(tensors | {"department_spread": wanted})
    panels = [simulated_panel(world, weeks, everyone, 90 + i) for i in range(4)]
    panel = pd.concat([panel.assign(visit=panel["visit"] + 1_000_000 * i) for i, panel in enumerate(panels)])
    model = ChoiceShopper(dict(tensors))
    found = fit_department_spread(model, model.tensors, panel, weeks, everyone, seed=0)
    assert found.shape == (len(GRID), wanted.shape[1])
    middle = found[(GRID > 2) & (GRID < 20)].mean()  # of others this log holds few baskets
    assert middle == pytest.approx(spread, abs=0.25)


def test_what_departments_add_leaves_rates_as_they_are_on_average(tensors) -> None:
    n = 20_000
    t = tensors | {"department_spread": torch.full_like(params.department_trips.department_spread, 0.8)}
    draws = Draws(0, torch.arange(n), torch.zeros(n, dtype=torch.int64))
    shift = department_effect(t, draws, torch.zeros(n, dtype=torch.int64))
    assert shift.exp().mean(0).numpy() == pytest.approx(1.0, abs=0.03)
    one, other = (p.catalogue.department_of_category == d for d in (0, 1))
    assert (shift[:, one] == shift[:, one][:, :1]).all()
    assert abs(np.corrcoef(shift[:, one][:, 0], shift[:, other][:, 0])[0, 1]) < 0.03
