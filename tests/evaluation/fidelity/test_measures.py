"""Each measure of fidelity on samples whose answer is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from bundlegym.data import visit_rows
from bundlegym.evaluation.fidelity import baskets, calibration, distributions, two_sample
from bundlegym.evaluation.fidelity.page import write_page
from bundlegym.evaluation.fidelity.report import as_json, as_text, compare
from bundlegym.evaluation.fidelity.response import conditional_poisson, offer_elasticity
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.base import Offer, Response, State, UserModel
from bundlegym.user_models.panel import logged_panel, simulated_panel
from bundlegym.user_models.rng.counter import Draws

ALL_TREES = two_sample.TREES  # before `few_trees` of tests/world.py
ORANGE_JUICE = Path(__file__).resolve().parents[4] / "shared/data/bayesm_scanner/orangeJuice_yx.csv.gz"


@pytest.fixture(scope="module")
def shoppers(dataset) -> np.ndarray:
    return np.arange(dataset.n_shoppers)


@pytest.fixture(scope="module")
def panel(dataset, shoppers) -> pd.DataFrame:
    return logged_panel(dataset, dataset.split.test_weeks, shoppers)


def test_a_simulated_panel_has_a_logged_ones_columns_and_weeks(dataset, user_model, shoppers, panel):
    simulated = simulated_panel(user_model, dataset.split.test_weeks, shoppers)
    assert list(simulated.columns) == list(panel.columns)
    first, end = dataset.split.test_weeks
    assert simulated["week"].between(first, end - 1).all()
    assert (simulated["day"] // 7 == simulated["week"]).all()
    again = simulated_panel(user_model, dataset.split.test_weeks, shoppers)
    assert simulated.equals(again)


def test_a_log_is_like_itself(dataset, shoppers, panel):
    sample = distributions.eight(panel, dataset, dataset.split.test_weeks, shoppers)
    assert list(sample) == list(distributions.RETAILSYNTH)
    assert set(distributions.ks_complements(sample, sample).values()) == {1.0}


def test_ks_complement_is_one_less_the_greatest_distance():
    found = distributions.ks_complements({"x": np.arange(100.0)}, {"x": np.arange(100.0) + 25})
    assert found["x"] == pytest.approx(0.75)


def test_one_value_has_no_distribution_and_nothing_is_unlike_everything():
    real, none = np.arange(9.0), np.empty(0)
    assert np.isnan(distributions.ks_complements({"x": real[:1]}, {"x": real[:1]})["x"])
    assert distributions.ks_complements({"x": real}, {"x": none})["x"] == 0


def test_lift_of_independent_items_is_one_and_of_twins_is_inverse_frequency():
    rng = np.random.default_rng(0)
    held = rng.random((20_000, 3)) < 0.2
    held[:, 2] = held[:, 0]
    visit, item = np.nonzero(held)
    panel = pd.DataFrame({"visit": visit, "item": item})
    lift = baskets.lifts(panel, np.arange(3), np.array([[0, 1], [0, 2]]))
    share = held.any(1).mean()  # visits that hold nothing are not on a panel
    assert lift[0] / share == pytest.approx(1.0, abs=0.05)
    assert lift[1] / share == pytest.approx(5.0, rel=0.05)


def test_luck_is_the_calibration_error_of_a_perfect_model() -> None:
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        chance = rng.uniform(0.1, 0.6, (40, 10))
        one, other = rng.binomial(8, chance, (2, *chance.shape)) / 8
        curve = calibration.calibration_curve(one, other, rng.random(chance.shape) < chance)
        errors = calibration.calibration_errors(curve)
        found.append((errors["calibration_error"], calibration.calibration_error_of_luck(curve, chance.size)))
    real, luck = np.mean(found, 0)
    assert luck == pytest.approx(real, rel=0.15)


def test_calibration_error_of_a_shifted_prediction_is_the_shift():
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.1, 0.6, (400, 200))
    happened = (rng.random(chance.shape) < chance).astype(float)
    good = calibration.calibration_errors(calibration.calibration_curve(chance, chance, happened))
    bad = calibration.calibration_errors(calibration.calibration_curve(chance, chance + 0.1, happened))
    assert good["calibration_error"] < 0.01
    assert bad["calibration_error"] == pytest.approx(0.1, abs=0.01)


@pytest.fixture
def all_trees(monkeypatch):
    """Of the classifier, as many as there are for a user."""
    monkeypatch.setattr(two_sample, "TREES", ALL_TREES)


@pytest.mark.usefixtures("all_trees")
def test_a_classifier_finds_a_difference_and_finds_none(dataset, panel):
    first = dataset.split.test_weeks[0]
    features = two_sample.basket_features(panel, dataset, first)
    assert not {"item", "day", "visit"} & set(features.columns)
    rng = np.random.default_rng(0)
    half = rng.permutation(len(features)) < len(features) // 2
    same = two_sample.two_sample_auc(features[half], features[~half])
    assert same["low"] - 0.05 < 0.5 < same["high"] + 0.05
    dearer = features.assign(value=features["value"] * 3)
    assert two_sample.two_sample_auc(features, dearer)["auc"] > 0.8


def test_the_area_under_the_curve_of_resampled_rows_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    label, score = rng.integers(0, 2, 200), rng.integers(0, 20, 200) / 7  # many are equal
    pick = rng.integers(0, 200, 200)
    found = two_sample._auc(label, two_sample._steps(score), np.bincount(pick, minlength=200))
    assert found == pytest.approx(roc_auc_score(label[pick], score[pick]))


@pytest.mark.usefixtures("all_trees")
@pytest.mark.parametrize("departments", [1, 2, 9])
@pytest.mark.parametrize("features", two_sample.FEATURES)
def test_two_halves_of_one_log_cannot_be_told_apart(dataset, panel, departments: int, features: str):
    kinds = np.array([f"d{code}" if departments > 1 else "" for code in range(departments)])
    items = dataset.items.assign(department=kinds[np.arange(dataset.n_items) % departments])
    few, first = dataclasses.replace(dataset, items=items), dataset.split.test_weeks[0]
    cell = panel["shopper"] * 1000 + panel["week"]
    chosen = np.random.default_rng(1).permutation(cell.unique())[::2]
    halves = [panel[cell.isin(chosen)], panel[~cell.isin(chosen)]]
    told = two_sample.two_sample_auc(*(two_sample.FEATURES[features](half, few, first) for half in halves))  # type: ignore[arg-type]
    assert told["low"] < 0.5 < told["auc"] + 0.1


def test_a_department_from_which_a_side_bought_nothing_is_no_missing_column(dataset, panel):
    items = dataset.items.assign(department=np.array(["a", "b", "c"])[np.arange(dataset.n_items) % 3])
    three, first = dataclasses.replace(dataset, items=items), dataset.split.test_weeks[0]
    without_b = panel[three.department_code[panel["item"]] != 1]
    tables = [two_sample.basket_features(one, three, first) for one in (panel, without_b)]
    assert list(tables[0].columns) == list(tables[1].columns)
    assert (tables[1]["department_1"] == 0).all()


@pytest.mark.usefixtures("all_trees")
def test_a_classifier_bears_a_column_of_which_nothing_is_known(dataset, panel):
    """Nobody came twice, so days since the last visit are not known."""
    features = two_sample.basket_features(panel, dataset, dataset.split.test_weeks[0]).assign(gap=np.nan)
    half = np.arange(len(features)) % 2 == 0
    told = two_sample.two_sample_auc(features[half], features[~half])
    assert 0.3 < told["auc"] < 0.7 and told["low"] <= told["auc"] <= told["high"]
    few = features[features["shopper"].isin(features["shopper"].unique()[:3])]
    assert np.isnan(two_sample.two_sample_auc(few, few)["auc"])
    assert np.isnan(two_sample.two_sample_auc(features, features[:0])["auc"])


def test_conditional_poisson_finds_its_own_coefficients():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.5, (60, 40, 2))
    rate = np.exp(rng.normal(2, 1, (60, 1)) + x @ np.array([-2.0, 0.7]))
    found, error = conditional_poisson(rng.poisson(rate).astype(float), x, np.zeros(40))
    np.testing.assert_allclose(found, [-2.0, 0.7], atol=0.05)
    assert (np.abs(found - [-2.0, 0.7]) < 3 * error).all() and (error < 0.05).all()


def test_an_offered_items_elasticity_is_the_slope_of_the_model(dataset, user_model):
    rows = visit_rows(dataset, dataset.split.test_weeks, np.ones(dataset.n_shoppers, dtype=bool))
    found = []
    for slope in (1.0, 3.0):
        marketing = user_model.params.marketing
        params = user_model.params.changed(
            price_slope=torch.full_like(marketing.price_slope, slope),
            price_sensitivity=torch.ones_like(marketing.price_sensitivity),
        )
        found.append(-offer_elasticity(ChoiceShopper(params), dataset, rows))
    # Chances near 1 cannot rise as far as the rate does.
    assert 0.5 < found[0] <= 1.05 and 1.5 < found[1] <= 3.1 and found[1] > 2 * found[0]


@pytest.mark.skipif(not ORANGE_JUICE.exists(), reason="the bayesm scanner data are not at shared/data")
def test_orange_juice_has_its_known_elasticity_and_feature_multiplier():
    """Log-log regressions by brand with store effects, all brands' prices, deal and feature give a mean
    own-price elasticity of -2.86 and a feature multiplier of 1.87."""
    data = pd.read_csv(ORANGE_JUICE)
    prices = np.log(data[[f"price{i}" for i in range(1, 12)]].to_numpy())
    store, week = (pd.factorize(data[name], sort=True)[0] for name in ("store", "week"))
    found = []
    for brand in range(1, 12):
        mine = (data["brand"] == brand).to_numpy()
        cell = store[mine], week[mine]
        units, x = (
            np.zeros((store.max() + 1, week.max() + 1)),
            np.zeros((store.max() + 1, week.max() + 1, 13)),
        )
        absent = np.full(units.shape, -1e3)  # no exposure in weeks without a record
        units[cell], absent[cell] = np.exp(data["logmove"][mine]) / 100, 0.0
        x[cell] = np.column_stack([prices[mine], data["deal"][mine], data["feat"][mine]])
        beta, _ = conditional_poisson(units, x, absent)
        found.append((beta[brand - 1], beta[-1]))
    elasticity, feature = np.mean(found, axis=0)
    assert elasticity == pytest.approx(-2.86, rel=0.1)
    assert np.exp(feature) == pytest.approx(1.87, rel=0.1)


class Nobody(UserModel):
    """Shoppers who never come."""

    device = torch.device("cpu")

    def reset(self, shopper: torch.Tensor, day: torch.Tensor) -> State:
        return {"shopper": shopper}

    def arrive(self, shopper: torch.Tensor, day: torch.Tensor, draws: Draws) -> torch.Tensor:
        return day + 10_000

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        none = torch.zeros(0, dtype=torch.int64)
        here = torch.zeros(len(state["shopper"]), dtype=torch.int64)
        return Response(here, none, none, none, none.float(), here + 1, here == 0), state


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_model_whose_shoppers_never_come_gets_figures_or_none(dataset, tmp_path):
    compared = compare("nobody", Nobody(), dataset, dataset.split.test_weeks, progress=lambda _: None)
    content = as_json("nobody", dataset, compared)
    assert content["base_rates"]["visits_per_shopper_week"]["simulated"] == 0
    assert content["two_sample_auc"] is None and "nobody" in (text := as_text(content))
    write_page(tmp_path, content, compared["known"].samples, text)


def test_the_page_bears_figures_of_which_nothing_is_known(dataset, tmp_path):
    names = [*distributions.RETAILSYNTH, "basket_size", "basket_value", "days_between_visits"]
    names += ["days_between_purchases", "lift_categories", "lift_items", "elasticity", "calibration"]
    content: dict = {"user_model": "none", "log": "none", "calibration_error": None, "ks_complement_more": {}}
    content["ks_complement"] = dict.fromkeys(names, 0.0)
    samples = {name: (np.empty(0), np.empty(0)) for name in names}
    assert write_page(tmp_path, content, samples, "text").exists()
