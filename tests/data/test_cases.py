"""Small logs in forms that real shops' files have, each with its right values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundlegym.data import DataConfig, Dataset, prepare
from bundlegym.errors import UserError

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
BASE_REVENUE = 3665.0

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the small broken logs are not at {CASES}")


def load(case: str, tmp_path: Path, drop: str = "", prices: bool = True, **options: Any) -> Dataset:
    folder = CASES / case
    expected = json.loads((folder / "expect.json").read_text(encoding="utf-8"))
    (log,) = (path for path in (folder / "log.csv", folder / "events.csv") if path.exists())
    pairs = tuple(pair for pair in expected["map"] if not pair.startswith(f"{drop}="))
    extra = tuple(options.pop("more", ()))
    config = DataConfig(log=str(log), map=(*pairs, *extra), min_purchases=1, cache_dir=tmp_path, **options)
    dataset = prepare(config, progress=False)
    for item, price in expected.get("items", {}).items() if prices else ():
        assert dataset.items.set_index("item").at[item, "list_price"] == pytest.approx(price)
    return dataset


def revenue(dataset: Dataset) -> float:
    return float((dataset.purchases["quantity"] * dataset.purchases["price_paid"]).sum())


def dropped(dataset: Dataset) -> dict[str, int]:
    return {row["reason"]: row["lines"] for row in dataset.report["cleaning"]["dropped"] if row["lines"]}


def notes(dataset: Dataset) -> str:
    return "\n".join(dataset.report["assumptions"].values())


def test_latin1_is_told(tmp_path: Path) -> None:
    dataset = load("02-latin1", tmp_path)
    assert "CAFÉ £" in set(dataset.items["name"])
    assert "--encoding" in notes(dataset)


@pytest.mark.parametrize("by", ["found", "said", "option"])
def test_line_totals(tmp_path: Path, by: str) -> None:
    if by == "found":
        dataset = load("04-line-totals", tmp_path)
        assert "price_paid rises in proportion to quantity" in notes(dataset)
    elif by == "said":
        dataset = load("04-line-totals", tmp_path, drop="price_paid", more=("amount=price",))
    else:
        dataset = load("04-line-totals", tmp_path, line_totals="yes")
    assert revenue(dataset) == pytest.approx(BASE_REVENUE)


def test_line_totals_are_not_looked_for_where_prices_are_said_to_be_of_units(tmp_path: Path) -> None:
    dataset = load("04-line-totals", tmp_path, prices=False, line_totals="no")
    assert revenue(dataset) == pytest.approx(8470.0)


def starts_in_january(dataset: Dataset) -> None:
    assert revenue(dataset) == pytest.approx(BASE_REVENUE)
    assert dataset.n_weeks == 8
    assert dataset.visits["day"].min() == 0


@pytest.mark.parametrize("case", ["09-two-digit-years", "15-epoch-ms", "16-excel-serial"])
def test_dates_are_of_2024(tmp_path: Path, case: str) -> None:
    dataset = load(case, tmp_path)
    starts_in_january(dataset)
    assert any(key.startswith("time, ") for key in dataset.report["assumptions"])


def test_ambiguous_days_are_refused_and_an_option_decides(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="log.csv: column 'time'.*'01/01/2024 .*--day-first or --month-first"):
        load("19-ambiguous-days", tmp_path)
    assert revenue(load("19-ambiguous-days", tmp_path, day_first=True)) == pytest.approx(BASE_REVENUE)


def test_every_shopper_has_one_visit(tmp_path: Path) -> None:
    dataset = load("12-one-visit-a-shopper-crash", tmp_path)
    assert "every shopper has one visit; nothing can be learned about repeat visits" in notes(dataset)


def test_views_are_no_sales(tmp_path: Path) -> None:
    dataset = load("14-views-count-as-sales", tmp_path)
    assert dataset.purchases["quantity"].sum() == 576
    assert dropped(dataset)["event that is no sale"] == 576
    assert "event_type purchase" in notes(dataset)


def test_utc_evenings_are_told_or_moved(tmp_path: Path) -> None:
    assert "--zone" in notes(load("17-utc-evenings", tmp_path))
    moved = load("17-utc-evenings", tmp_path, zone="America/Los_Angeles")
    base = load("20-currency-sign", tmp_path)
    np.testing.assert_array_equal(moved.visits["day"], base.visits["day"])


def test_rounded_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"5.01000E\+12.*spreadsheet has rounded"):
        load("18-scientific-ids", tmp_path)


@pytest.mark.parametrize("case", ["20-currency-sign", "20-decimal-comma", "21-preamble"])
def test_forms_of_tables(tmp_path: Path, case: str) -> None:
    dataset = load(case, tmp_path)
    starts_in_january(dataset)
    if case == "21-preamble":
        assert "line 4" in notes(dataset)


@pytest.mark.parametrize("name", ["Qty", "Qty "])
def test_blanks_behind_ids_and_names(tmp_path: Path, name: str) -> None:
    dataset = load("22-blank-behind-id", tmp_path, more=(f"quantity={name}",))
    assert dataset.n_shoppers == 12
    assert revenue(dataset) == pytest.approx(BASE_REVENUE)


def test_tiny_prices_are_not_rounded(tmp_path: Path) -> None:
    dataset = load("25-tiny-prices", tmp_path)
    assert (dataset.shelf_price > 0).all()
    (row,) = np.flatnonzero(dataset.items["item"] == "I03")
    np.testing.assert_allclose(dataset.shelf_price[row], dataset.list_price[row])
    np.testing.assert_allclose(dataset.list_price[row], 0.0042, rtol=0.02)


def test_quantity_zero_is_a_weighed_sale(tmp_path: Path) -> None:
    for how in ({}, {"drop": "price_paid", "more": ("amount=price",)}):
        dataset = load("26-quantity-zero-is-a-weighed-sale", tmp_path, **how)  # type: ignore[arg-type]
        assert not dropped(dataset)
        assert revenue(dataset) == pytest.approx(BASE_REVENUE)
        assert "58 lines have a quantity of 0" in notes(dataset)


def test_lines_of_nobody(tmp_path: Path) -> None:
    dataset = load("27-empty-shopper", tmp_path)
    assert dropped(dataset) == {"no shopper": 128}
    kept = load("27-empty-shopper", tmp_path, keep_guests=True)
    assert not dropped(kept)
    assert revenue(kept) == pytest.approx(BASE_REVENUE)


def test_a_guest_is_found(tmp_path: Path) -> None:
    dataset = load("27-guest-sentinel", tmp_path)
    assert dataset.n_shoppers == 12
    assert "'0'" in notes(dataset) and "--guests none" in notes(dataset)
    assert load("27-guest-sentinel", tmp_path, guests=("none",)).n_shoppers == 13


def test_returns_go_with_what_they_take_back(tmp_path: Path) -> None:
    dataset = load("28-returns", tmp_path)
    assert revenue(dataset) == pytest.approx(3358.0)
    assert dataset.n_weeks == 8
    gross = load("28-returns", tmp_path, cancel_returns=False)
    assert revenue(gross) == pytest.approx(BASE_REVENUE)
    assert gross.n_weeks == 8


def test_a_gap_is_told(tmp_path: Path) -> None:
    assert "no sale from 2024-01-29 to 2025-01-26 (52 weeks)" in notes(load("30-gap-of-a-year", tmp_path))


def test_wrong_dates_are_left_out(tmp_path: Path) -> None:
    dataset = load("30-one-wrong-date", tmp_path)
    assert dataset.n_weeks == 8
    assert dropped(dataset) == {"date far from all others (1900-01-01, 2099-12-31)": 2}


@pytest.mark.parametrize("case", ["48-four-to-fourteen-weeks-crash", "50-newest-shopper-sorts-last-crash"])
def test_short_logs_load(tmp_path: Path, case: str) -> None:
    assert load(case, tmp_path).n_weeks >= 4
