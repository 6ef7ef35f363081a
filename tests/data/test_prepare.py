from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Dataset, load_dataset, prepare, save_dataset, synthetic_dataset
from bundlegym.data.config import default_cache_dir
from bundlegym.errors import UserError
from tests.sealing import damages, edit_sealed

from .conftest import OWN_NAMES


def assert_same(first: Dataset, second: Dataset) -> None:
    for table in ("items", "shoppers", "visits", "purchases"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(second, table))
    for array in ("list_price", "shelf_price", "unit_cost", "display", "mailer"):
        np.testing.assert_array_equal(getattr(first, array), getattr(second, array))
    np.testing.assert_array_equal(first.split.held_out, second.split.held_out)
    assert first.split.test_weeks == second.split.test_weeks
    assert first.split.train_weeks == second.split.train_weeks
    assert (first.name, first.report, first.notes) == (second.name, second.report, second.notes)


@pytest.fixture(scope="module")
def small() -> Dataset:
    return synthetic_dataset(n_shoppers=30, n_items=30, n_weeks=10)


@pytest.fixture
def own_config(config: DataConfig, csv: Path) -> DataConfig:
    pairs = tuple(f"{ours}={theirs}" for ours, theirs in OWN_NAMES.items())
    return replace(config, log=str(csv), map=pairs)


def entries(config: DataConfig) -> list[Path]:
    return sorted(config.cache_dir.glob("[!.]*"))


def test_a_dataset_survives_the_disk(small: Dataset, tmp_path: Path) -> None:
    save_dataset(small, tmp_path / "kept")
    assert_same(small, load_dataset(tmp_path / "kept"))
    save_dataset(small, tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["kept"]


def test_the_second_start_reads_the_first_ones_result(own_config: DataConfig) -> None:
    first = prepare(own_config, progress=False)
    (entry,) = entries(own_config)
    edit_sealed(entry / "dataset.json", notes=["from the cache"])
    second = prepare(own_config, progress=False)
    assert second.notes == ("from the cache",)
    assert_same(replace(first, notes=second.notes), second)


def test_a_changed_option_or_file_is_prepared_anew(own_config: DataConfig) -> None:
    prepare(own_config, progress=False)
    prepare(replace(own_config, split_seed=1), progress=False)
    assert len(entries(own_config)) == 2
    with Path(own_config.log).open("a") as file:
        file.write("1,2024-01-03,3,1.5\n")
    prepare(own_config, progress=False)
    assert len(entries(own_config)) == 3


@pytest.mark.parametrize("name", ["dataset.json", "arrays.npz", "visits.parquet"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_a_damaged_cache_is_made_anew(own_config: DataConfig, name: str, damage: str) -> None:
    first = prepare(own_config, progress=False)
    file = entries(own_config)[0] / name
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: 60 if damage == "cut" else 0])
    with pytest.raises(UserError, match=str(entries(own_config)[0])):
        load_dataset(entries(own_config)[0])
    assert_same(first, prepare(own_config, progress=False))
    assert_same(first, load_dataset(entries(own_config)[0]))


def test_each_byte_of_prepared_data_is_vouched_for(small: Dataset, tmp_path: Path) -> None:
    save_dataset(small, tmp_path / "kept")
    for file in damages(tmp_path / "kept"):
        with pytest.raises(UserError, match=rf"kept: the prepared data is damaged \(.*{file}"):
            load_dataset(tmp_path / "kept")
    assert_same(small, load_dataset(tmp_path / "kept"))


def test_another_format_is_not_read(small: Dataset, tmp_path: Path) -> None:
    save_dataset(small, tmp_path / "kept")
    edit_sealed(tmp_path / "kept" / "dataset.json", format_version=0)
    with pytest.raises(UserError, match="written in format 0"):
        load_dataset(tmp_path / "kept")


def test_steps_are_told_unless_silenced(config: DataConfig, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(config, progress=False)
    assert capsys.readouterr().err == ""
    prepare(replace(config, split_seed=5))
    assert "reading synthetic" in capsys.readouterr().err


def test_wrong_options_are_named(config: DataConfig, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.csv: No such file"):
        prepare(replace(config, log=str(tmp_path / "gone.csv")), progress=False)
    (tmp_path / "sales.csv").write_text("a\n1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"map: 'shopper' is not of the form ours=yours"):
        prepare(replace(config, log=str(tmp_path / "sales.csv"), map=("shopper",)), progress=False)
    with pytest.raises(UserError, match="--cache-dir: .*sales.csv is a file; must be a folder"):
        prepare(replace(config, cache_dir=tmp_path / "sales.csv"), progress=False)
    with pytest.raises(UserError, match="nowhere: no prepared data here"):
        load_dataset(tmp_path / "nowhere")


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BUNDLEGYM_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path == DataConfig().cache_dir


def test_options_of_the_columns_file_count_in_cleaning_too(own_config: DataConfig, tmp_path: Path) -> None:
    whole = prepare(own_config, progress=False)
    item = str(whole.items["item"].iloc[0])
    (tmp_path / "options.toml").write_text(f'[options]\ndrop_items = ["{item}"]\n', encoding="utf-8")
    rest = prepare(replace(own_config, columns=tmp_path / "options.toml"), progress=False)
    assert item in set(whole.items["item"]) and item not in set(rest.items["item"])
