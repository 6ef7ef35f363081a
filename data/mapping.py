"""Whose column is whose: our names, the file's names, and the TOML files that say both."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from bundlegym.data.config import ReadOptions
from bundlegym.errors import UserError

#: Columns of a line that are ids; those that are numbers; and the rest.
ID_COLUMNS = ("shopper", "item", "basket", "store")
NUMBER_COLUMNS = (
    "price_paid", "amount", "list_price", "discount_amount", "coupon_discount", "quantity", "week", "day",
    "unit_cost",
)  # fmt: skip
LINE_COLUMNS = (
    *ID_COLUMNS,
    "time",
    *(name for name in NUMBER_COLUMNS if name != "unit_cost"),
    "event",
    "status",
)
ITEM_COLUMNS = ("item", "name", "department", "category", "subcategory", "brand", "unit_cost")
#: Other names under which a column may be asked for.
ALIASES = {"price": "price_paid"}
KNOWN = tuple(sorted({*LINE_COLUMNS, *ITEM_COLUMNS, *ALIASES}))

Options = TypeVar("Options", bound=ReadOptions)


def read_columns_file(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Pairs our name -> the file's name, and what its table `[options]` says about reading.

    Raises:
        UserError: the file is missing, no TOML, or holds something else.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"columns file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"columns file {path}: not a TOML file ({error})") from error
    options = content.pop("options", {})
    for ours, theirs in content.items():
        if not isinstance(theirs, str):
            raise UserError(
                f"columns file {path}: '{ours}' must be a column's name in quotes, but is {theirs!r}"
            )
    return content, _checked_options(options, path)


def with_file_options(options: Options, found: Mapping[str, Any]) -> Options:
    """`options`, with what a columns file says in place of whatever is left at its default."""
    defaults = {field.name: field.default for field in dataclasses.fields(ReadOptions)}
    new = {name: value for name, value in found.items() if getattr(options, name) == defaults[name]}
    return dataclasses.replace(options, **new)


def full_mapping(pairs: Mapping[str, str]) -> dict[str, str]:
    """Pairs under our own names, without aliases."""
    mapping = {ALIASES.get(ours, ours): theirs for ours, theirs in pairs.items()}
    for ours in mapping:
        if ours not in KNOWN:
            raise UserError(f"column mapping: '{ours}' is no column of ours; known are: {', '.join(KNOWN)}")
    if {"price_paid", "amount"} <= set(mapping):
        raise UserError(
            "column mapping: give price_paid (of one piece) or amount (of the whole line), not both"
        )
    price = mapping.get("price_paid", mapping.get("amount"))
    if price is not None and price == mapping.get("quantity"):
        raise UserError(f"column mapping: '{price}' is mapped to the price and to the quantity")
    return mapping


def in_names(theirs: str, names: tuple[str, ...]) -> str | None:
    """The name among `names` that `theirs` means: itself, without blanks around it, or its place from 1."""
    if theirs in names:
        return theirs
    if theirs.strip() in names:
        return theirs.strip()
    if theirs.strip().isdigit() and f"column {theirs.strip()}" in names:
        return f"column {theirs.strip()}"
    return None


def header_words(mapping: Mapping[str, str]) -> set[str]:
    """Names of which a header is likely to hold some: ours, and those that are mapped, places aside."""
    return {*KNOWN, *(theirs.strip() for theirs in mapping.values() if not theirs.strip().isdigit())}


def check_mapping(mapping: Mapping[str, str], found: Mapping[str, tuple[str, ...]]) -> None:
    """Raise `UserError` where a pair names a column that no table of `found` (label -> names) has."""
    for ours, theirs in mapping.items():
        if not any(in_names(theirs, names) for names in found.values()):
            every = [name for names in found.values() for name in names]
            close = get_close_matches(theirs, every, 1)
            hint = f" (is '{close[0]}' meant?)" if close else ""
            have = "; ".join(f"{label} has: {', '.join(names)}" for label, names in found.items())
            raise UserError(f"column mapping: no column '{theirs}' (mapped to '{ours}'){hint}; {have}")


def located(mapping: Mapping[str, str], wanted: tuple[str, ...], names: tuple[str, ...]) -> dict[str, str]:
    """Our name -> the file's name, for those of `wanted` that the file has: mapped, or under our own name."""
    own = {**{target: alias for alias, target in ALIASES.items() if alias in names}, **{n: n for n in names}}
    found = {ours: in_names(mapping.get(ours, own.get(ours, "")), names) for ours in wanted}
    if "amount" in mapping:
        found["price_paid"] = None
    elif found.get("price_paid"):
        found["amount"] = None
    return {ours: theirs for ours, theirs in found.items() if theirs is not None}


def _checked_options(options: Any, path: Path) -> dict[str, Any]:
    fields = {field.name: field for field in dataclasses.fields(ReadOptions)}
    if not isinstance(options, dict):
        raise UserError(f"columns file {path}: [options] must be a table")
    checked = {}
    for name, value in options.items():
        if name not in fields:
            raise UserError(f"columns file {path}: '{name}' is no option; known are: {', '.join(fields)}")
        value = tuple(value) if isinstance(value, list) else value
        default = fields[name].default
        if default is None or isinstance(default, float):
            right = isinstance(value, int | float) and not isinstance(value, bool)
        else:
            right = type(value) is type(default)
        if not right:
            raise UserError(f"columns file {path}: option '{name}' cannot be {value!r}")
        checked[name] = value
    return checked
