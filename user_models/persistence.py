"""User models on disk: parameters as safetensors, settings as JSON; no pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file, save_file

from bundlegym.errors import UserError
from bundlegym.user_models.parameters import Parameters

P = TypeVar("P", bound=Parameters)


def save_parameters(folder: Path, name: str, parameters: Parameters, settings: dict[str, float]) -> None:
    """Write `name.safetensors` and `name.json` into an existing folder, each renamed into place."""
    tensors = {leaf: value.cpu().contiguous() for leaf, value in parameters.leaves()}
    save_file(tensors, str(folder / f"{name}.safetensors.part"))
    (folder / f"{name}.json.part").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    for file in (f"{name}.safetensors", f"{name}.json"):
        os.replace(folder / f"{file}.part", folder / file)


def load_parameters(folder: Path, name: str, kind: type[P]) -> tuple[P, dict[str, Any]]:
    """What `save_parameters` wrote, held to the shapes and codes that its fields state.

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
    if tensors.keys() != {leaf for _, leaf, _ in kind.specs()}:
        raise UserError(f"{folder}: the user model is of an earlier version; fit it anew")
    parameters = kind.of(tensors)
    for fault in parameters.faults():
        raise UserError(f"{folder}: the user model {name!r} is damaged, {fault}; remove it to fit it anew")
    for setting, value in dict(settings).items():
        if not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise UserError(f"{folder}: {name}.json is damaged, {setting} is {value}; must be at least 0")
    return parameters, settings
