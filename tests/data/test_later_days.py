"""A log that becomes longer: tables of later days, and codes and splits that stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, prepare, synthetic_log
from bundlegym.data.earlier_run import Known
from bundlegym.data.later_days import REPEATED
from bundlegym.data.load import load_log
from bundlegym.errors import UserError


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    """A log in which shoppers and items come to the shop one after the other."""
    log = synthetic_log(n_shoppers=60, n_items=40, n_weeks=14)
    table = log.transactions.merge(log.items, on="item").drop(columns="week")  # type: ignore[arg-type]
    late = table["time"] >= table["time"].min() + pd.Timedelta(weeks=11)
    return table[late | ((table["shopper"] % 20 != 1) & (table["item"] % 13 != 3))]


def write(folder: Path, lines: pd.DataFrame, weeks: slice, name: str) -> str:
    week = (lines["time"] - lines["time"].min().normalize()).dt.days // 7
    path = folder / name
    lines[(week >= weeks.start) & (week < weeks.stop)].to_csv(path, index=False)
    return str(path)


def test_later_days_are_read_as_if_they_had_always_been_there(lines, tmp_path):
    whole = load_log(write(tmp_path, lines, slice(0, 14), "whole.csv"))
    first = write(tmp_path, lines, slice(0, 11), "first.csv")
    overlapping = write(tmp_path, lines, slice(10, 13), "second.csv")
    joined = load_log(first, later=[overlapping, write(tmp_path, lines, slice(13, 14), "third.csv")])
    order = ["shopper", "time", "item"]
    pd.testing.assert_frame_equal(
        *(log.transactions.sort_values(order, ignore_index=True) for log in (whole, joined))  # type: ignore[arg-type]
    )
    assert joined.dropped[REPEATED] > 0


def test_contradicting_days_are_refused(lines, tmp_path):
    first = write(tmp_path, lines, slice(0, 11), "first.csv")
    dearer = lines.assign(price_paid=lines["price_paid"] + 1)
    with pytest.raises(UserError, match=r"are not the same there.* give only days after 2024-03-17"):
        load_log(first, later=[write(tmp_path, dearer, slice(10, 12), "dearer.csv")])


def test_other_columns_are_refused(lines, tmp_path):
    first = write(tmp_path, lines, slice(0, 11), "first.csv")
    other = write(tmp_path, lines.drop(columns="quantity"), slice(11, 12), "other.csv")
    with pytest.raises(UserError, match=r"other\.csv: has the columns .* must come in the same columns"):
        load_log(first, later=[other])


def test_codes_and_split_stay(lines, tmp_path):
    config = {"min_purchases": 10, "cache_dir": tmp_path / "cache"}
    first = write(tmp_path, lines, slice(0, 11), "first.csv")
    before = prepare(DataConfig(log=first, **config), progress=False)
    Known.of(before).save(tmp_path / "known.json")
    later = (write(tmp_path, lines, slice(11, 14), "later.csv"),)
    longer = DataConfig(log=first, later=later, known=tmp_path / "known.json", **config)
    after = prepare(longer, progress=False)

    for table, name in (("items", "item"), ("shoppers", "shopper")):
        old, new = (getattr(dataset, table)[name].astype(str).tolist() for dataset in (before, after))
        assert new[: len(old)] == old and len(new) > len(old)
        assert new[len(old) :] == sorted(new[len(old) :])
    held_out = after.split.held_out
    np.testing.assert_array_equal(held_out[: before.n_shoppers], before.split.held_out)
    assert after.n_weeks == before.n_weeks + 3
    assert after.split.train_weeks == (0, before.split.train_weeks[1] + 3)
    span = [np.diff(dataset.split.test_weeks)[0] for dataset in (before, after)]
    assert span[0] == span[1]


def test_a_known_item_without_lines_is_told(lines, tmp_path):
    first = write(tmp_path, lines, slice(0, 11), "first.csv")
    config = DataConfig(log=first, min_purchases=10, cache_dir=tmp_path / "cache")
    known = Known.of(prepare(config, progress=False))
    changed = Known(np.append(known.items, "no such item"), *list(vars(known).values())[1:])
    changed.save(tmp_path / "known.json")
    with pytest.raises(UserError, match="the first is 'no such item'"):
        prepare(
            DataConfig(
                log=first, known=tmp_path / "known.json", min_purchases=10, cache_dir=tmp_path / "cache"
            ),
            progress=False,
        )
