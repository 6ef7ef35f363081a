"""The one error that a user of bundlegym is meant to read, and how commands print it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from bundlegym.terminal import remark, show_what_it_can, shown

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """Something in the user's input (a file, a column, an option) is wrong.

    The message names what is wrong and what would be right; the scripts print it as one line and exit
    with code 2.
    """


def in_one_line(error: BaseException) -> str | None:
    """What a user is told, in one line, of an error that is theirs or the machine's; None for one of ours."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return (
            "memory ran out; what was written before is whole; give fewer --workers, --n-envs or --episodes"
        )
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        full = error.errno in _FULL or os.strerror(errno.ENOSPC) in str(error)
        what = f"{error.strerror or error}"
        help = "; what was written before is whole; make room, and give the command again" if full else ""
        return f"{place}{what}{help}"
    return None


def guarded(main: Callable[[], None]) -> None:
    """Run a command; what `in_one_line` has a line for becomes this line on stderr and exit code 2."""
    show_what_it_can()
    try:
        main()
    except KeyboardInterrupt:
        remark("\ninterrupted")
        sys.exit(130)
    except BrokenPipeError:  # whoever reads the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        told = in_one_line(error)
        if told is None:
            raise
        remark(f"error: {shown(told)}")
        sys.exit(2)
