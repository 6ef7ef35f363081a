"""One command at a time writes in a folder: that of a run, of an agent in it, of a cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bundlegym.errors import UserError

_NAME = ".lock"


@contextmanager
def sole_user(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Inside, nobody else is, in this process or another. The system opens the lock when a process dies.

    Args:
        folder: an existing one.
        patience: seconds to wait for another to end.

    Raises:
        OSError: nothing can be written there.
        UserError: another is at work there.
    """
    lock = FileLock(str(folder / _NAME))
    try:
        lock.acquire(timeout=patience)
    except Timeout as error:
        raise UserError(
            f"{folder}: another command is at work here; wait until it ends, or choose another --name"
        ) from error
    try:
        yield
    finally:
        lock.release()
