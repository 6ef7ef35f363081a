"""Regular prices are found beneath promotions, lasting changes, noise and quantity discounts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundlegym.data.catalogue import price_lines
from bundlegym.data.regular_price import REACH, derive_list_price, quantity_discounts, regular_prices

NO_SALE = np.nan


@pytest.mark.parametrize(
    ("price", "regular"),
    [
        pytest.param([2.0] * 5 + [1.0] * 2 + [2.0] * 5, [2.0] * 12, id="a promotion of two weeks"),
        pytest.param([2.0] * 8 + [1.0] * 8, [2.0] * 8 + [1.0] * 8, id="a cut that stays"),
        pytest.param([1.0] * 8 + [2.0] * 8, [1.0] * 8 + [2.0] * 8, id="a rise that stays"),
        pytest.param([2, 2, 1, 2] + [1.0] * 8, [2.0] * 4 + [1.0] * 8, id="a promotion before a cut"),
        pytest.param([2.0, 1.5] * 8, [2.0] * 16, id="a promotion every other week"),
        pytest.param(
            [2.0, 2.0, NO_SALE, 1.0, NO_SALE, 2.0, 2.0], [2, 2, NO_SALE, 2, NO_SALE, 2, 2], id="gaps"
        ),
        pytest.param([2.0] * 9 + [1.0] * 3, [2.0] * 12, id="a cut at the end"),
        pytest.param([3.0] + [2.0] * 9, [3.0] + [2.0] * 9, id="one dear week"),
        pytest.param([2.0, 1.9, 2.1, 2.2, 1.8, 1.7, 2.3], [2, 1.9, 2.1, 2.2, 1.8, 1.7, 2.3], id="weighed"),
        pytest.param([1.0], [1.0], id="one week"),
        pytest.param([2.0] * 4 + [1.0] * (REACH + 1) + [2.0] * 4, None, id="too long for a promotion"),
    ],
)
def test_regular_prices(price: list[float], regular: list[float] | None) -> None:
    expected = price if regular is None else regular
    for unit in (1.0, 1e-6, 1e6):
        found = regular_prices(unit * np.array([price, price]))
        np.testing.assert_allclose(found, unit * np.array([expected, expected], dtype=float))


@pytest.mark.parametrize("taken_back", [True, False])
def test_a_cut_at_the_end_is_a_promotion_where_cuts_were_taken_back(taken_back: bool) -> None:
    n = 40
    ends = [1.0] * 2 + [2.0] * 8 if taken_back else [1.0] * 10
    earlier = np.array(
        [[2.0] * 10 + ends] * n
    )  # a cut that REACH weeks before the end looks like a promotion
    late = np.array([[2.0] * 17 + [1.0] * 3])
    found = regular_prices(np.concatenate([np.roll(earlier, 3, axis=1), late]))
    assert found[-1].tolist() == ([2.0] * 20 if taken_back else [2.0] * 17 + [1.0] * 3)


def lines_of(quantity: np.ndarray, price: np.ndarray, weeks: int = 12) -> pd.DataFrame:
    n = len(quantity)
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * (np.arange(n) % weeks), unit="D")
    return pd.DataFrame(
        {"shopper": np.arange(n), "item": "a", "time": time, "quantity": quantity, "price_paid": price}
    )


def test_a_lower_price_from_a_dozen_on_is_a_quantity_discount_and_no_promotion() -> None:
    quantity = np.random.default_rng(0).choice([1, 2, 6, 12, 24, 48], 600)
    lines = lines_of(quantity, np.where(quantity >= 12, 2.55, 2.95))
    found, sentence = derive_list_price(lines)
    assert found["list_price"].tolist() == [2.95] * 600
    np.testing.assert_allclose(found["line_discount"], np.where(quantity >= 12, 0.40, 0.0))
    assert "1 items cost less a piece" in sentence


def test_a_promotion_is_no_quantity_discount() -> None:
    rng = np.random.default_rng(1)
    quantity = rng.choice([1, 2, 6, 12, 24, 48], 600)
    week = np.arange(600) % 12
    lines = lines_of(quantity, np.where(week == 5, 2.0, 2.95))
    found, _ = derive_list_price(lines)
    assert (found["line_discount"] == 0).all()
    assert found["list_price"].tolist() == [2.95] * 600


def test_prices_that_have_nothing_to_do_with_quantity_have_no_discount() -> None:
    rng = np.random.default_rng(2)
    n = 4000
    item, week, quantity = rng.integers(20, size=n), rng.integers(12, size=n), rng.integers(1, 30, n)
    off, items = quantity_discounts(item, week, quantity.astype(float), np.exp(rng.normal(0, 0.1, n)))
    assert items == 0
    assert (off == 0).all()


def test_items_of_which_only_the_price_is_known_are_not_priced_together() -> None:
    texts = {"category": ["", "", "tea", "tea"], "subcategory": "", "brand": "", "list_price": 1.0}
    line = price_lines(pd.DataFrame(texts))
    assert len({*line[:2].tolist(), line[2]}) == 3
    assert line[2] == line[3]


@pytest.mark.parametrize("own_prices", [0.0, 0.3])
def test_one_shoppers_low_price_is_a_promotion_where_shoppers_have_no_prices_of_their_own(
    own_prices: float,
) -> None:
    rng = np.random.default_rng(3)
    n, weeks = 3000, 12
    lines = lines_of(np.ones(n), np.where(rng.random(n) < own_prices, 1.5, 2.0), weeks)
    lines["item"] = rng.integers(20, size=n).astype(str)
    week, item = np.arange(n) % weeks, lines["item"].astype(int).to_numpy()
    promoted = (item == 0) & (week == 5)
    lines.loc[promoted, "price_paid"] = 1.0
    alone = lines[(item == 1)].drop_duplicates("time").assign(item="alone", price_paid=2.0)
    alone.loc[alone.index[6], "price_paid"] = 1.5
    found, _ = derive_list_price(pd.concat([lines, alone], ignore_index=True))
    off = found["line_discount"].to_numpy()
    assert (found["list_price"] == 2.0).all()
    assert (off[:n][promoted] == 0).all()  # many paid it: a promotion
    assert off[n + 6] == (0.5 if own_prices else 0.0)


def test_returns_alone_have_no_regular_price() -> None:
    lines = lines_of(np.array([-1.0, -2.0]), np.array([1.0, 2.0]))
    found, sentence = derive_list_price(lines)
    assert found["list_price"].tolist() == [1.0, 2.0]
    assert "no sale" in sentence
