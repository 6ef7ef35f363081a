import numpy as np
import pandas as pd
import pytest

from bundlegym.data.catalogue import price_tables, promotion_tables, select_items
from bundlegym.data.costs import DEFAULT_MARGIN, unit_costs
from bundlegym.errors import UserError


def test_items_with_enough_lines_are_chosen_in_order_of_their_ids() -> None:
    lines = pd.DataFrame({"item": [7, 7, 3, 3, 3, 9]})
    assert select_items(lines, 2).tolist() == [3, 7]


def test_a_threshold_that_no_item_meets_is_refused() -> None:
    with pytest.raises(UserError, match="min_purchases: no item has 5 purchases or more; .* has 3"):
        select_items(pd.DataFrame({"item": [3, 3, 3]}), 5)
    with pytest.raises(UserError, match="min_purchases must be at least 1"):
        select_items(pd.DataFrame({"item": [3]}), 0)


def test_a_week_without_a_sale_is_priced_as_the_rest_of_its_price_line() -> None:
    lines = pd.DataFrame(
        {"item": [0, 0, 1, 1, 1], "week": [0, 2, 0, 1, 2], "list_price": 2.0, "price_paid": [2, 2, 2, 1.5, 2]}
    )
    alone = price_tables(lines, np.array([0, 1]), n_weeks=3)[1]
    together = price_tables(lines, np.array([0, 0]), n_weeks=3)[1]
    np.testing.assert_allclose(alone[0], [2, 2, 2])
    np.testing.assert_allclose(together[0], [2, 1.5, 2])


def test_price_tables_follow_their_rules() -> None:
    lines = pd.DataFrame(
        {
            "item": [0, 0, 0, 0, 1],
            "week": [1, 1, 1, 3, 0],
            "list_price": [2.0, 2.0, 2.6, 3.0, 5.0],
            "price_paid": [1.0, 1.5, 1.5, 2.0, 6.0],
            "coupon_discount": [0.5, 0.0, 0.0, 0.5, 0.0],
        }
    )
    listed, shelf, sold = price_tables(lines, np.array([0, 1]), n_weeks=5)
    # Medians where sold; forward, then backward, from the nearest week elsewhere.
    np.testing.assert_allclose(listed[0], [2, 2, 2, 3, 3])
    # Coupons are not the shelf's doing; weeks without a sale are as far off as the lesser neighbour.
    np.testing.assert_allclose(shelf[0], [1.5, 1.5, 2 / 3 * 2.5, 2.5, 2.5], rtol=1e-6)
    # More paid than listed: the shelf price never lies above the list price.
    np.testing.assert_allclose(shelf[1], 5)
    assert sold.sum() == 3 and listed.dtype == shelf.dtype == np.float32


def test_promotions_are_zero_unless_logged() -> None:
    rows = pd.DataFrame({"item": [0, 0], "week": [2, 2], "display": [0.25, 0.5], "mailer": [0.0, 1.0]})
    display, mailer = promotion_tables(rows, n_items=2, n_weeks=3)
    assert display.sum() == display[0, 2] == 0.5
    assert mailer.sum() == mailer[0, 2] == 1.0


def items_table(**columns: list) -> pd.DataFrame:
    return pd.DataFrame({"list_price": [10.0, 10.0], "department": ["PRODUCE", "Toys"], **columns})


def test_known_costs_are_taken_and_nothing_is_assumed() -> None:
    costs, assumption = unit_costs(items_table(unit_cost=[4.0, 6.0]))
    assert costs.tolist() == [4.0, 6.0] and assumption == {}


def test_unknown_costs_come_from_the_departments_margin_and_say_so() -> None:
    costs, assumption = unit_costs(items_table(unit_cost=[np.nan, np.nan]))
    np.testing.assert_allclose(costs, [10 * (1 - 0.308), 10 * (1 - DEFAULT_MARGIN)])
    assert "2 of 2 items" in assumption["unit_cost"] and "https://" in assumption["unit_cost"]


def test_a_chosen_margin_overrides_the_table_but_not_the_log() -> None:
    costs, assumption = unit_costs(items_table(unit_cost=[np.nan, 6.0]), gross_margin=0.5)
    assert costs.tolist() == [5.0, 6.0]
    assert "1 of 2 items" in assumption["unit_cost"] and "50.0%" in assumption["unit_cost"]
    with pytest.raises(UserError, match="gross_margin must be a share"):
        unit_costs(items_table(unit_cost=[np.nan, 6.0]), gross_margin=30)
