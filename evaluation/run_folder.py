"""The folder of a run: how it was made, and how to go on with it."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from bundlegym.data.config import default_cache_dir
from bundlegym.data.files import write_json
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig, from_json, to_json
from bundlegym.evaluation.versions import versions


def begin(config: TrainConfig) -> None:
    """Make the folder of a run, which tells how it was made; one that is there stays as it is."""
    folder = config.folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config.json").exists():
        (folder / "command.txt").write_text(shlex.join(sys.argv) + "\n", encoding="utf-8")
        write_json(folder / "versions.json", versions())
        write_json(folder / "config.json", to_json(config))  # last: with it the run can be resumed


def read_config(folder: Path, *, trust_code: bool = False, cache_dir: Path | None = None) -> TrainConfig:
    """The configuration of an existing run; the run is where it is now, wherever it was made.

    Anybody may have made it: its code is imported only where the caller says so, and prepared logs are kept
    in the caller's own cache.

    Args:
        trust_code: the modules that the run names may be imported.
        cache_dir: where prepared logs are kept; by default where `DataConfig` keeps them.

    Raises:
        UserError: the folder holds no readable config.json, or names code that is not trusted.
    """
    path = folder / "config.json"
    try:
        config = from_json(json.loads(path.read_text(encoding="utf-8")), folder, cache_dir)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder}: not the folder of a run, no readable config.json ({error})") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if config.code and not trust_code:
        raise UserError(
            f"{folder}: this run imports {', '.join(config.code)}; add --trust-code if you trust that code"
        )
    return config


def resuming(config: TrainConfig) -> str:
    """The command that goes on with a run."""
    command = ["python", "train.py", "--resume", str(config.folder)]
    if config.code:
        command.append("--trust-code")
    if config.data.cache_dir != default_cache_dir():
        command += ["--cache-dir", str(config.data.cache_dir)]
    return shlex.join(command)
