"""Reads numbers and money in the ways that shops write them: decimal comma or point, currencies."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

#: Signs and codes that may stand before or behind an amount of money.
CURRENCIES = (
    r"US\$", r"R\$", r"A\$", r"C\$", r"NZ\$", r"HK\$", r"S\$", r"\$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₫",
    "₴", "₪", "฿", "zł", "Kč", "Ft", "kr\\.?", r"Rs\.?", "руб\\.?", r"р\.", "лв\\.?", r"S?Fr\.", "USD", "EUR",
    "GBP", "CHF", "JPY", "CNY", "RMB", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RUB", "INR", "BRL", "MXN",
    "AUD", "CAD", "NZD", "SGD", "HKD", "TRY", "TL", "ZAR", "KRW", "THB", "ILS", "AED",
)  # fmt: skip
CURRENCY = "(?:" + "|".join(CURRENCIES) + ")"
#: Blanks and apostrophes between groups of three digits.
GROUPS = r"^\d{1,3}(?:['’ \x{00a0}\x{202f}\x{2009}]\d{3})+(?:[.,]\d+)?$"
#: Evidence for a decimal sign: a text that means a number with this sign alone.
EVIDENCE = {
    ".": (
        r"^(?:0\d*|\d{4,})?\.\d+$|^\d{1,3}\.(?:\d{1,2}|\d{4,})?$|^\d+\.$"
        r"|^\d{1,3}(?:,\d{2,3})*,\d{3}\.\d*$|^\d{1,3}(?:,\d{3}){2,}$|^\d+\.\d+[eE][+-]?\d+$"
    ),
    ",": (
        r"^(?:0\d*|\d{4,})?,\d+$|^\d{1,3},(?:\d{1,2}|\d{4,})?$|^\d+,$"
        r"|^\d{1,3}(?:\.\d{3})+,\d*$|^\d{1,3}(?:\.\d{3}){2,}$|^\d+,\d+[eE][+-]?\d+$"
    ),
}
#: 1.500 may mean one and a half or fifteen hundred.
UNCLEAR = {".": r"^[1-9]\d{0,2}\.\d{3}$", ",": r"^[1-9]\d{0,2},\d{3}$"}
#: What a number looks like once the decimal sign is known.
SHAPE = {
    ".": r"^(?:\d+|\d{1,3}(?:,\d{2,3})*,\d{3})?(?:\.\d*)?(?:[eE][+-]?\d+)?$",
    ",": r"^(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d*)?(?:[eE][+-]?\d+)?$",
}


@dataclass(frozen=True)
class NumberTexts:
    """Distinct texts of a column of numbers, without signs and currencies, and what they show.

    Attributes:
        digits: the texts that are left.
        negative: (n,) whether a text is a negative number.
        points, commas: a text that means a number only where the point, or comma, is the decimal sign; "".
        unclear: a text that means different numbers by the decimal sign, or "".
    """

    digits: pd.Series
    negative: pd.Series
    points: str
    commas: str
    unclear: str


def strip_numbers(values: pd.Series) -> NumberTexts:
    """Take signs, brackets, currencies and blanks off the texts, and look for the decimal sign."""
    text = values.str.strip()
    plain = text.str.fullmatch(r"-?\d+(?:\.\d*)?|-?\.\d+")
    negative = text.str.startswith("-")
    digits = text.where(~plain, text.str.removeprefix("-"))
    if not plain.all():
        stripped, minus = _strip(text[~plain])
        digits = digits.where(plain, stripped.reindex(text.index))
        negative = negative.where(plain, minus.reindex(text.index).fillna(False).astype(bool))
    examples = {}
    for sign, pattern in EVIDENCE.items():
        hits = digits[digits.str.contains(pattern)]
        examples[sign] = str(values[hits.index[0]]) if len(hits) else ""
    unclear = values[digits.str.contains(UNCLEAR["."]) | digits.str.contains(UNCLEAR[","])]
    return NumberTexts(
        digits, negative, examples["."], examples[","], str(unclear.iloc[0]) if len(unclear) else ""
    )


def _strip(text: pd.Series) -> tuple[pd.Series, pd.Series]:
    bracketed = text.str.fullmatch(r"\(.*\)")
    text = text.where(~bracketed, text.str.slice(1, -1)).str.strip()
    text = text.str.replace("\u2212", "-")
    behind = text.str.endswith("-")
    text = text.where(~behind, "-" + text.str.slice(0, -1)).str.strip()
    for _ in range(2):
        # A sign may stand before or behind the currency.
        text = text.str.replace(rf"^([-+]?)\s*{CURRENCY}\s*", r"\1", regex=True)
    text = text.str.replace(rf"\s*{CURRENCY}$", "", regex=True)
    negative = text.str.startswith("-") ^ bracketed
    text = text.str.replace(r"^[-+]\s*", "", regex=True)
    grouped = text.str.contains(GROUPS)
    return text.where(~grouped, text.str.replace(r"[^\d.,]", "", regex=True)), negative


def decimal_sign(texts: list[NumberTexts]) -> tuple[str, str]:
    """The decimal sign that the columns of one table show ("" where none does), and a text that shows it.

    Raises:
        ValueError: they show both, or what they hold has two meanings.
    """
    points = next((text.points for text in texts if text.points), "")
    commas = next((text.commas for text in texts if text.commas), "")
    unclear = next((text.unclear for text in texts if text.unclear), "")
    if points and commas:
        raise ValueError(f"it holds both '{points}' and '{commas}'; say --decimal . or --decimal ,")
    if unclear and not points and not commas:
        raise ValueError(f"'{unclear}' may mean a fraction or thousands; say --decimal . or --decimal ,")
    return ("." if points else "," if commas else ""), points or commas


def to_numbers(texts: NumberTexts, decimal: str) -> pd.Series:
    """float64, NaN where a text is no number with `decimal` as decimal sign."""
    sign = decimal or "."
    fits = texts.digits.str.contains(SHAPE[sign]) & texts.digits.str.contains(r"\d")
    thousands = "," if sign == "." else "."
    clean = (
        texts.digits.where(fits, "")
        .str.replace(thousands, "", regex=False)
        .str.replace(",", ".", regex=False)
    )
    numbers = pd.to_numeric(clean, errors="coerce").astype("float64")
    return numbers.where(~texts.negative, -numbers)
