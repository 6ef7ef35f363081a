"""The folder of a run: how it was made, and how to go on with it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from bundlegym.data import Dataset
from bundlegym.data.config import default_cache_dir
from bundlegym.data.files import private_files, private_folder, write_json, write_text
from bundlegym.data.fingerprint import fingerprint
from bundlegym.data.sealed import read_sealed_json, write_sealed_json
from bundlegym.errors import UserError
from bundlegym.evaluation.config import FINGERPRINT, TrainConfig, from_json, to_json
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.evaluation.versions import versions

#: The file that a run begins with.
CONFIG = "config.json"


def begin(config: TrainConfig, dataset: Dataset) -> None:
    """Make the folder of a run, which tells how it was made; one that is there stays as it is.

    Raises:
        UserError: the log of one that is there was another.
    """
    if (config.folder / CONFIG).exists():
        return _check_log(config, dataset)
    with private_files():
        private_folder(config.folder)
        write_text(config.folder / "command.txt", shlex.join(sys.argv) + "\n")
        write_json(config.folder / "versions.json", versions())
        write_json(config.folder / "data_report.json", dataset.report)
        Pseudonyms.of_run(config.folder)
        begun = to_json(config) | {FINGERPRINT: fingerprint(dataset)}
        write_sealed_json(config.folder / CONFIG, begun)  # last: with it the run can be resumed


def _check_log(config: TrainConfig, dataset: Dataset) -> None:
    if read_sealed_json(config.folder / CONFIG).get(FINGERPRINT) != fingerprint(dataset):
        raise UserError(
            f"{config.data.log}: this log, or a file or package that is read with it, has changed since "
            f"{config.folder} was made of it; put it back as it was, train a run of another --name on it as "
            "it is now, or give later days in a table of their own to bundlegym update"
        )


def read_config(folder: Path, *, trust_code: bool = False, cache_dir: Path | None = None) -> TrainConfig:
    """The configuration of an existing run; the run is where it is now, wherever it was made.

    Anybody may have made it: its code is imported only where the caller says so, and prepared logs are kept
    in the caller's own cache.

    Args:
        trust_code: the modules that the run names may be imported.
        cache_dir: where prepared logs are kept; by default where `DataConfig` keeps them.

    Raises:
        UserError: there is no such folder, it holds no readable config.json, or it names code that is not
            trusted.
    """
    path = folder / CONFIG
    check_there(folder)
    try:
        config = from_json(read_sealed_json(path), folder, cache_dir)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder}: not the folder of a run, no readable {CONFIG} ({error}); it must be as bundlegym "
            "train wrote it, by this version"
        ) from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if config.code and not trust_code:
        raise UserError(
            f"{folder}: this run imports {', '.join(config.code)}; add --trust-code if you trust that code"
        )
    return config


def check_there(folder: Path) -> None:
    """Raise `UserError` where there is no folder of this name; it names the runs beside it."""
    if os.path.isdir(folder):  # which knows of no name too long
        return
    runs = [path.parent.name for path in folder.parent.glob(f"*/{CONFIG}")]
    known = f"there are {', '.join(sorted(runs))}" if runs else "bundlegym train makes one"
    raise UserError(f"{folder}: no such run; {known}")


def resuming(config: TrainConfig) -> str:
    """The command that goes on with a run."""
    command = ["bundlegym", "train", "--resume", str(config.folder)]
    if config.code:
        command.append("--trust-code")
    if config.data.cache_dir != default_cache_dir():
        command += ["--cache-dir", str(config.data.cache_dir)]
    return shlex.join(command)
