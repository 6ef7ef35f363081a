"""Recommenders on disk: what is damaged is said when it is loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bundlegym.errors import UserError
from bundlegym.recommenders import Interactions, load_recommender, make_recommender
from tests.sealing import damages, edit_sealed


@pytest.fixture
def folder(dataset, tmp_path) -> Path:
    log = Interactions.from_dataset(dataset, dataset.split.train_weeks)
    make_recommender("item-knn").fit(log).save(tmp_path)
    return tmp_path


def change(path: Path, name: str, value: float) -> None:
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    arrays[name][-1] = value
    np.savez_compressed(path, **arrays)
    edit_sealed(path.with_name("recommender.json"))


@pytest.mark.parametrize("name", ["item", "shopper", "visit"])
@pytest.mark.parametrize("value", [-1, 2**31])
def test_codes_of_the_log_out_of_range(name, value, folder):
    change(folder / "log.npz", name, value)
    with pytest.raises(UserError, match=f"the recommender is damaged .{name}: codes must lie in"):
        load_recommender(folder)


def test_columns_of_a_matrix_out_of_range(folder):
    with np.load(folder / "state.npz") as file:
        matrix = next(name for name in file.files if name.endswith("/indices"))
    change(folder / "state.npz", matrix, 2**30)
    with pytest.raises(UserError, match="the recommender is damaged"):
        load_recommender(folder)


def test_each_byte_is_vouched_for(folder):
    for file in damages(folder):
        with pytest.raises(UserError, match=rf"the recommender is damaged \(.*{file}.*remove the folder"):
            load_recommender(folder)
    load_recommender(folder)


def test_a_file_that_is_cut_short(folder):
    whole = (folder / "state.npz").read_bytes()
    (folder / "state.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="the recommender is damaged"):
        load_recommender(folder)
