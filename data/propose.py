"""Proposes which column of an unknown table is what, with a reason for each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from unicodedata import combining, normalize

import numpy as np
import pandas as pd
import pyarrow as pa

from bundlegym.data.config import ReadOptions
from bundlegym.data.ids import is_nothing
from bundlegym.data.lines import looks_like_events, looks_like_statuses
from bundlegym.data.mapping import ALIASES
from bundlegym.data.numbers import strip_numbers, to_numbers
from bundlegym.data.tables import distinct
from bundlegym.data.times import read_times

#: Words in a column's name, without accents, by what it then is likely to be.
HINTS = {
    "time": r"date|time|datum|fecha|day|created|_dat$|_dt$",
    "shopper": r"customer|client|shopper|user|member|household|hshd|kund|klant|cust|buyer|visitor|person|"
    r"e?mail|card",
    "basket": r"invoice|order|basket|trans|receipt|ticket|bill|session|trip|\bbon(?!us)|bon$|check|beleg|"
    r"rechnung|facture|factura|fattura|scontrino",
    "item": r"stock.?code|sku|product|prod|item|\bart(?:\b|ic|ik|ig|_?n)|artikel|upc|ean|asin|material|goods",
    "quantity": r"qty|quant|units|pieces|menge|anzahl|stuck|antal|aantal|cantidad|pezzi|cds",
    "price_paid": r"price|preis|prix|precio|preco|prezzo|prijs|pris",
    "amount": r"amount|total|sales|revenue|value|spend|umsatz|summe|betrag|gesamt|montant|importe|importo|"
    r"bedrag|belopp|subtotal|paid|sum$",
    "list_price": r"(list|regular|base|original|rrp|msrp|full).*(price|value)|^(list|rrp|msrp)$",
    "name": r"desc|name|title|bezeichn|libelle|designation|omschrijving",
    "department": r"department|dept|abteilung|afdeling|reparto",
    "category": r"categor|kategor|commodity|class|group|grupp",
    "subcategory": r"sub.?(categor|class|commodity)",
    "brand": r"brand|manufacturer|marke(?!t)|marque|marca\b",
    "store": r"store|shop|branch|outlet|filial|magasin|tienda|negozio",
    "unit_cost": r"cost$|unit.?cost|cogs",
}
#: Words that speak against it.
AGAINST = {
    "time": r"birth|ship|deliver|due|update|limit|approved|carrier|estimated|review|of_day|hour",
    "item": r"name|desc|title|bezeichn|libelle|designation|omschrijving|categor|kategor|group|grupp|type|"
    r"brand|status|price|preis|prix|count|id_order|order_item",
    "basket": r"date|datum|time|status|number$|dow|hour|country|type",
    "shopper": r"name|country|city|state|type|segment|zip|since|discount|group|grupp",
    "price_paid": r"discount|list|regular|base|original|cost|category|gesamt",
    "amount": r"discount|tax|cost|profit|freight|shipping|country",
    "name": r"customer|client|kund|klant|user|store|shop|filial|first|last|file|brand|category|city",
    "category": r"customer|client|kund|klant",
    "quantity": r"total|price|preis|prix|prezzo|precio",
}
IDS = ("basket", "shopper", "item")
#: Columns that are proposed on their names alone.
NAMED = ("department", "category", "subcategory", "brand", "store", "name")


@dataclass(frozen=True)
class Proposal:
    """What a column is taken for, and why."""

    ours: str
    theirs: str
    reason: str


@dataclass(frozen=True)
class Profile:
    """A column of a sample: its texts, as dates and numbers where they can be, and codes of its rows."""

    name: str
    place: int
    texts: pd.Series
    codes: np.ndarray
    dates: pd.Series | None
    numbers: pd.Series | None
    filled: float

    @property
    def distinct(self) -> int:
        return len(np.unique(self.codes))

    def suits(self, ours: str) -> float:
        """How far its name speaks for `ours`: 1, 0 or -1."""
        name = _plain(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name))
        if name == ours or ALIASES.get(name) == ours:
            return 2.0
        if re.search(AGAINST.get(ours, r"^$"), name):
            return -1.0
        return 1.0 if re.search(HINTS[ours], name) else 0.0


def propose(sample: pa.Table, options: ReadOptions, mapped: dict[str, str]) -> list[Proposal]:
    """What each column of `sample` is likely to be; `mapped` pairs (ours -> theirs) stand."""
    profiles = [profile(name, place, sample, options) for place, name in enumerate(sample.column_names)]
    found = {ours: Proposal(ours, theirs, "as you say") for ours, theirs in mapped.items()}

    def free() -> list[Profile]:
        used = {proposal.theirs for proposal in found.values()}
        return [p for p in profiles if p.name not in used and p.filled > 0]

    def take(ours: str, best: Profile, reason: str) -> None:
        found[ours] = Proposal(ours, best.name, reason)

    if "time" not in found:
        dated = [p for p in free() if p.dates is not None and p.suits("time") >= 0]
        if dated:
            best = max(dated, key=lambda p: (p.suits("time"), p.distinct, -p.place))
            example = best.texts[best.texts != ""].iloc[0]
            take("time", best, f"holds dates such as {example}, {best.distinct:,} distinct")
    for ours, looks in (("event", looks_like_events), ("status", looks_like_statuses)):
        for candidate in free():
            named = ours == "event" or "status" in candidate.name.lower()
            if ours not in found and named and looks(candidate.texts):
                told = ", ".join(candidate.texts[candidate.texts != ""].head(6))
                take(ours, candidate, f"its values are {told}")
    day = _days(found, profiles)
    for ours in IDS:
        if ours in found:
            continue
        scored = [
            (score, p, why) for p in free() for score, why in [_id_score(ours, p, day, found, profiles)]
        ]
        scored = [entry for entry in scored if entry[0] > 0.5]
        if scored:
            _, best, why = max(scored, key=lambda entry: (entry[0], -entry[1].place))
            take(ours, best, why)
    _propose_numbers(found, free, take)
    for ours in NAMED:
        hits = [p for p in free() if p.suits(ours) > 0 and p.dates is None]
        hits = [p for p in hits if p.numbers is None or ours == "store"]
        if ours == "category":
            hits = [p for p in hits if p.suits("subcategory") <= 0]
        if ours not in found and hits:
            take(ours, hits[0], f"its name; {hits[0].distinct:,} distinct values")
    order = ("shopper", "item", "basket", "time", "quantity", "price_paid", "amount")
    return sorted(found.values(), key=lambda p: order.index(p.ours) if p.ours in order else len(order))


def profile(name: str, place: int, sample: pa.Table, options: ReadOptions) -> Profile:
    """What the sample shows of one column."""
    texts, codes = distinct(sample[name])
    texts = pd.concat([texts, pd.Series([""], dtype="str")], ignore_index=True)
    codes = np.where(codes < 0, len(texts) - 1, codes)
    known = ~is_nothing(texts)
    some = texts[known]
    filled = float(known.to_numpy()[codes].mean()) if len(codes) else 0.0
    if some.empty:
        return Profile(name, place, texts, codes, None, None, 0.0)
    stripped = strip_numbers(some)
    numbers = max((to_numbers(stripped, sign) for sign in ".,"), key=lambda found: found.notna().sum())
    dates: pd.Series | None
    try:
        dates = read_times(some, options)[0]
    except ValueError:
        # Ambiguous days are dates all the same.
        dates = pd.to_datetime(some, format="mixed", dayfirst=True, errors="coerce")
    as_dates = dates.notna().mean() > 0.9
    if as_dates and numbers.notna().all():
        # Numbers are dates only where the name says so, or all are days of a calendar.
        calendar = some.str.fullmatch(r"(?:19|20)\d{6}(?:\.0)?").all()
        as_dates = bool(calendar or re.search(HINTS["time"], _plain(name)))
    dates = dates.reindex(texts.index) if as_dates else None
    as_numbers = numbers.notna().mean() > 0.99
    return Profile(
        name, place, texts, codes, dates, numbers.reindex(texts.index) if as_numbers else None, filled
    )


def _plain(name: str) -> str:
    """A column's name in small letters without accents."""
    return "".join(sign for sign in normalize("NFKD", name.lower()) if not combining(sign))


def _days(found: dict[str, Proposal], profiles: list[Profile]) -> np.ndarray | None:
    """(n,) a number for each row's calendar day."""
    for p in profiles:
        if "time" in found and p.name == found["time"].theirs and p.dates is not None:
            return pd.factorize(p.dates.dt.normalize().to_numpy()[p.codes])[0]
    return None


def _id_score(
    ours: str, p: Profile, day: np.ndarray | None, found: dict[str, Proposal], profiles: list[Profile]
) -> tuple[float, str]:
    """How much speaks for `p` being the id `ours`, and what."""
    suits = p.suits(ours)
    if p.dates is not None or suits < 0 or p.distinct < 2:
        return -1.0, ""
    if p.numbers is not None and (p.numbers.dropna() % 1 != 0).any():
        return -1.0, ""
    each = len(p.codes) / p.distinct
    said = f"{p.distinct:,} distinct values, {each:.1f} lines each"
    basket = next((q for q in profiles if "basket" in found and q.name == found["basket"].theirs), None)
    if ours == "basket":
        if day is None:
            return suits, said
        alone = _constant(p.codes, day)
        fits = alone > 0.97 and 1.02 < each < 200
        return suits + 0.4 * fits - 0.6 * (not fits), f"{said}, {alone:.0%} of them on one day"
    if ours == "shopper":
        one = _constant(basket.codes, p.codes) if basket is not None else 1.0
        spread = np.log10(p.distinct) / 10
        return suits * 0.9 + 0.4 * (one > 0.98) + spread - 0.5 * (one < 0.9), (
            f"{said}" + (f", one in {one:.0%} of the baskets" if basket is not None else "")
        )
    several = 1 - _constant(basket.codes, p.codes) if basket is not None else 0.5
    digit = 0.3 * bool(re.search(r"id$|code|no$|nr$|sku|num", p.name.lower()))
    name = f", several in {several:.0%} of the baskets" if basket is not None else ""
    return suits + digit + 0.3 * (several > 0.1) - 0.6 * (p.distinct < 5), said + name


def _constant(groups: np.ndarray, values: np.ndarray) -> float:
    """Share of the groups of two rows or more that hold one value only."""
    table = pd.DataFrame({"group": groups, "value": values})
    size = table.groupby("group")["value"].agg(["size", "nunique"])
    size = size[size["size"] > 1]
    return float((size["nunique"] == 1).mean()) if len(size) else 1.0


def _propose_numbers(
    found: dict[str, Proposal],
    free: Callable[[], list[Profile]],
    take: Callable[[str, Profile, str], None],
) -> None:
    for ours in ("list_price", "quantity", "unit_cost", "price_paid", "amount"):
        if {"price_paid", "amount"} & set(found) and ours in ("price_paid", "amount"):
            continue
        if ours in found:
            continue
        numeric = [p for p in free() if p.numbers is not None and p.suits(ours) > 0 and p.dates is None]
        if numeric:
            best = max(numeric, key=lambda p: (p.suits(ours), "unit" in p.name.lower(), -p.place))
            assert best.numbers is not None
            values = pd.Series(best.numbers.to_numpy()[best.codes]).dropna()
            middle = f"{values.median():g}"
            take(ours, best, f"numbers from {values.min():g} to {values.max():g}, the middle one {middle}")
