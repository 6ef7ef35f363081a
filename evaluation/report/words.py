"""How the page says things: names of policies and user models, money, and text that comes from a log."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from bundlegym.data.files import no_formula

Figure = dict[str, Any]

#: Money figures are told for so many visits: what one visit earns more is too small to read.
PER = 1000
_RULES = {
    "offer_nothing": "Offer nothing",
    "random": "Random items",
    "popularity": "The shop's best sellers",
    "most_bought": "What this shopper buys most",
    "co_purchase": "Items often bought together",
    "planner": "Planner",
    "oracle": "Planner that knows the judge",
    "hindsight": "Knows the luck of the visit",
}
_JUDGES = {
    "choice": "choice model",
    "lookalike": "look-alike shoppers",
    "replay": "replayed log",
    "sequence": "sequence model",
}


def policy_name(row: Figure) -> str:
    """A policy of the tables in a manager's words."""
    name, _, trained = row["policy"].partition(", trained at exposure ")
    if row["kind"] == "learned":
        under = {"0": ", trained on plain discounts", "1": ", trained on mailer-like offers"}
        other = f", trained at exposure {trained}" if trained else ""
        return f"Trained agent ({name.upper()}){under.get(trained, other)}"
    if name.startswith("greedy_"):
        return f"Items that '{name.removeprefix('greedy_')}' recommends"
    return _RULES.get(name, name)


def in_sentence(row: Figure) -> str:
    """A policy of the tables inside a sentence."""
    name = policy_name(row)
    if row["kind"] in ("learned", "planner"):
        return f"the {name[:1].lower()}{name[1:]}"
    return f"the rule '{name}'"


def model_name(user_model: str) -> str:
    """A user model of the tables: who reacts, and whether it judges."""
    family, _, judge = user_model.partition(", ")
    name = _JUDGES.get(family, family)
    return f"Judge: {name}" if judge else f"Trained on: {name}"


def assumed(exposure: float) -> str:
    """What is assumed of an offer, as a clause after 'if'."""
    known = {0.0: "an offer is only its discount", 1.0: "an offer works like the shop's own mailer"}
    return known.get(exposure, f"an offer works like {exposure:.0%} of the shop's own mailer")


def from_log(text: object) -> str:
    """Text of a log as one line without control characters, and without the start of a formula: a table may
    be pasted into a spreadsheet. The template escapes it."""
    plain = "".join(" " if unicodedata.category(c).startswith(("C", "Z")) else c for c in str(text))
    plain = " ".join(plain.split())
    return no_formula(plain)


@dataclass(frozen=True)
class Money:
    """Amounts in words; `unit` is such as 'dollars'."""

    unit: str

    def amount(self, value: float, digits: int = 2) -> str:
        """'2.38 dollars'."""
        return f"{value:,.{digits}f} {self.unit}"

    def gain(self, value: float, digits: int = 2) -> str:
        """'+0.05 dollars'."""
        return f"{_minus(f'{value:+,.{digits}f}')} {self.unit}"


def many(figure: Figure) -> str:
    """A gain for `PER` visits with its interval, '+51 (+40 to +62)'."""
    if figure["mean"] is None:
        return "–"
    digits = 0 if max(abs(PER * figure[end]) for end in ("low", "high")) >= 20 else 1
    mean, low, high = (_minus(f"{PER * figure[end]:+,.{digits}f}") for end in ("mean", "low", "high"))
    return f"{mean} ({low}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{high})"


def off(discount: float) -> str:
    """A discount: '10 % off', or 'full price'."""
    return f"{share(discount)} off" if discount else "full price"


def more(figure: Figure, unit: str) -> str:
    """A gain in a sentence: '51 dollars more in 1,000 visits (95 % range: +40 to +62)'."""
    mean, _, interval = many(figure).partition(" (")
    word = "less" if mean.startswith("−") else "more"
    return f"{mean.lstrip('+−')} {unit} {word} in {PER:,} visits ({share(0.95)} range: {interval}"


def share(value: float | None, digits: int = 0) -> str:
    """'12 %'; a dash where it is not known."""
    return "–" if value is None else f"{_minus(f'{100 * value:.{digits}f}')}\N{NO-BREAK SPACE}%"


def number(value: float | None, digits: int = 2) -> str:
    """A plain number; a dash where it is not known."""
    return "–" if value is None else _minus(f"{value:,.{digits}f}")


def _minus(text: str) -> str:
    """With a minus sign in place of a hyphen, and no sign before nothing."""
    bare = text.lstrip("+-")
    if not any(c in "123456789" for c in bare):
        return bare
    return text.replace("-", "−")
