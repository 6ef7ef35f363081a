"""On logs drawn from known parameters the fit finds them again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.recommenders import PersonalFrequency, category_synergy
from bundlegym.user_models.choice.estimation.coefficients import fit_coefficients
from bundlegym.user_models.components.complementarity import synergy_share
from bundlegym.user_models.components.marketing import Marketing
from bundlegym.user_models.components.preferences import Preferences

PRICE, DISPLAY = 2.0, 0.7
SHOPPERS, ITEMS, CATEGORIES, WEEKS = 500, 240, 30, 44
START = pd.Timestamp("2024-01-01")


@dataclass(frozen=True)
class World:
    dataset: Dataset
    log_rate: np.ndarray  # (SHOPPERS, ITEMS), of the drawn log, without price and promotion

    @property
    def weeks(self) -> tuple[int, int]:
        return 0, WEEKS


def draw(
    synergy: dict[tuple[int, int], float],
    alike: tuple[int, int] | None = None,
    seed: int = 0,
    competitor_discount: float = 0.0,
) -> World:
    """One visit a shopper and week; item i is of category i % CATEGORIES. Having bought from category a
    raises the log rate of category b by `synergy[a, b]`; who likes the one of `alike` likes the other as
    much. The mean log discount of the category's other items works on an item's log rate by
    `competitor_discount`.
    """
    rng = np.random.default_rng(seed)
    category = np.arange(ITEMS) % CATEGORIES
    liking = rng.normal(0, 0.8, (SHOPPERS, CATEGORIES))
    if alike:
        liking[:, alike[1]] = liking[:, alike[0]] = rng.normal(0, 1.2, SHOPPERS)
    log_rate = np.log(0.012) + liking[:, category] + rng.normal(0, 0.5, (SHOPPERS, ITEMS))
    log_rate += rng.normal(0, 0.3, ITEMS)
    promoted = rng.random((CATEGORIES, WEEKS)) < 0.25
    depth = np.where(promoted[category], rng.uniform(0.1, 0.4, (ITEMS, WEEKS)), 0.0)
    display = np.where(rng.random((ITEMS, WEEKS)) < 0.15, rng.uniform(0.2, 1, (ITEMS, WEEKS)), 0.0)
    list_price = np.round(rng.uniform(1, 6, ITEMS), 2)
    shelf_price = np.round(list_price[:, None] * (1 - depth), 2)
    rows = []
    for week in range(WEEKS):
        log_discount = np.log(list_price / shelf_price[:, week])
        total = np.bincount(category, log_discount)[category]
        others = (total - log_discount) / (ITEMS / CATEGORIES - 1)
        effect = PRICE * log_discount + DISPLAY * display[:, week] + competitor_discount * others
        rate, luck = np.exp(log_rate + effect), rng.random((SHOPPERS, ITEMS))
        bought = luck < 1 - np.exp(-rate)
        for (a, b), more in synergy.items():
            held = bought[:, category == a].any(1)
            mine = np.flatnonzero(category == b)
            raised = rate[:, mine] * np.exp(more * held)[:, None]
            bought[:, mine] = luck[:, mine] < 1 - np.exp(-raised)
        shopper, item = np.nonzero(bought)
        rows.append(pd.DataFrame({"shopper": shopper, "item": item, "week": week}))
    lines = pd.concat(rows, ignore_index=True)
    item, week = lines["item"].to_numpy(), lines["week"].to_numpy()  # type: ignore[assignment]
    transactions = pd.DataFrame(
        {
            "shopper": lines["shopper"],
            "basket": lines["shopper"] * WEEKS + week,
            "item": item,
            "time": START + pd.to_timedelta(7 * week + 2, unit="D"),
            "quantity": 1,
            "price_paid": shelf_price[item, week],
            "list_price": list_price[item],
            "week": week + 1,
        }
    )
    where = np.nonzero(display)
    promotions = pd.DataFrame(
        {"item": where[0], "week": where[1] + 1, "display": display[where], "mailer": 0.0}
    )
    names = [f"c{c:02d}" for c in category]
    items = pd.DataFrame(
        {"item": np.arange(ITEMS), "department": "D", "category": names, "subcategory": names, "brand": "B"}
    )
    log = Log("known", transactions, items=items, promotions=promotions)
    return World(build_dataset(log, DataConfig(log="known", min_purchases=1)), log_rate)


COMPLEMENTS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
SUBSTITUTES = ((10, 11), (12, 13), (14, 15))
ALIKE = (20, 21)


@pytest.fixture(scope="module")
def world() -> World:
    return draw({**dict.fromkeys(COMPLEMENTS, 1.0), **dict.fromkeys(SUBSTITUTES, -1.0)}, alike=ALIKE)


def test_price_and_display_come_out(world: World):
    """On average over logs: one tells the price response to about five per cent."""
    everyone = np.ones(SHOPPERS, dtype=bool)
    logs = (world, draw({}, seed=5), draw({}, seed=6))
    found = [
        fit_coefficients(one.dataset, one.weeks, everyone, 60, epochs=8, seed=0, progress=lambda _: None)
        for one in logs
    ]
    assert np.mean([float(one.price[0]) for one in found]) == pytest.approx(PRICE, rel=0.05)
    assert np.mean([float(one.display) for one in found]) == pytest.approx(DISPLAY, rel=0.1)


@pytest.mark.parametrize("competitor_discount", [-1.0, 0.0])
def test_the_effect_of_a_subcategorys_other_discounts_comes_out(competitor_discount: float):
    world, everyone = draw({}, seed=2, competitor_discount=competitor_discount), np.ones(SHOPPERS, dtype=bool)
    found = fit_coefficients(
        world.dataset, world.weeks, everyone, 60, epochs=60, seed=0, progress=lambda _: None
    )
    assert float(found.competitor_discount) == pytest.approx(competitor_discount, abs=0.1)


def test_preferences_come_out(world: World):
    everyone = np.ones(SHOPPERS, dtype=bool)
    preferences = Preferences.fit(world.dataset, world.weeks, everyone)
    one_hot = np.eye(CATEGORIES)[np.arange(ITEMS) % CATEGORIES]
    shares = preferences.of(np.flatnonzero(everyone)).table(), world.log_rate
    found, wanted = (np.log(np.exp(table) @ one_hot) for table in shares)
    found, wanted = (table - table.mean(1, keepdims=True) for table in (found, wanted))
    free = [c for c in range(CATEGORIES) if c not in {b for _, b in COMPLEMENTS + SUBSTITUTES}]
    assert np.corrcoef(found[:, free].ravel(), wanted[:, free].ravel())[0, 1] > 0.7


def test_synergy_of_both_signs_and_none_from_correlated_preferences(world: World):
    frequency = PersonalFrequency.fit(world.dataset, world.weeks)
    lift = category_synergy(world.dataset, frequency, world.weeks, pseudo_count=5.0)
    names = np.sort(world.dataset.items["category"].unique())
    category = world.dataset.items["category"].to_numpy()[world.dataset.purchases["item"]]
    effects = {**dict.fromkeys(COMPLEMENTS, 1.0), **dict.fromkeys(SUBSTITUTES, -1.0)}
    differences = []
    for (a, b), effect in effects.items():
        # Lift compares with all visits, of which the share q holds the first and is so raised itself.
        q = world.dataset.purchases["visit"][category == names[a]].nunique() / len(world.dataset.visits)
        wanted = effect - np.log(1 - q + q * np.exp(effect))
        assert lift[a, b] == pytest.approx(wanted, abs=0.25)
        differences.append(lift[a, b] - wanted)
    assert abs(np.mean(differences)) < 0.1
    assert abs(lift[ALIKE]) < 0.2  # preferences are shrunk, so a little of what they share is left


def share_of(world: World) -> tuple[float, float]:
    everyone = np.ones(SHOPPERS, dtype=bool)
    frequency = PersonalFrequency.fit(world.dataset, world.weeks)
    marketing = Marketing.of(world.dataset, world.weeks)
    effect = PRICE * marketing.log_discount + DISPLAY * marketing.display
    return synergy_share(world.dataset, frequency, effect, world.weeks, everyone)


def test_promotions_tell_synergy_from_a_common_cause(world: World):
    share, error = share_of(world)
    # One of each pair raises the other and not the other way round: half of the lift in either direction.
    assert share > 3 * error
    assert share == pytest.approx(0.5, abs=3 * error)
    none, error = share_of(draw({}, alike=ALIKE, seed=1))
    assert none == pytest.approx(0.0, abs=2 * error)
