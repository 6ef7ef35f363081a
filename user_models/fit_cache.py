"""A fit in stages, each kept as soon as it is done: an interrupted fit goes on after the last of them, and a
finished one is put together again in seconds."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

import bundlegym
from bundlegym.data import Dataset
from bundlegym.errors import UserError

Arrays = dict[str, np.ndarray]
#: (2,) each, an estimate and its standard error, which is infinite where the log tells nothing of it.
_WITH_ERROR = ("coupon_effect", "habit_share", "synergy_share")


class Stages:
    """Gives a stage's arrays, from its file where there is one, else by making and keeping them.

    Args:
        folder: of the files, `NAME.safetensors` each; None keeps nothing.
        progress: told of every stage that is not made again.
        given: arrays of stages by name that are neither made nor kept.
    """

    def __init__(
        self, folder: Path | None, progress: Callable[[str], None], given: dict[str, Arrays] | None = None
    ) -> None:
        self.folder, self.progress, self.given = folder, progress, given or {}

    def __call__(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a stage.

        Raises:
            UserError: a number is not finite, in which case nothing is kept; or the folder cannot be written.
        """
        if name in self.given:
            return self.given[name]
        if self.folder is None:
            return check_finite(name, make())
        path = self.folder / f"{name}.safetensors"
        if path.exists():
            try:
                arrays = load_file(path)
                self.progress(f"user model: {name} from {self.folder}")
                return arrays
            except (OSError, SafetensorError) as error:
                self.progress(f"user model: {name} anew, {path} is damaged ({error})")
        arrays = {key: np.array(value, order="C") for key, value in check_finite(name, make()).items()}
        part = path.with_name(f"{path.name}.{os.getpid()}.part")  # fits may run side by side
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(arrays, part)
            os.replace(part, path)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror or error}); give --cache-dir, or the "
                "environment variable BUNDLEGYM_CACHE, a folder that can be written"
            ) from error
        return arrays


def check_finite(stage: str, arrays: Arrays) -> Arrays:
    """`arrays` of a stage of a fit, themselves.

    Raises:
        UserError: one holds a number that is not finite; the message names the stage and the array.
    """
    for name, values in arrays.items():
        array = np.asarray(values)
        if array.dtype.kind != "f":
            continue
        bad = ~np.isfinite(array)
        if name in _WITH_ERROR:
            bad[1] = np.isnan(array[1])
        if bad.any():
            raise UserError(
                f"user model: the fit failed at the stage '{stage}': {int(bad.sum()):,} of {bad.size:,} "
                f"numbers of {name} are not finite, and nothing of it is kept; look for prices and "
                "quantities in the log that are far from all others, or too large or small for a price"
            )
    return arrays


def fit_folder(cache: Path, dataset: Dataset, **settings: Any) -> Path:
    """A folder below `cache` for the stages of one fit: named by a hash of the log's content, of the settings
    (JSON's types and arrays) and of the code that fits."""
    digest = hashlib.sha256()
    for table in (dataset.items, dataset.shoppers, dataset.visits, dataset.purchases):
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    for array in (dataset.list_price, dataset.shelf_price, dataset.display, dataset.mailer):
        digest.update(array.tobytes())
    if (campaigns := dataset.campaigns) is not None:
        digest.update(pd.util.hash_pandas_object(campaigns.table, index=False).to_numpy().tobytes())
        digest.update(campaigns.members.tobytes() + campaigns.items.tobytes())
    for name, value in sorted(settings.items()):
        text = value.tobytes().hex() if isinstance(value, np.ndarray) else value
        digest.update(json.dumps([name, text]).encode())
    package = Path(bundlegym.__file__).parent
    for folder in ("data", "recommenders", "user_models"):
        for source in sorted((package / folder).rglob("*.py")):
            digest.update(source.read_bytes())
    return cache / "fits" / digest.hexdigest()[:16]
