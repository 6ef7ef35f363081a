"""What is printed reaches any terminal, and tells it nothing else than text.

All that the package prints goes through `say` and `remark`: names of files, columns and items, and figures of
a run that somebody sent, may hold signs that move the cursor, clear lines, or turn the direction of reading.
"""

from __future__ import annotations

import io
import sys
import unicodedata

#: Marks that turn the direction of reading, so that a text reads as another than it is.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown(text: object) -> str:
    r"""Text as one line without signs that a terminal obeys: each becomes its escape, such as \x1b."""
    return "".join(_escape(sign) if _obeyed(sign) else sign for sign in str(text))


def say(text: object = "") -> None:
    """Print to standard output; line ends stay, all else is as `shown` has it."""
    print(_lines(text), flush=True)


def remark(text: object) -> None:
    """The same to standard error: what is told beside the result."""
    print(_lines(text), file=sys.stderr, flush=True)


def worth_telling(step: int, steps: int) -> bool:
    """Whether step 0, 1, ... of so many is the first, the last or one of about ten between: progress that is
    read, and not scrolled away."""
    return step in (0, steps - 1) or (step + 1) % -(-steps // 10) == 0


def show_what_it_can() -> None:
    """Letters that standard output or error cannot show, in ASCII or cp1252 say, become question marks,
    instead of an error in the midst of a table."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _lines(text: object) -> str:
    return "\n".join(map(shown, str(text).split("\n")))


def _obeyed(sign: str) -> bool:
    return sign in _TURNING or unicodedata.category(sign) in ("Cc", "Zl", "Zp")


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode()
