"""A log that is gone through in parts is prepared like one that is gone through at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Log, build_dataset, load_log, row_blocks

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
    assert not list(row_blocks.parts_by(np.array([], dtype=np.int32)))


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
