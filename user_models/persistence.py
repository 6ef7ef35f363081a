"""User models on disk: tensors as safetensors, settings as JSON; no pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from bundlegym.errors import UserError
from bundlegym.user_models.parameters import Layout


def save_tensors(folder: Path, name: str, tensors: dict[str, Tensor], settings: dict[str, Any]) -> None:
    """Write `name.safetensors` and `name.json` into an existing folder, each renamed into place."""
    save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, str(folder / f"{name}.safetensors.part"))
    (folder / f"{name}.json.part").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    for file in (f"{name}.safetensors", f"{name}.json"):
        os.replace(folder / f"{file}.part", folder / file)


def load_tensors(folder: Path, name: str, layout: Layout) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote, held to its `layout`.

    Raises:
        UserError: a file is missing, unreadable or damaged, or an earlier version wrote it.
    """
    try:
        settings = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        tensors = load_file(str(folder / f"{name}.safetensors"))
    except Exception as error:
        raise UserError(
            f"{folder}: no readable user model {name!r} ({name}.json, {name}.safetensors): {error}"
        ) from error
    if not layout.shapes.keys() <= tensors.keys():
        raise UserError(f"{folder}: the user model is of an earlier version; fit it anew")
    for fault in layout.faults(tensors):
        raise UserError(f"{folder}: the user model {name!r} is damaged, {fault}; remove it to fit it anew")
    for setting, value in dict(settings).items():
        if not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise UserError(f"{folder}: {name}.json is damaged, {setting} is {value}; must be at least 0")
    return tensors, settings
