import pandas as pd
import pytest

from bundlegym.data import Log, clean
from bundlegym.data.config import ReadOptions
from bundlegym.errors import UserError

from .conftest import lines_of


def dropped(report: dict) -> dict[str, int]:
    return {entry["reason"]: entry["lines"] for entry in report["dropped"] if entry["lines"]}


def test_each_line_is_dropped_for_its_first_reason_and_counted() -> None:
    lines = lines_of(
        (1, 1, 10, 0, 1, 2.0, 2.0),
        (1, 1, 99, 0, -1, 2.0, 2.0),  # unknown item before it is a return
        (2, 1, 10, 0, -1, 2.0, 2.0),
        (1, 1, 10, 0, 0, 2.0, 2.0),
        (1, 1, 10, 0, 5000, 2.0, 2.0),
        (1, 1, 10, 0, 1, 0.0, 2.0),
    )
    log = Log("shop", lines, items=pd.DataFrame({"item": [10]}))
    cleaned, report = clean(log)
    assert dropped(report) == {
        "unknown item": 1,
        "return (negative quantity) without its sale": 1,
        "quantity of zero": 1,
        "quantity above 1,000": 1,
        "no price (given away, or not recorded)": 1,
    }
    assert (report["lines_before"], report["lines_after"]) == (6, 1)
    assert len(cleaned.transactions) == 1


def test_a_line_paid_by_coupon_is_kept() -> None:
    lines = lines_of((1, 1, 10, 0, 1, 0.0, 2.0)).assign(coupon_discount=2.0)
    assert clean(Log("shop", lines))[1]["lines_after"] == 1


def test_rules_for_lines_that_are_no_goods_belong_to_a_named_log() -> None:
    items = pd.DataFrame(
        {
            "item": [1, 2, 3, 4, 5],
            "department": ["GROCERY", "FUEL", "COUPON", "GROCERY", "MISCELLANEOUS"],
            "category": ["SOUP", "FUEL", "", "COUPON/MISC ITEMS", ""],
        }
    )
    lines = lines_of(*((1, 1, item, 0, 1, 2.0, 2.0) for item in items["item"]))
    cleaned, report = clean(Log("The Complete Journey", lines, items=items))
    assert dropped(report) == {"fuel": 1, "coupon line, not an item": 2, "no category": 1}
    assert cleaned.transactions["item"].tolist() == [1]
    assert clean(Log("another shop", lines, items=items))[1]["lines_after"] == 5


@pytest.mark.parametrize(
    "name",
    ["POSTAGE", "Dotcom Postage", "Bank Charges", "Adjust bad debt", "Adjustment by Peter on Jun 25 2010",
     "Dotcomgiftshop Gift Voucher £30.00", "This is a test product.", "AMAZON FEE"],
)  # fmt: skip
def test_what_is_no_goods_is_known_by_its_name(name: str) -> None:
    items = pd.DataFrame({"item": [1, 2], "name": [name, "SUNJAR LED NIGHT LIGHT BY PETER"]})
    log = Log("shop", lines_of((1, 1, 1, 0, 1, 2.0, 2.0), (1, 1, 2, 0, 1, 2.0, 2.0)), items=items)
    assert clean(log)[0].transactions["item"].tolist() == [1, 2]
    assert clean(log, ReadOptions(drop_items=("no-goods",)))[0].transactions["item"].tolist() == [2]


def test_a_weight_becomes_one_piece_at_the_price_of_the_line() -> None:
    cleaned, report = clean(Log("shop", lines_of((1, 1, 10, 0, 0.5, 3.0, 4.0), (1, 1, 11, 0, 2.0, 3.0, 4.0))))
    assert cleaned.transactions["quantity"].tolist() == [1, 2]
    assert cleaned.transactions["price_paid"].tolist() == [1.5, 3.0]
    assert cleaned.transactions["list_price"].tolist() == [2.0, 4.0]
    assert report["fractional_quantities"] == 1


def test_a_log_of_returns_alone_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"shop: no usable line .*return \(negative quantity\) without its sale 1"
    ):
        clean(Log("shop", lines_of((1, 1, 10, 0, -1, 2.0, 2.0))))
