import numpy as np
import pandas as pd
import pytest

from bundlegym.data.catalogue import price_tables, promotion_tables, select_items
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
    # Coupons are not the shelf's doing; weeks without a sale are as far off as the lesser neighbour, and not
    # at all at an end.
    np.testing.assert_allclose(shelf[0], [2.0, 1.5, 2 / 3 * 2.5, 2.5, 3.0], rtol=1e-6)
    # More paid than listed: the shelf price never lies above the list price.
    np.testing.assert_allclose(shelf[1], 5)
    assert sold.sum() == 3 and listed.dtype == shelf.dtype == np.float32


def test_promotions_are_zero_unless_logged() -> None:
    rows = pd.DataFrame({"item": [0, 0], "week": [2, 2], "display": [0.25, 0.5], "mailer": [0.0, 1.0]})
    display, mailer = promotion_tables(rows, n_items=2, n_weeks=3)
    assert display.sum() == display[0, 2] == 0.5
    assert mailer.sum() == mailer[0, 2] == 1.0
