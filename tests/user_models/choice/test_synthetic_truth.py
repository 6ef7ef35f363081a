"""A fit on the default environment's log finds what the log is drawn from."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.data import Dataset, synthetic_dataset, truth
from bundlegym.data.synthetic import LOGS
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.components.complementarity import synergy_share
from bundlegym.user_models.components.marketing import steadily_sold
from bundlegym.user_models.components.trip_effects import shares_by_category
from bundlegym.user_models.components.wear_out import fit_wear_out
from tests.user_models.some import all_but

TRUTH = truth()


@pytest.fixture(scope="module")
def year() -> Dataset:
    return synthetic_dataset(**LOGS["synthetic-year"])


@pytest.fixture(scope="module")
def fitted(year: Dataset) -> ChoiceShopper:
    kept = all_but("complementarity", "promotion_sensitivity", "recency", "attribute_tastes", "wear_out")
    return ChoiceShopper.fit(year, without=kept, progress=lambda _: None)


def test_wear_out(year: Dataset) -> None:
    weeks = year.split.train_weeks
    found = fit_wear_out(year, weeks, ~year.split.held_out, steadily_sold(year, weeks))
    assert (found.standard_error < 0.1).all()
    assert (abs(found.measured - TRUTH.wear_out) <= 2 * found.standard_error).all()
    # An item is bought once a visit at most, so whatever raises its rate raises its lines a little less.
    assert found.mailer[0] == pytest.approx(TRUTH.mailer, rel=0.25)
    assert found.elasticity == pytest.approx(TRUTH.elasticity, rel=0.2)
    assert found.display == pytest.approx(TRUTH.display, rel=0.2)


def test_price_display_and_mailer(year: Dataset, fitted: ChoiceShopper) -> None:
    found = fitted.params.coefficients
    assert float(found.price.mean()) == pytest.approx(-TRUTH.elasticity, rel=0.15)
    assert float(found.display) == pytest.approx(TRUTH.display, rel=0.25)
    # One coefficient for all weeks of a run: the mean of what they do.
    weeks = fit_wear_out(year, year.split.train_weeks, ~year.split.held_out, _everything(year)).item_weeks
    usual = TRUTH.mailer * np.average(TRUTH.wear_out, weights=weeks)
    assert float(found.mailer) == pytest.approx(usual, rel=0.25)


def test_synergy(year: Dataset, fitted: ChoiceShopper) -> None:
    weeks, shoppers = year.split.train_weeks, ~year.split.held_out
    effect = (fitted.params.marketing.price_effect + fitted.params.marketing.promotion_effect).numpy()
    frequency = shares_by_category(year, weeks, shoppers)
    share, error = synergy_share(year, frequency, effect, weeks, shoppers)
    # Either of two raises the other and nothing else lifts them: half of the lift in either direction.
    assert share > 3 * error and share == pytest.approx(0.5, abs=2 * error)
    found = fitted.params.complementarity.synergy.numpy()
    code = dict(zip(year.items["category"], frequency.category, strict=True))
    planted = np.zeros(found.shape, dtype=bool)
    for first, second in TRUTH.complements:
        planted[code[first], code[second]] = planted[code[second], code[first]] = True
    # On the log rate of the average basket, which holds the complement at times and so is raised itself.
    assert 0.3 < found[planted].mean() < TRUTH.synergy
    assert abs(found[~planted].mean()) < 0.1
    assert found[planted].min() > found[~planted].max()


def _everything(year: Dataset) -> np.ndarray:
    return np.ones(year.n_items, dtype=bool)
