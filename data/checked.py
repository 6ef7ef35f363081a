"""Configurations whose fields say what they may hold: values are checked when one is made, before any work.

A configuration is a frozen dataclass whose fields have a line of doc each, below them:

    @dataclass(frozen=True)
    class SmoothingConfig(Config):
        half_life: Positive = 13.0
        \"\"\"Weeks after which a visit counts half.\"\"\"

It stands in the file of what reads it.
"""

from __future__ import annotations

import math
import os
import types
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from bundlegym.errors import UserError

#: Beyond it a number is a slip, and what counts in 32 bits would overflow.
_MOST = 2**31 - 1
#: Bytes of one name in a path, and of a path, that file systems take.
_LONGEST_NAME, _LONGEST_PATH = 255, 4095


@dataclass(frozen=True)
class Range:
    """What a number may be: `said` says it in words."""

    said: str
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def holds(self, value: float) -> bool:
        return self.least <= value <= self.most and self.above < value < self.below


Positive = Annotated[float, Range("above 0", above=0.0)]
NotNegative = Annotated[float, Range("0 or more", least=0.0)]
Share = Annotated[float, Range("from 0 to 1", least=0.0, most=1.0)]
#: A share of which neither all nor nothing will do, such as that of the weeks which are for one thing.
Part = Annotated[float, Range("between 0 and 1", above=0.0, below=1.0)]
#: A share off a price: all of it would be a gift.
Discount = Annotated[float, Range("in [0, 1)", least=0.0, below=1.0)]
Negative = Annotated[float, Range("below 0", below=0.0)]
Count = Annotated[int, Range("1 or more", least=1, most=_MOST)]
Whole = Annotated[int, Range("0 or more", least=0, most=_MOST)]
Several = Annotated[int, Range("2 or more", least=2, most=_MOST)]
#: What numpy's and torch's generators take.
Seed = Annotated[int, Range(f"from 0 to {2**32 - 1}", least=0, most=2**32 - 1)]
#: Beside a tuple of numbers: that it may be empty, too.
MAY_BE_EMPTY = "may be empty"


@cache
def _kinds(configuration: type) -> dict[str, Any]:
    """The types of its fields by name: each is a text that must be evaluated, at a millisecond or so."""
    return get_type_hints(configuration, include_extras=True)


@dataclass(frozen=True)
class Config:
    """The base of a configuration: see the module's docstring."""

    def __post_init__(self) -> None:
        """Paths that were given as texts become paths, and numbers of numpy Python's own.

        Raises:
            UserError: a value is of another type than its field, or outside the range; the message names it.
        """
        configuration: type = type(self)
        for name, kind in _kinds(configuration).items():
            value = plain(getattr(self, name))
            check(self.label(name), value, kind)
            value = Path(value) if isinstance(value, str) and _bare(kind) is Path else value
            object.__setattr__(self, name, value)

    @classmethod
    def label(cls, field: str) -> str:
        """What errors call a field."""
        return f"{cls.__name__}.{field}"


@dataclass(frozen=True)
class Options(Config):
    """A configuration that is a command line, too: errors call a field as the command line does."""

    @classmethod
    def label(cls, field: str) -> str:
        return f"--{field.replace('_', '-')}"


def plain(value: Any) -> Any:
    """A number of numpy, alone or in a tuple, as Python's own, so that JSON can hold it."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def check(name: str, value: Any, kind: Any) -> None:
    """Raise a `UserError` where a value is none of the `kind` that the field of a `name` has."""
    base, *marks = get_args(kind) if hasattr(kind, "__metadata__") else (kind,)
    if get_origin(base) in (Union, types.UnionType):
        if value is not None:
            check(name, value, _given(base))
    elif get_origin(base) is tuple:
        _check_tuple(name, value, get_args(base)[0], MAY_BE_EMPTY in marks)
    elif base in (int, float):
        _check_number(name, value, base, [mark for mark in marks if isinstance(mark, Range)])
    elif not isinstance(value, str | Path if base is Path else base):
        kinds = {bool: "true or false", str: "a text", Path: "a path"}
        said = kinds.get(base, f"an instance of {base.__name__}")
        raise UserError(f"{name}: must be {said}, not {value!r}")
    elif base in (str, Path):
        check_text(name, base(value))


def check_text(name: str, value: str | Path) -> None:
    """Raise a `UserError` where a text could name no file: it holds a zero byte, or is too long a path."""
    if "\0" in str(value):
        raise UserError(f"{name}: {str(value)!r} holds a zero byte")
    if isinstance(value, Path):
        for part, most in [(str(value), _LONGEST_PATH), *((part, _LONGEST_NAME) for part in value.parts)]:
            if len(part.encode(errors="surrogatepass")) > most:
                raise UserError(f"{name}: {part[:20]}... is longer than {most} bytes")


def check_folder(name: str, path: Path) -> None:
    """Raise a `UserError` where no folder can be made at `path`, since it, or one above it, is a file."""
    there = next((place for place in (path, *path.parents) if os.path.exists(place)), None)
    if there is not None and not os.path.isdir(there):
        raise UserError(f"{name}: {there} is a file; must be a folder")


def check_output(name: str, path: Path | None) -> None:
    """Raise a `UserError` where no file can be written at `path`, before what it is to hold is worked out."""
    if path is not None:
        check_text(name, path)
        if os.path.isdir(path):
            raise UserError(f"{name}: {path} is a folder; give a file")
        check_folder(name, path.parent)


def _given(union: Any) -> Any:
    """Of `X | None`, X."""
    (kind,) = [each for each in get_args(union) if each is not type(None)]
    return kind


def _bare(kind: Any) -> Any:
    """A kind without what is said of it, and without None."""
    base = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    return _bare(_given(base)) if get_origin(base) in (Union, types.UnionType) else base


def _check_tuple(name: str, value: Any, kind: Any, may_be_empty: bool) -> None:
    numbers = hasattr(kind, "__metadata__") or kind in (int, float)
    needed = numbers and not may_be_empty
    if not isinstance(value, tuple) or (needed and not value):
        of = "one number or more" if needed else "numbers" if numbers else "texts"
        raise UserError(f"{name}: must be a tuple of {of}, not {value!r}")
    for each in value:
        check(name, each, kind)


def _check_number(name: str, value: Any, base: type, ranges: list[Range]) -> None:
    said = ranges[0].said if ranges else "a number"
    whole = "a whole number, " if base is int else ""
    right = isinstance(value, int | base) and not isinstance(value, bool)
    if not right or not _finite(value) or not all(limits.holds(value) for limits in ranges):
        raise UserError(f"{name}: must be {whole}{said}, not {_shown(value)}")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else f"a number beyond {10**40:g}"
    return text if len(text) <= 80 else f"{text[:80]}..."
