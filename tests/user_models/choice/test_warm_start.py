"""A fit that goes on from an earlier one keeps what takes long, under the codes of the longer log."""

from __future__ import annotations

import numpy as np
import torch

from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.estimation.warm_start import carried, groups_before
from bundlegym.user_models.components.basket_size import off_grid, on_grid

KEPT = (
    "coefficients",
    "subcategory_factors",
    "missions",
    "complementarity",
    "substitution",
    "exploration",
    "state_dependence",
)


def test_groups_are_found_again_by_known_items():
    before = np.array([0, 0, 1, 2])
    now = np.array([3, 3, 0, 2, 1, 3])  # one more group, 1, comes with the fifth item
    np.testing.assert_array_equal(groups_before(now, before), [1, -1, 2, 0])


def test_a_new_group_gets_the_mean_of_all():
    table = torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])
    found = carried(table, np.array([2, -1, 0]), axis=1)
    torch.testing.assert_close(found, torch.tensor([[6.0, 3.0, 1.0], [3.0, 1.0, 0.0]]))


def test_constants_on_trips_are_those_of_classes():
    of_classes = np.random.default_rng(0).normal(size=(6, 5))
    np.testing.assert_allclose(off_grid(on_grid(of_classes)), of_classes, atol=1e-9)


def test_a_fit_goes_on(dataset, user_model):
    first, end = dataset.split.train_weeks
    weeks, said = (first, end + 1), list[str]()
    later = ChoiceShopper.fit(dataset, weeks=weeks, start=user_model, progress=said.append)
    old, new = user_model.params, later.params
    for part in KEPT:
        for name, value in getattr(old, part).leaves():
            torch.testing.assert_close(dict(new.leaves())[name], value, msg=name)
    assert not any("epoch" in text for text in said)
    assert int(new.trials.first_trial_week) == end + 1
    assert not old.incidence.visit_rate.equal(new.incidence.visit_rate)
    assert new.incidence.hazard_day.equal(old.incidence.hazard_day)
    assert new.quantity.units_cdf.equal(old.quantity.units_cdf)
    assert not new.quantity.log_units.equal(old.quantity.log_units)
    assert not list(new.faults())
