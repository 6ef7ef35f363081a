"""A `Dataset` as a folder: Parquet for tables, NPZ for arrays, JSON for the rest; nothing pickled.

The JSON file vouches for the others.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bundlegym.data.base import Dataset, Split
from bundlegym.data.campaigns import Campaigns
from bundlegym.data.files import private_files, private_folder
from bundlegym.data.lock import sole_user
from bundlegym.data.sealed import read_sealed_json, write_sealed_json
from bundlegym.errors import UserError

#: Raise it whenever prepared data changes in content or layout, so that older folders are not read.
FORMAT_VERSION = 15
TABLES = ("items", "shoppers", "visits", "purchases")
ARRAYS = ("list_price", "shelf_price", "unit_cost", "display", "mailer")
#: What the names of vectors begin with in their file, so that none is a word of numpy's own.
_VECTOR = "vector/"
#: Seconds that one who saves waits for others who save in the same place.
_PATIENCE = 600.0


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write `dataset` to `folder`, which takes its place only when complete, replacing what stood there.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.part")
    try:
        private_folder(folder.parent)
        with sole_user(folder.parent, _PATIENCE), private_files():
            shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
            private_folder(temporary)
            try:
                _write(dataset, temporary)
                _put_in_place(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); give --cache-dir, or the environment "
            "variable BUNDLEGYM_CACHE, a folder that can be written and has room"
        ) from error


def load_dataset(folder: Path) -> Dataset:
    """Read what `save_dataset` wrote.

    Raises:
        UserError: there is no such folder, it is damaged, or another version of bundlegym wrote it.
    """
    folder = Path(folder)
    if not (folder / "dataset.json").is_file():
        raise UserError(f"{folder}: no prepared data here (dataset.json is missing)")
    try:
        return _read(folder)
    except UserError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        zipfile.BadZipFile,
        pa.ArrowException,
    ) as error:
        raise UserError(f"{folder}: the prepared data is damaged ({error}); delete the folder") from error


def _put_in_place(temporary: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(temporary, folder)


def _write(dataset: Dataset, folder: Path) -> None:
    for table in TABLES:
        getattr(dataset, table).to_parquet(folder / f"{table}.parquet", index=False)
    arrays = {name: getattr(dataset, name) for name in ARRAYS}
    np.savez(folder / "arrays.npz", held_out=dataset.split.held_out, **arrays)
    if (campaigns := dataset.campaigns) is not None:
        campaigns.table.to_parquet(folder / "campaigns.parquet", index=False)
        np.savez(folder / "campaigns.npz", members=campaigns.members, items=campaigns.items)
    if dataset.vectors:
        vectors = {f"{_VECTOR}{name}": values for name, values in dataset.vectors.items()}
        np.savez(folder / "vectors.npz", allow_pickle=False, **vectors)
    weeks = {key: value for key, value in asdict(dataset.split).items() if key != "held_out"}
    facts = {
        "format_version": FORMAT_VERSION,
        "name": dataset.name,
        "split": weeks,
        "report": dataset.report,
        "notes": list(dataset.notes),
        "start": dataset.start.isoformat(),
    }
    write_sealed_json(folder / "dataset.json", facts, others=sorted(folder.iterdir()))


def _read(folder: Path) -> Dataset:
    facts = read_sealed_json(folder / "dataset.json")
    if facts["format_version"] != FORMAT_VERSION:
        raise UserError(
            f"{folder}: written in format {facts['format_version']}, this version reads {FORMAT_VERSION}"
        )
    tables: dict[str, Any] = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    with np.load(folder / "arrays.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in ARRAYS}
        held_out = file["held_out"]
    weeks = {name: (int(first), int(past)) for name, (first, past) in facts["split"].items()}
    shape = (len(tables["items"]), weeks["test_weeks"][1])
    if any(array.shape != shape for array in arrays.values()) or len(held_out) != len(tables["shoppers"]):
        raise ValueError("its tables and arrays do not fit together")
    vectors = _read_vectors(folder)
    if any(values.ndim != 2 or len(values) != shape[0] for values in vectors.values()):
        raise ValueError("its vectors are not of its items")
    return Dataset(
        name=facts["name"],
        **tables,
        **arrays,
        split=Split(held_out=held_out, **weeks),
        report=facts["report"],
        notes=tuple(facts["notes"]),
        campaigns=_read_campaigns(folder),
        start=pd.Timestamp(facts["start"]),
        vectors=vectors,
    )


def _read_vectors(folder: Path) -> dict[str, np.ndarray]:
    if not (folder / "vectors.npz").is_file():
        return {}
    with np.load(folder / "vectors.npz", allow_pickle=False) as file:
        return {name.removeprefix(_VECTOR): file[name] for name in file.files}


def _read_campaigns(folder: Path) -> Campaigns | None:
    if not (folder / "campaigns.parquet").is_file():
        return None
    with np.load(folder / "campaigns.npz", allow_pickle=False) as file:
        return Campaigns(pd.read_parquet(folder / "campaigns.parquet"), file["members"], file["items"])
