"""Command lines, refused in one sentence that names the option, and of a slip of the pen the right one."""

from __future__ import annotations

import argparse
import difflib
import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NoReturn, TypeVar

import tyro

from bundlegym.errors import UserError
from bundlegym.terminal import remark

C = TypeVar("C")

#: A line that divides the parts of what tyro prints: its title, the error, and help.
_RULE = re.compile(r"\n\s*-{5,}\s*\n")
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w.-]*")


def parsed(kind: type[C], *, args: Sequence[str] | None = None, **how: Any) -> C:
    """The configuration that a command line asks for, by `tyro.cli`.

    Args:
        args: by default those of the process.
        how: further arguments of `tyro.cli`.

    Raises:
        UserError: an option is unknown, or its value is none.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            found, others = tyro.cli(kind, args=args, return_unknown_args=True, **how)
    except SystemExit as end:
        if not end.code:
            raise  # it has printed help
        raise UserError(_error_of(said.getvalue())) from None
    if said.getvalue():
        remark(said.getvalue().rstrip())
    if others:
        raise UserError(unknown(others[0], _help(kind, how)))
    return found


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are a `UserError`, and which knows no option by its beginning."""

    def __init__(self, **how: Any) -> None:
        super().__init__(allow_abbrev=False, **how)

    def error(self, message: str) -> NoReturn:
        """What argparse calls where it would print usage and end.

        Raises:
            UserError: always.
        """
        head, _, others = message.partition("unrecognized arguments: ")
        if not head:
            message = unknown(others.split()[0], self.format_help())
        elif "are required" in head:
            message += "; --help says what that is"
        raise UserError(message)


def unknown(argument: str, known: str) -> str:
    """A sentence on an argument that a command does not know.

    Args:
        known: a text that names the options that it knows.
    """
    name = argument.partition("=")[0]
    if not name.startswith("-"):
        return f"unexpected argument {argument!r}; --help lists the options"
    near = difflib.get_close_matches(name.replace("_", "-"), sorted(set(_OPTION.findall(known))), n=1)
    return f"unknown option {name}; {f'is {near[0]} meant?' if near else '--help lists the options'}"


def _error_of(said: str) -> str:
    _, *parts = _RULE.split(said)
    text = " ".join((parts[0] if parts else said).split())
    text = re.sub(r"^Missing from .*?: ", "missing: ", text.removeprefix("Error parsing "))
    return text.rstrip(".") + "; --help lists the options"


def _help(kind: type, how: dict[str, Any]) -> str:
    told = io.StringIO()
    try:
        with redirect_stdout(told):
            tyro.cli(kind, args=["--help"], **how)
    except SystemExit:
        pass
    return told.getvalue()
