"""A made-up log with known, simple behaviour, for tests, examples and the default environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data.base import Dataset, Log
from bundlegym.data.config import DataConfig
from bundlegym.data.encode import build_dataset

START = pd.Timestamp("2024-01-01")  # a Monday
DEPARTMENTS = {
    "GROCERY": ("Pasta", "Pasta sauce", "Coffee", "Cookies", "Cereal", "Rice", "Beans", "Soup", "Tuna"),
    "DAIRY": ("Milk", "Butter", "Yogurt", "Cheese", "Eggs"),
    "PRODUCE": ("Apples", "Salad", "Dressing", "Bananas", "Carrots", "Onions"),
    "BAKERY": ("Bread", "Cake", "Rolls", "Pie"),
}
BRANDS = ("Alder", "Birch", "Cedar")
CATEGORIES = tuple((department, name) for department, names in DEPARTMENTS.items() for name in names)

#: The truth that the log is drawn from; effects are on the log rate of an item at a visit, see `truth`.
BASE_LOG_RATE, BASE_ITEMS = -3.8, 120
TASTE_SPREAD, ITEM_SPREAD = 0.7, 0.5
POPULARITY_SPREAD = 0.5
PRICE_ELASTICITY = -2.5
DISPLAY_EFFECT = 0.6
MAILER_EFFECT = 0.6
WEAR_OUT = (1.0, 0.6, 0.3)
HABIT_EFFECT = 0.5
SYNERGY = 0.8
COMPLEMENTS = (
    ("Pasta", "Pasta sauce"),
    ("Coffee", "Cookies"),
    ("Cereal", "Milk"),
    ("Bread", "Butter"),
    ("Salad", "Dressing"),
    ("Rice", "Beans"),
)
VISITS_A_WEEK = 0.9

#: What the logs by these names are drawn with. The first is small, with large baskets: quick, for tests. The
#: second is the default environment's: a year, in which a fit finds the truth, and baskets so small that what
#: is planted is not hidden by the fact that an item is bought once a visit at most.
LOGS: dict[str, dict[str, Any]] = {
    "synthetic": {},
    "synthetic-year": {"n_shoppers": 400, "n_weeks": 52, "base": -4.4},
}

#: Chance that a price cut, or a mailer, of a brand in a category begins in a week; most weeks that it lasts.
_CUT_BEGINS, _CUT_LASTS, _MAILER_BEGINS, _MAILER_LASTS = 0.06, 2, 0.06, 4
_CUT_DEPTH = (0.1, 0.4)


@dataclass(frozen=True)
class Truth:
    """What `synthetic_log` is drawn from, in the terms of the user models; a fit should find it again.

    Attributes:
        elasticity: of an item's rate in its shelf price.
        display: what display in all stores adds to an item's log rate.
        mailer: what the mailer adds in the first week of a run.
        wear_out: (3,) what `mailer` is multiplied by in the first, second, and third or later week in a row.
        habit: what having bought the item before adds.
        complements: pairs of categories; either raises the other.
        synergy: what each line of the one that is bought on its own merits adds to each item of the other.
    """

    elasticity: float = PRICE_ELASTICITY
    display: float = DISPLAY_EFFECT
    mailer: float = MAILER_EFFECT
    wear_out: tuple[float, float, float] = WEAR_OUT
    habit: float = HABIT_EFFECT
    complements: tuple[tuple[str, str], ...] = COMPLEMENTS
    synergy: float = SYNERGY


def truth() -> Truth:
    """What `synthetic_log` is drawn from."""
    return Truth()


def synthetic_log(
    seed: int = 0,
    n_shoppers: int = 200,
    n_items: int = 120,
    n_weeks: int = 26,
    base: float = BASE_LOG_RATE,
) -> Log:
    """Draw a log from `truth`.

    A shopper visits up to twice a week. The log rate of an item at a visit is base + popularity + taste (of
    the shopper for the category, and for the item) + price elasticity x log(shelf / list) + display effect x
    display + mailer effect x wear-out of the week of the run + habit effect if bought before. An item is
    bought on its own merits with chance 1 - exp(-rate). Then each line so bought from one of two categories
    in `COMPLEMENTS` adds `SYNERGY` to the log rates of all items of the other, with the same luck. All items
    of a brand in a category are promoted together. The same arguments give the same log.
    """
    rng = np.random.default_rng(seed)
    items = _draw_items(rng, n_items)
    list_price = items["list_price"].to_numpy()
    depth, display, mailer = _draw_promotions(rng, items, n_weeks)
    shelf_price = np.round(list_price[:, None] * (1 - depth), 2)

    category = pd.factorize(items["category"])[0]
    taste = rng.normal(0, TASTE_SPREAD, (n_shoppers, category.max() + 1))[:, category]
    taste = taste + rng.normal(0, ITEM_SPREAD, (n_shoppers, n_items))
    pull = _pull(items["category"])
    fixed = base + np.log(BASE_ITEMS / n_items)  # baskets are as large, whatever the catalogue
    fixed = fixed + rng.normal(0, POPULARITY_SPREAD, n_items) + taste
    visit_chance = rng.beta(3, 3 / (VISITS_A_WEEK / 2) - 3, (n_shoppers, 1))

    worn = mailer * np.array(WEAR_OUT)[_week_of_run(mailer).clip(1, len(WEAR_OUT)) - 1]
    bought_before = np.zeros((n_shoppers, n_items), dtype=bool)
    lines = []
    for week in range(n_weeks):
        push = (
            PRICE_ELASTICITY * np.log(shelf_price[:, week] / list_price)
            + DISPLAY_EFFECT * display[:, week]
            + MAILER_EFFECT * worn[:, week]
        )
        for first_day, days in ((0, 4), (4, 3)):
            visits = rng.random((n_shoppers, 1)) < visit_chance
            log_rate = fixed + push + HABIT_EFFECT * bought_before
            # Bought where it clears the bar: Gumbel noise, so that the chance is 1 - exp(-rate).
            value = log_rate - np.log(rng.exponential(size=log_rate.shape))
            basket = (value + (value > 0) @ pull > 0) & visits
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


def synthetic_dataset(seed: int = 0, min_purchases: int = 10, **options: Any) -> Dataset:
    """`synthetic_log(seed, **options)` as a `Dataset`, without touching the disk."""
    return build_dataset(
        synthetic_log(seed, **options), DataConfig(log="synthetic", min_purchases=min_purchases)
    )


def complement_pairs(n_items: int) -> np.ndarray:
    """(P, 2): ids of items that `synthetic_log` makes complements, those of the first category first."""
    category = np.array([CATEGORIES[i % len(CATEGORIES)][1] for i in range(n_items)])
    pairs = [np.argwhere((category[:, None] == a) & (category == b)) for a, b in COMPLEMENTS]
    return np.concatenate(pairs)


def _draw_items(rng: np.random.Generator, n_items: int) -> pd.DataFrame:
    department, category = zip(*(CATEGORIES[i % len(CATEGORIES)] for i in range(n_items)), strict=True)
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
    rng: np.random.Generator, items: pd.DataFrame, n_weeks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Price cut as a share of list price, and display and mailer shares, each (n_items, n_weeks). All items
    of a brand in a category have them together; cuts and mailers come in runs, each with or without the
    other, and there is no display without one of them."""
    line = items.groupby(["category", "brand"]).ngroup().to_numpy()
    shape = (int(line.max()) + 1, n_weeks)
    cut = _runs(rng, shape, _CUT_BEGINS, _CUT_LASTS) * rng.uniform(*_CUT_DEPTH, (shape[0], 1))
    mailer = _runs(rng, shape, _MAILER_BEGINS, _MAILER_LASTS).astype(float)
    display = ((cut > 0) | (mailer > 0)) * rng.uniform(0, 1, shape)
    return cut[line], display[line], mailer[line]


def _runs(rng: np.random.Generator, shape: tuple[int, int], begins: float, lasts: int) -> np.ndarray:
    """`shape` (n, n_weeks) bool: runs that begin with a chance in each week that has none, and last for up to
    so many weeks."""
    running, left = np.zeros(shape, dtype=bool), np.zeros(shape[0], dtype=np.int64)
    for week in range(shape[1]):
        start = (left <= 0) & (rng.random(shape[0]) < begins)
        left = np.where(start, rng.integers(1, lasts + 1, shape[0]), left)
        running[:, week] = left > 0
        left = left - 1
    return running


def _week_of_run(mailer: np.ndarray) -> np.ndarray:
    """(n_items, n_weeks) int64 which week in a row the item is in the mailer; 0 where it is not."""
    week = np.zeros(mailer.shape, dtype=np.int64)
    week[:, 0] = mailer[:, 0] > 0
    for w in range(1, mailer.shape[1]):
        week[:, w] = np.where(mailer[:, w] > 0, week[:, w - 1] + 1, 0)
    return week


def _pull(category: pd.Series) -> np.ndarray:
    """(n_items, n_items) what buying the one adds to the log rate of the other."""
    pull = np.zeros((len(category), len(category)))
    for first, second in COMPLEMENTS:
        one, other = (category == name for name in (first, second))
        pull += SYNERGY * (np.outer(one, other) + np.outer(other, one))
    return pull


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
