"""A user model from a name, from `module:Class`, from a class or from an object."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.plugins import load, said_of
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.choice import ChoiceShopper
from bundlegym.user_models.lookalike import LookalikeShopper
from bundlegym.user_models.replay import ReplayShopper
from bundlegym.user_models.sequence import SequenceShopper
from bundlegym.user_models.single import PlainShoppers

#: The package's own families by name.
FAMILIES: dict[str, type[Any]] = {
    "choice": ChoiceShopper,
    "lookalike": LookalikeShopper,
    "replay": ReplayShopper,
    "sequence": SequenceShopper,
}


def build_user_model(
    spec: Any,
    dataset: Dataset,
    arguments: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
) -> UserModel:
    """A user model of the shoppers of a data set.

    Args:
        spec: a name in `FAMILIES`; `module:Class`; a class, batched (a `UserModel`) or plain (see `single`);
            or an object of either kind. A class is made by its `fit(dataset, **arguments)` where it has one,
            else by `Class(dataset, **arguments)`, or by `Class()` where it takes nothing.
        arguments: of the class; `device` goes to a class that takes one.

    Raises:
        UserError: unknown, or of neither kind, or the arguments do not fit.
    """
    what = spec if isinstance(spec, str) else getattr(spec, "__name__", type(spec).__name__)
    if isinstance(spec, str):
        spec = FAMILIES[spec] if spec in FAMILIES else _load(spec)
    if isinstance(spec, type):
        make = getattr(spec, "fit", spec)
        given = dict(arguments or {})
        parameters = _parameters(make, what)
        if "device" in parameters:
            given["device"] = device
        unknown = [name for name in given if name not in parameters and "**" not in parameters]
        if unknown:
            known = ", ".join(parameters[1:]) or "none"
            raise UserError(f"user model {what}: has no argument {unknown[0]!r}; known are {known}")
        try:
            spec = make(dataset, **given) if parameters else make()
        except TypeError as error:
            raise UserError(f"user model {what}: cannot be made from a data set ({error})") from error
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:  # `sys.exit` too
            raise UserError(f"user model {what}: cannot be made; {said_of(error)}") from error
    elif arguments:
        raise UserError(f"user model {what}: is an object already and takes no arguments")
    if isinstance(spec, UserModel):
        return spec
    missing = [name for name in ("reset", "respond") if not callable(getattr(spec, name, None))]
    if missing:
        raise UserError(f"user model {what}: has no method {' and no method '.join(missing)}")
    return PlainShoppers(spec, dataset)


def fit_family(name: str, dataset: Dataset, **options: Any) -> Any:
    """A family of `FAMILIES`, fitted with those of the options that it has."""
    fit = FAMILIES[name].fit
    known = inspect.signature(fit).parameters
    return fit(dataset, **{key: value for key, value in options.items() if key in known})


def parse_arguments(pairs: Sequence[str], option: str = "--user-model-args") -> dict[str, Any]:
    """`name=value` pairs of a command line; a value that reads as JSON is taken as such, else as text.

    Raises:
        UserError: a pair has no name or no equals sign.
    """
    arguments: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UserError(f"{option} {pair!r}: must be of the form name=value")
        try:
            arguments[name] = json.loads(value)
        except ValueError:
            arguments[name] = value
    return arguments


def _load(spec: str) -> Any:
    if ":" not in spec:
        known = ", ".join(FAMILIES)
        raise UserError(f"--user-model: unknown user model {spec!r}; known are {known}, or give module:Class")
    return load(spec, "--user-model")


def _parameters(make: Any, what: str) -> list[str]:
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError) as error:
        raise UserError(f"user model {what}: cannot be made from a data set ({error})") from error
    return ["**" if p.kind is p.VAR_KEYWORD else name for name, p in signature.parameters.items()]
