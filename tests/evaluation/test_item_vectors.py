"""Vectors of items given to a run are in its candidates and in what agents see, and a run keeps to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundlegym.data import DataConfig
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.run import Run
from bundlegym.evaluation.run_folder import read_config
from bundlegym.options import parsed

SHARED: dict[str, Any] = {"log": "synthetic", "min_purchases": 10}
#: Two kinds of pictures, which have nothing to do with categories.
KIND = np.random.default_rng(0).random(120) < 0.5


def pictures(path: Path, kind: np.ndarray) -> Path:
    values = np.random.default_rng(1).normal(size=(120, 6)) + 4 * np.where(kind[:, None], 1, -1)
    np.savez(path, item=np.arange(120), vectors=values)
    return path


def run_of(folder: Path, name: str, *vectors: str) -> Run:
    data = DataConfig(**SHARED, item_vectors=vectors, cache_dir=folder / "cache")
    return Run(TrainConfig(data=data, candidates="content", embeddings="content", name=name, runs=folder))


def test_they_are_in_candidates_and_observations(tmp_path: Path) -> None:
    file = pictures(tmp_path / "pictures.npz", KIND)
    with_pictures, without = run_of(tmp_path, "with", f"image={file}"), run_of(tmp_path, "without")
    items = with_pictures.dataset.items["item"].to_numpy()
    told = []
    for run in (with_pictures, without):
        seen = run.market.item_features[:, 1:].numpy()
        told.append(np.abs(np.corrcoef(seen[:, 0], KIND[items])[0, 1]))
    assert told[0] > 0.9 > 0.4 > told[1]
    assert not np.allclose(with_pictures.market.retrieval_penalty, without.market.retrieval_penalty, rtol=0.1)

    again = Run(read_config(with_pictures.folder, cache_dir=tmp_path / "cache"))
    assert again.config.data.item_vectors == (f"image={file}",)
    np.testing.assert_array_equal(again.market.item_features, with_pictures.market.item_features)
    pictures(file, ~KIND)
    with pytest.raises(UserError, match="a file or package that is read with it, has changed"):
        Run(read_config(with_pictures.folder, cache_dir=tmp_path / "cache"))


def test_the_command_line_takes_several() -> None:
    given = ["--item-vectors", "image=a.npz", "text=b.csv", "--text", "name", "story"]
    config = parsed(TrainConfig, args=given)
    assert config.data.item_vectors == ("image=a.npz", "text=b.csv")
    assert config.data.text == ("name", "story")
