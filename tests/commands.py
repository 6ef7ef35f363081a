"""Commands run in this process, since each start of Python imports torch anew."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bundlegym.errors import guarded


class Ended(NamedTuple):
    """What came of a command: its exit code and what it printed."""

    code: int
    out: str
    err: str


def command(main: Callable[[], None], *arguments: str, cwd: Path) -> Ended:
    """Run `main` with the arguments of a command line in a folder, as a script does."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setattr(sys, "argv", [main.__name__, *arguments])
        patch.chdir(cwd)
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            guarded(main)
        except SystemExit as end:
            code = int(end.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())
