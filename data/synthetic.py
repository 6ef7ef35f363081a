"""A small made-up log with known, simple behaviour, for tests and examples."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data.base import Dataset, Log
from bundlegym.data.config import DataConfig
from bundlegym.data.encode import build_dataset

START = pd.Timestamp("2024-01-01")  # a Monday
DEPARTMENTS = {
    "GROCERY": ("Pasta", "Pasta sauce", "Coffee", "Cookies", "Cereal"),
    "DAIRY": ("Milk", "Butter", "Yogurt"),
    "PRODUCE": ("Apples", "Salad"),
    "BAKERY": ("Bread", "Cake"),
}
BRANDS = ("Alder", "Birch", "Cedar")

#: The behaviour that the log is drawn from; effects are on the log-odds of buying an item at a visit.
BASE_LOG_ODDS = -4.2
TASTE_SPREAD = 1.0
POPULARITY_SPREAD = 0.7
PRICE_ELASTICITY = -2.5
DISPLAY_EFFECT = 0.6
HABIT_EFFECT = 1.2
#: Chance that the second item of a complement pair joins the first.
COMPLEMENT_CHANCE = 0.35
PROMOTED_SHARE = 0.12
VISITS_A_WEEK = 0.9


def synthetic_log(seed: int = 0, n_shoppers: int = 200, n_items: int = 120, n_weeks: int = 26) -> Log:
    """Draw a log from the behaviour above.

    A shopper visits up to twice a week. At a visit an item is bought with log-odds = base + popularity +
    taste (of the shopper for the category, and for the item) + price elasticity x log(shelf / list) +
    display effect x display + habit effect if bought before. Items 2k and 2k + 1 for the first n_items // 10
    of k are complements. The same arguments give the same log.
    """
    rng = np.random.default_rng(seed)
    items = _draw_items(rng, n_items)
    list_price = items["list_price"].to_numpy()
    depth, display, mailer = _draw_promotions(rng, n_items, n_weeks)
    shelf_price = np.round(list_price[:, None] * (1 - depth), 2)

    category = pd.factorize(items["category"])[0]
    taste = rng.normal(0, TASTE_SPREAD, (n_shoppers, category.max() + 1))[:, category]
    taste = taste + rng.normal(0, TASTE_SPREAD, (n_shoppers, n_items))
    fixed = BASE_LOG_ODDS + rng.normal(0, POPULARITY_SPREAD, n_items) + taste
    visit_chance = rng.beta(3, 3 / (VISITS_A_WEEK / 2) - 3, (n_shoppers, 1))

    bought_before = np.zeros((n_shoppers, n_items), dtype=bool)
    lines = []
    for week in range(n_weeks):
        promoted = (
            PRICE_ELASTICITY * np.log(shelf_price[:, week] / list_price) + DISPLAY_EFFECT * display[:, week]
        )
        for first_day, days in ((0, 4), (4, 3)):
            visits = rng.random((n_shoppers, 1)) < visit_chance
            chance = 1 / (1 + np.exp(-(fixed + promoted + HABIT_EFFECT * bought_before)))
            basket = _add_complements(rng, rng.random(chance.shape) < chance) & visits
            shopper, item = np.nonzero(basket)
            day = (week * 7 + first_day + rng.integers(0, days, n_shoppers))[shopper]
            lines.append(pd.DataFrame({"shopper": shopper, "item": item, "day": day, "week": week}))
            bought_before |= basket
    transactions = _as_transactions(rng, pd.concat(lines, ignore_index=True), list_price, shelf_price)
    return Log(
        name="synthetic",
        transactions=transactions,
        items=items.drop(columns="list_price"),
        shoppers=pd.DataFrame(
            {"shopper": np.arange(n_shoppers), "household_size": rng.choice(["1", "2", "3+"], n_shoppers)}
        ),
        promotions=_as_promotions(display, mailer),
        notes=(
            "Data: synthetic, drawn by bundlegym from a known model; it says nothing about real shoppers.",
        ),
    )


def synthetic_dataset(seed: int = 0, min_purchases: int = 10, **sizes: int) -> Dataset:
    """`synthetic_log(seed, **sizes)` as a `Dataset`, without touching the disk."""
    return build_dataset(
        synthetic_log(seed, **sizes), DataConfig(log="synthetic", min_purchases=min_purchases)
    )


def complement_pairs(n_items: int) -> np.ndarray:
    """(n_items // 10, 2): ids of the items that `synthetic_log` makes complements."""
    return np.arange(n_items // 10 * 2).reshape(-1, 2)


def _draw_items(rng: np.random.Generator, n_items: int) -> pd.DataFrame:
    categories = [(dept, category) for dept, names in DEPARTMENTS.items() for category in names]
    # Neighbours lie in different categories, so that complements are not just two of a kind.
    department, category = zip(*(categories[i % len(categories)] for i in range(n_items)), strict=True)
    brand = rng.choice(BRANDS, n_items)
    list_price = np.round(np.exp(rng.normal(1.0, 0.5, n_items)) + 0.5, 2)
    return pd.DataFrame(
        {
            "item": np.arange(n_items),
            "name": [f"{c}, {b}, no. {i}" for i, (c, b) in enumerate(zip(category, brand, strict=True))],
            "department": department,
            "category": category,
            "subcategory": category,
            "brand": brand,
            "unit_cost": np.round(list_price * rng.uniform(0.55, 0.8, n_items), 2),
            "list_price": list_price,
        }
    )


def _draw_promotions(
    rng: np.random.Generator, n_items: int, n_weeks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Price cut as a share of list price, and display and mailer shares, each (n_items, n_weeks)."""
    shape = (n_items, n_weeks)
    promoted = rng.random(shape) < PROMOTED_SHARE
    depth = promoted * rng.uniform(0.1, 0.4, shape)
    display = promoted * rng.uniform(0, 1, shape)
    mailer = promoted * (rng.random(shape) < 0.5)
    return depth, display, mailer.astype(float)


def _add_complements(rng: np.random.Generator, basket: np.ndarray) -> np.ndarray:
    """(n_shoppers, n_items) bool: `basket`, with second items of pairs pulled in by first ones."""
    first, second = complement_pairs(basket.shape[1]).T
    joins = basket[:, first] & (rng.random((len(basket), len(first))) < COMPLEMENT_CHANCE)
    basket = basket.copy()
    basket[:, second] |= joins
    return basket


def _as_transactions(
    rng: np.random.Generator, lines: pd.DataFrame, list_price: np.ndarray, shelf_price: np.ndarray
) -> pd.DataFrame:
    item, week = lines["item"].to_numpy(), lines["week"].to_numpy()
    return pd.DataFrame(
        {
            "shopper": lines["shopper"],
            "basket": lines.groupby(["shopper", "day"]).ngroup(),
            "item": item,
            "time": START + pd.to_timedelta(lines["day"] * 24 + 12, unit="h"),
            "quantity": 1 + (rng.random(len(lines)) < 0.15),
            "price_paid": shelf_price[item, week],
            "list_price": list_price[item],
            "week": week + 1,
        }
    )


def _as_promotions(display: np.ndarray, mailer: np.ndarray) -> pd.DataFrame:
    item, week = np.nonzero((display > 0) | (mailer > 0))
    return pd.DataFrame(
        {"item": item, "week": week + 1, "display": display[item, week], "mailer": mailer[item, week]}
    )
