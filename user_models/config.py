"""What the configurations of fits have in common: each value is checked against its range when one is made.

A configuration is a frozen dataclass whose fields have a line of doc each, below them:

    @dataclass(frozen=True)
    class SmoothingConfig(Config):
        half_life: Positive = 13.0
        \"\"\"Weeks after which a visit counts half.\"\"\"

It stands in the file of the fit that reads it. `python -m bundlegym.user_models.hyper_parameters` prints all
that a `ChoiceShopper` has.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

from bundlegym.errors import UserError


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
Negative = Annotated[float, Range("below 0", below=0.0)]
Count = Annotated[int, Range("1 or more", least=1)]
Whole = Annotated[int, Range("0 or more", least=0)]
Several = Annotated[int, Range("2 or more", least=2)]


@dataclass(frozen=True)
class Config:
    """The base of a configuration: see the module's docstring."""

    def __post_init__(self) -> None:
        """Raises:
        UserError: a value is of another type than its field, or outside the range; the message names it.
        """
        for name, kind in get_type_hints(type(self), include_extras=True).items():
            check(self.label(name), getattr(self, name), kind)

    @classmethod
    def label(cls, field: str) -> str:
        """What errors call a field."""
        return f"{cls.__name__}.{field}"


def check(name: str, value: Any, kind: Any) -> None:
    """Raise a `UserError` where a value is none of the `kind` that the field of a `name` has."""
    base, *ranges = get_args(kind) if hasattr(kind, "__metadata__") else (kind,)
    if get_args(base):  # a tuple of numbers
        if not isinstance(value, tuple) or not value:
            raise UserError(f"{name}: must be a tuple of one number or more, not {value!r}")
        for each in value:
            check(name, each, get_args(base)[0])
        return
    if issubclass(base, Config):
        if not isinstance(value, base):
            raise UserError(f"{name}: must be an instance of {base.__name__}, not {value!r}")
        return
    said = ranges[0].said if ranges else "a number"
    whole = "a whole number, " if base is int else ""
    right = isinstance(value, int | base) and not isinstance(value, bool) and math.isfinite(value)
    if not right or not all(limits.holds(value) for limits in ranges):
        raise UserError(f"{name}: must be {whole}{said}, not {value!r}")


def fields_of(config: Config, path: str = "") -> Iterator[tuple[str, Any, str]]:
    """Path, value and doc of each field of a configuration, those of nested ones in their place."""
    docs = docs_of(type(config))
    for field in dataclasses.fields(config):
        name, value = f"{path}{field.name}", getattr(config, field.name)
        if isinstance(value, Config):
            yield from fields_of(value, f"{name}.")
        else:
            yield name, value, docs.get(field.name, "")


def docs_of(kind: type) -> dict[str, str]:
    """Field -> the string that stands below it in the source of a class, on one line."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                found[field.target.id] = " ".join(str(below.value.value).split())
    return found
