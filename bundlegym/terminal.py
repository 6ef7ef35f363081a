"""What is printed reaches any terminal."""

from __future__ import annotations

import io
import sys


def show_what_it_can() -> None:
    """Letters that standard output or error cannot show, in ASCII or cp1252 say, become question marks,
    instead of an error in the midst of a table."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
