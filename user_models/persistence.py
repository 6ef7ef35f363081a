"""User models on disk: parameters as safetensors, settings as JSON, sealed both; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from bundlegym.data.files import replacing
from bundlegym.data.sealed import BLANK, check_seal, read_sealed_json, seal, write_sealed_json
from bundlegym.errors import UserError
from bundlegym.user_models.parameters import Parameters

P = TypeVar("P", bound=Parameters)


def save_parameters(folder: Path, name: str, parameters: Parameters, settings: dict[str, float]) -> None:
    """Write `name.safetensors` and `name.json` into an existing folder, each renamed into place."""
    path = folder / f"{name}.safetensors"
    with replacing(path) as part:
        _save({leaf: value.cpu().contiguous() for leaf, value in parameters.leaves()}, part)
    write_sealed_json(folder / f"{name}.json", dict(settings), others=[path])


def load_parameters(folder: Path, name: str, kind: type[P]) -> tuple[P, dict[str, Any]]:
    """What `save_parameters` wrote, held to the shapes and codes that its fields state.

    Raises:
        UserError: a file is missing, unreadable or damaged, or an earlier version wrote it.
    """
    try:
        settings = read_sealed_json(folder / f"{name}.json")
        tensors = load_file(str(folder / f"{name}.safetensors"))
    except Exception as error:
        raise UserError(
            f"{folder}: no readable user model {name!r} ({error}); remove {name}.json to fit it anew"
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


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write one sealed safetensors file; `header` is of JSON's own types.

    Raises:
        OSError: it cannot be written.
    """
    # One entry alone: the order of several would not be the same each time.
    metadata = {"header": json.dumps({"sha256": BLANK, **header})}
    _save(tensors, path, metadata)
    seal(path)


def _save(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    try:
        save_file(dict(tensors), str(path), metadata=metadata)
    except SafetensorError as error:  # a full disk, for instance
        raise OSError(f"{path}: {error}") from error


def read_tensors(path: Path, only: str = "") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors whose names begin with `only`, and the header, of what `write_tensors` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or was never sealed.
    """
    check_seal(path)
    try:
        with safe_open(str(path), "pt") as file:
            header = json.loads(file.metadata()["header"])
            tensors = {name: file.get_tensor(name) for name in list(file.keys()) if name.startswith(only)}
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    del header["sha256"]
    return tensors, header
