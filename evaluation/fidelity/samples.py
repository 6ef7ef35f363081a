"""The samples behind the plots of fidelity as a file of a run: NPZ, two arrays a plot, nothing pickled."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.data.files import replacing
from bundlegym.errors import UserError

#: By name, each (real, simulated).
Samples = dict[str, tuple[np.ndarray, np.ndarray]]
#: What the file is called in the folder of a run.
SAMPLES = "fidelity.npz"
_MOST = 20_000


def write_samples(path: Path, samples: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Write samples as float32. Of one with more than 20,000 values as many are kept, evenly by position:
    a picture shows no more."""
    arrays: dict[str, Any] = {
        f"{name}/{side}": _thinned(values)
        for name, pair in samples.items()
        for side, values in zip(("real", "simulated"), pair, strict=True)
    }
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_samples(path: Path) -> Samples:
    """What `write_samples` wrote; in a run `fidelity.json` vouches for it.

    Raises:
        UserError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            names = dict.fromkeys(key.rpartition("/")[0] for key in file)
            return {name: (file[f"{name}/real"], file[f"{name}/simulated"]) for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: damaged ({error}); remove it, and the page goes without plots") from error


def _thinned(values: np.ndarray) -> np.ndarray:
    """Pairs of arrays of one length keep their pairs."""
    at = np.linspace(0, len(values) - 1, min(len(values), _MOST)).round().astype(np.int64)
    return np.asarray(values, dtype=np.float32)[at]
