"""A log that is gone through in parts is prepared like one that is gone through at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Log, build_dataset, clean, load_log, row_blocks

from .conftest import OWN_NAMES


@pytest.mark.parametrize("most", [1, 7, 40, 1000])
def test_parts_hold_all_rows_of_a_code_and_no_more_than_needed(monkeypatch, most: int) -> None:
    monkeypatch.setattr(row_blocks, "ROWS_AT_ONCE", most)
    code = np.random.default_rng(most).integers(2, 30, 300)
    found = list(row_blocks.parts_by(code))
    np.testing.assert_array_equal(np.concatenate(found), np.argsort(code, kind="stable"))
    codes = [set(code[rows].tolist()) for rows in found]
    assert sum(map(len, codes)) == len(set(code.tolist()))
    assert all(len(rows) <= most or len(own) == 1 for rows, own in zip(found, codes, strict=True))
    assert all(len(one) + len(other) > most for one, other in zip(found, found[1:], strict=False))


def test_no_rows_have_no_parts() -> None:
    none = np.array([], dtype=np.int32)
    assert not list(row_blocks.parts_by(none))
    assert [len(found) for found in row_blocks.groups_by(none, none)] == [0, 0]


def test_wide_rows_come_in_smaller_parts(monkeypatch) -> None:
    monkeypatch.setattr(row_blocks, "ROWS_AT_ONCE", 100)
    code = np.random.default_rng(0).permutation(50)
    assert [len(rows) for rows in row_blocks.parts_by(code, 10)] == [10] * 5
    assert all(len(rows) == 1 for rows in row_blocks.parts_by(code, 1000))


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64])
def test_rows_in_order_of_codes_are_those_of_a_sort(kind: type) -> None:
    rng = np.random.default_rng(0)
    codes: list[np.ndarray] = [rng.integers(0, size, 500).astype(kind) for size in (5, 100, 3)]
    first, second, third = codes
    order = row_blocks.rows_by(first, second, third)
    np.testing.assert_array_equal(order, np.lexsort((third, second, first)))
    again, begins = row_blocks.groups_by(first, third)
    np.testing.assert_array_equal(again, np.lexsort((third, first)))
    number = pd.DataFrame({"first": first, "third": third}).groupby(["first", "third"]).ngroup()
    np.testing.assert_array_equal(np.cumsum(begins) - 1, number.to_numpy()[again])


def test_runs_are_of_rows_that_follow_on_each_other() -> None:
    runs = row_blocks.runs_of(np.array([3, 3, 3, 1, 1, 3]), np.array([0, 0, 1, 1, 1, 0]))
    assert runs.tolist() == [0, 2, 3, 5]


def test_moved_rows_leave_nothing_behind() -> None:
    lines = pd.DataFrame({"item": pd.Categorical(["a", "b", "a"]), "price": [1.0, 2.0, 3.0]}, index=[5, 6, 7])
    expected = lines[[True, False, True]].reset_index(drop=True)
    moved = row_blocks.move_rows(lines, np.array([True, False, True]))
    pd.testing.assert_frame_equal(moved, expected)
    assert not len(lines.columns)


def test_cleaning_and_preparing_leave_a_log_as_it_was(log: Log) -> None:
    lines = log.transactions.copy()
    lines.loc[lines.index[:3], "quantity"] = 0
    given = replace(log, transactions=lines.copy())
    clean(given)
    build_dataset(given, DataConfig(min_purchases=1))
    pd.testing.assert_frame_equal(given.transactions, lines)


def test_visits_and_purchases_are_the_same_in_whatever_order_lines_come(log: Log) -> None:
    """Lines of a visit that stand apart, and an item that comes again and again in one."""
    lines = pd.concat([log.transactions] * 3, ignore_index=True).assign(quantity=2)
    shuffled = lines.sample(frac=1.0, random_state=0).reset_index(drop=True)
    config = DataConfig(min_purchases=1)
    one, other = (build_dataset(replace(log, transactions=some), config) for some in (lines, shuffled))
    pd.testing.assert_frame_equal(one.visits, other.visits)
    pd.testing.assert_frame_equal(one.purchases, other.purchases)
    keys = ["shopper", "time", "basket"]
    visits = lines.groupby(["shopper", "basket"], observed=True)["time"].min().reset_index().sort_values(keys)
    assert one.visits["basket"].tolist() == visits["basket"].tolist()
    spent = (lines["price_paid"] * lines["quantity"]).sum()
    assert (one.purchases["price_paid"] * one.purchases["quantity"]).sum() == pytest.approx(spent)
    assert one.purchases["quantity"].sum() == lines["quantity"].sum()


def test_parts_change_nothing(monkeypatch, csv: Path, log: Log) -> None:
    config = DataConfig(min_purchases=1)
    whole = [build_dataset(known, config) for known in (load_log(csv, OWN_NAMES), log)]
    monkeypatch.setattr(row_blocks, "ROWS_AT_ONCE", 25)
    in_parts = [build_dataset(known, config) for known in (load_log(csv, OWN_NAMES), log)]
    for one, other in zip(whole, in_parts, strict=True):
        for table in ("items", "visits", "purchases"):
            pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table), check_exact=True)
        for array in ("list_price", "shelf_price", "unit_cost"):
            np.testing.assert_array_equal(getattr(one, array), getattr(other, array))
        assert one.report == other.report
