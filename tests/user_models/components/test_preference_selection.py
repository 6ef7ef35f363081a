"""Weights of preferences follow what the log at hand shows, and stay where it shows little."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from bundlegym.data import DataConfig, Dataset, Log, build_dataset, part_of
from bundlegym.user_models.components import preference_selection
from bundlegym.user_models.components.preference_selection import choose_preferences
from bundlegym.user_models.components.preferences import Preferences, PreferencesConfig
from bundlegym.user_models.components.shopper_factors import ShopperFactors

SHOPPERS, WEEKS, ITEMS, LINES = 150, 20, 60, 6


def drawn(habit: float, shoppers: int = SHOPPERS) -> Dataset:
    """A share `habit` of a shopper's lines is of five items of one's own, the rest of what all buy."""
    rng = np.random.default_rng(0)
    popularity = rng.dirichlet(np.full(ITEMS, 0.7))
    own = np.argsort(rng.random((shoppers, ITEMS)), 1)[:, :5]
    rows = []
    for shopper in range(shoppers):
        for week in range(WEEKS):
            usual = rng.random(LINES) < habit
            item = np.where(usual, rng.choice(own[shopper], LINES), rng.choice(ITEMS, LINES, p=popularity))
            rows += [(shopper, week, one) for one in np.unique(item)]
    shopper, week, item = np.array(rows).T
    lines = pd.DataFrame(
        {
            "shopper": shopper,
            "basket": shopper * WEEKS + week,
            "item": item,
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * week + 1, unit="D"),
            "quantity": 1,
            "price_paid": 1.0,
            "list_price": 1.0,
        }
    )
    items = pd.DataFrame({"item": np.arange(ITEMS), "category": [f"c{i % 6}" for i in range(ITEMS)]})
    log = Log(name="drawn", transactions=lines, items=items, shoppers=None, promotions=None, notes=())
    return build_dataset(log, DataConfig(log="drawn", min_purchases=1))


def chosen(dataset: Dataset, weeks: tuple[int, int] = (0, WEEKS)) -> PreferencesConfig:
    everyone = np.ones(dataset.n_shoppers, dtype=bool)
    found = choose_preferences(dataset, weeks, everyone, seed=0, progress=lambda _: None)
    return found.applied_to(PreferencesConfig())


def test_without_habits_the_shops_averages_weigh_more_than_with_them() -> None:
    alike, habitual = chosen(drawn(0.0)), chosen(drawn(0.8))
    assert alike.item_weight > PreferencesConfig().item_weight >= habitual.item_weight


def test_what_is_chosen_forecasts_better() -> None:
    dataset = drawn(0.0)
    everyone = np.ones(dataset.n_shoppers, dtype=bool)
    later = dataset.visits["week"].to_numpy()[dataset.purchases["visit"]] >= 16
    shopper = dataset.visits["shopper"].to_numpy()[dataset.purchases["visit"]][later]
    item = dataset.purchases["item"].to_numpy()[later]

    def nats(config: PreferencesConfig) -> float:
        found = Preferences.fit(dataset, (0, 16), everyone, config=config)
        share = np.exp(found.of(np.flatnonzero(everyone)).table())
        return float(-np.log((share / share.sum(1, keepdims=True))[shopper, item]).mean())

    assert nats(chosen(dataset, (0, 16))) < nats(PreferencesConfig()) - 0.01


def test_a_few_lines_tell_nothing_but_that_any_item_is_possible() -> None:
    found = chosen(drawn(0.5, shoppers=12), weeks=(0, 2))
    assert dataclasses.replace(found, floor=PreferencesConfig().floor) == PreferencesConfig()


def test_a_part_of_a_log_is_its_shoppers_log(dataset: Dataset) -> None:
    some = np.array([3, 4, 11])
    part = part_of(dataset, some)
    assert part.shoppers["shopper"].tolist() == dataset.shoppers["shopper"].iloc[some].tolist()
    assert part.split.held_out.tolist() == dataset.split.held_out[some].tolist()
    for place, shopper in enumerate(some):
        theirs = [
            one.purchases.assign(shopper=one.visits["shopper"].to_numpy()[one.purchases["visit"]])
            .query("shopper == @code")["item"]
            .tolist()
            for one, code in ((part, place), (dataset, shopper))
        ]
        assert theirs[0] == theirs[1]
    assert dataclasses.replace(part).n_items == dataset.n_items


@pytest.mark.parametrize("without", [(), ("trend", "shopper_factors")])
def test_the_same_seed_chooses_the_same(without: tuple[str, ...]) -> None:
    dataset, everyone = drawn(0.3), np.ones(SHOPPERS, dtype=bool)
    first, second = (
        choose_preferences(dataset, (0, WEEKS), everyone, 1, without, progress=lambda _: None)
        for _ in range(2)
    )
    assert first.chosen.tolist() == second.chosen.tolist()


def test_lines_are_factorised_once_a_half_life(monkeypatch: pytest.MonkeyPatch) -> None:
    half_lives, fit = [], preference_selection.fit_factors

    def noted(lines: csr_matrix, known: np.ndarray, config: PreferencesConfig) -> ShopperFactors:
        half_lives.append(config.half_life)
        return fit(lines, known, config)

    monkeypatch.setattr(preference_selection, "fit_factors", noted)
    found = chosen(drawn(0.3))
    assert len(half_lives) == len(set(half_lives)) and found.half_life in half_lives
