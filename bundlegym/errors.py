"""The one error that a user of bundlegym is meant to read, and how commands print it."""

import os
import sys
from collections.abc import Callable

from bundlegym.terminal import show_what_it_can


class UserError(Exception):
    """Something in the user's input (a file, a column, an option) is wrong.

    The message names what is wrong and what would be right; the scripts print it as one line and exit
    with code 2.
    """


def guarded(main: Callable[[], None]) -> None:
    """Run a command; a `UserError` becomes one line on stderr and exit code 2."""
    show_what_it_can()
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # whoever reads the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
