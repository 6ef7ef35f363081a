"""The configurations of fits: `bundlegym.data.checked` holds each value to its range when one is made.

`python -m bundlegym.user_models.hyper_parameters` prints all that a `ChoiceShopper` has.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from bundlegym.data.checked import (
    Config,
    Count,
    Negative,
    NotNegative,
    Part,
    Positive,
    Range,
    Several,
    Share,
    Whole,
    check,
)

__all__ = [
    "Config", "Count", "Negative", "NotNegative", "Part", "Positive", "Range", "Several", "Share", "Whole",
    "check", "docs_of", "fields_of",
]  # fmt: skip


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
