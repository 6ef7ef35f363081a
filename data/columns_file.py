"""The TOML file that says whose column is whose, how the log is read, and which tables stand beside it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bundlegym.data.config import ReadOptions
from bundlegym.data.side_tables import TableSource, table_source
from bundlegym.errors import UserError

Options = TypeVar("Options", bound=ReadOptions)


class ColumnsFile(NamedTuple):
    """Pairs our name -> the file's name; what `[options]` says about reading; and the other tables."""

    pairs: dict[str, str]
    options: dict[str, Any]
    tables: dict[str, TableSource]


def read_columns_file(path: Path) -> ColumnsFile:
    """What the file at `path` says.

    Raises:
        UserError: the file is missing, no TOML, or holds something else.
    """
    where = f"columns file {path}"
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{where}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f'{where}: not a TOML file ({error}); lines are like shopper = "customer_no", quotation marks too'
        ) from error
    options = content.pop("options", {})
    tables = {
        name: table_source(name, content.pop(name), where)
        for name in [name for name, value in content.items() if isinstance(value, dict)]
    }
    for ours, theirs in content.items():
        if not isinstance(theirs, str):
            raise UserError(f"{where}: '{ours}' must be a column's name in quotes, but is {theirs}")
    for name, source in tables.items():
        _checked_options(source.options, f"{where}, [{name}.options]")
    return ColumnsFile(content, _checked_options(options, where), tables)


def with_file_options(options: Options, found: Mapping[str, Any]) -> Options:
    """`options`, with what a columns file says in place of whatever is left at its default."""
    defaults = {field.name: field.default for field in dataclasses.fields(ReadOptions)}
    new = {name: value for name, value in found.items() if getattr(options, name) == defaults[name]}
    return dataclasses.replace(options, **new)


def _checked_options(options: Any, where: str) -> dict[str, Any]:
    fields = {field.name: field for field in dataclasses.fields(ReadOptions)}
    if not isinstance(options, dict):
        raise UserError(f"{where}: [options] must be a table")
    checked = {}
    for name, value in options.items():
        if name not in fields:
            raise UserError(f"{where}: '{name}' is no option; known are: {', '.join(fields)}")
        value = tuple(value) if isinstance(value, list) else value
        default = fields[name].default
        if default is None or isinstance(default, float):
            right = isinstance(value, int | float) and not isinstance(value, bool)
        else:
            right = type(value) is type(default)
        if not right:
            raise UserError(f"{where}: option '{name}' cannot be {value}")
        checked[name] = value
    return checked
