"""Whose column is whose: our names and the file's names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from bundlegym.errors import UserError

#: Columns of a line that are ids; those that are numbers; and the rest.
ID_COLUMNS = ("shopper", "item", "basket", "store")
NUMBER_COLUMNS = (
    "price_paid", "amount", "list_price", "discount_amount", "coupon_discount", "quantity", "week", "day",
    "unit_cost", "on_hand",
)  # fmt: skip
#: Columns that hold dates, or numbers of days where the log numbers its days.
TIME_COLUMNS = ("time", "first_day", "last_day")
#: Columns whose texts are ids, read alike in all tables.
SAME_IDS = ("shopper", "item", "basket", "campaign", "coupon")
LINE_COLUMNS = (
    *ID_COLUMNS,
    "time",
    *(name for name in NUMBER_COLUMNS if name not in ("unit_cost", "on_hand")),
    "event",
    "status",
)
ITEM_COLUMNS = ("item", "name", "department", "category", "subcategory", "brand", "unit_cost")
#: Other names under which a column may be asked for.
ALIASES = {"price": "price_paid"}
KNOWN = tuple(sorted({*LINE_COLUMNS, *ITEM_COLUMNS, *ALIASES}))


def parse_pairs(texts: Iterable[str]) -> dict[str, str]:
    """Our name -> the file's name of texts ours=yours.

    Raises:
        UserError: a text is of another form.
    """
    mapping = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise UserError(f"map: '{text}' is not of the form ours=yours, for example shopper=customer_no")
        mapping[ours.strip()] = theirs
    return mapping


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
