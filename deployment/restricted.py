"""Items that many shops may not discount, found by the words of their names and categories."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from bundlegym.errors import UserError

#: Words, as regular expressions. Leaving out too much, such as ginger ale, does less harm than too little.
WORDS = {
    "alcohol": r"beers?|ales?|lagers?|wines?|champagnes?|liquors?|liqueurs?|spirits|vodka|whisk(?:e)?ys?|rum"
    r"|gin|tequila|brandy|cognac|ciders?|alcohol\w*",
    "tobacco": r"tobacco\w*|cigar\w*|smok(?:ing|eless)|snuff|vap(?:e|es|ing)|nicotine",
    "infant-formula": r"infant\W+formula\w*|baby\W+formula\w*|formula",
}


def restricted_items(descriptions: Iterable[str], preset: str) -> np.ndarray:
    """(I,) bool, the items that a preset, a key of `WORDS`, leaves out, by all words said of each.

    Raises:
        UserError: there is no such preset.
    """
    if preset not in WORDS:
        raise UserError(f"--exclude-presets: unknown preset {preset!r}; known are {', '.join(WORDS)}")
    words = re.compile(rf"\b(?:{WORDS[preset]})\b", re.IGNORECASE)
    return np.array([words.search(text) is not None for text in descriptions], dtype=bool)
