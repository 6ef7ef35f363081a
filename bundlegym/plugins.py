"""Objects of the user's own, named on a command line or in a specification as `module:name`."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

from bundlegym.errors import UserError
from bundlegym.terminal import shown


def load(spec: str, what: str) -> Any:
    """The object `name` of `module`, which is an installed module or a file of the working directory.

    Args:
        spec: `module:name`.
        what: which option it was given for, for the error.

    Raises:
        UserError: not of that form, no such module, or nothing of that name in it.
    """
    module_name, colon, name = spec.partition(":")
    if not (module_name and colon and name):
        raise UserError(f"{what} {spec!r}: must be of the form module:name, for example my_shoppers:Careful")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise UserError(f"{what} {spec!r}: {module_name} needs {error.name}, not installed") from error
        raise UserError(
            f"{what} {spec!r}: no module {module_name} is installed or lies in {os.getcwd()}"
        ) from error
    if not hasattr(module, name):
        raise UserError(f"{what} {spec!r}: {module.__file__ or module_name} holds no {name}")
    return getattr(module, name)


def said_of(error: BaseException) -> str:
    """What code of the user's own stopped with and where, in one line."""
    last = "".join(traceback.format_exception(error)).strip().splitlines()
    where = next((line.strip() for line in reversed(last) if line.strip().startswith("File")), "")
    return shown(f"it stops with an error: {last[-1]} ({where})")
