"""User models on disk: tensors as safetensors, settings as JSON; no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from bundlegym.errors import UserError


def save_tensors(folder: Path, name: str, tensors: dict[str, Tensor], settings: dict[str, Any]) -> None:
    """Write `name.safetensors` and `name.json` into an existing folder, each renamed into place."""
    save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, str(folder / f"{name}.safetensors.part"))
    (folder / f"{name}.json.part").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    for file in (f"{name}.safetensors", f"{name}.json"):
        os.replace(folder / f"{file}.part", folder / file)


def load_tensors(
    folder: Path, name: str, needed: Collection[str] = ()
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote. `needed` names tensors that earlier versions did not write.

    Raises:
        UserError: a file is missing or unreadable, or an earlier version wrote it.
    """
    try:
        settings = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        tensors = load_file(str(folder / f"{name}.safetensors"))
    except Exception as error:
        raise UserError(
            f"{folder}: no readable user model {name!r} ({name}.json, {name}.safetensors): {error}"
        ) from error
    if not set(needed) <= tensors.keys():
        raise UserError(f"{folder}: the user model is of an earlier version; fit it anew")
    return tensors, settings
