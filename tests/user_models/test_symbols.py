"""docs/model.md speaks of the parameters by the names that they have."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import get_type_hints

from bundlegym.user_models.choice.estimation.mechanisms import MECHANISMS
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.symbols import legend, mechanism_file, table

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
SPECS = [(name, spec) for _, name, spec in ChoiceParameters.specs()]


def test_the_page_holds_the_table_that_the_command_prints() -> None:
    found = re.search(r"<!-- symbols -->\n(.*)\n<!-- end of symbols -->", PAGE, flags=re.DOTALL)
    assert found, "docs/model.md has no table of symbols"
    assert found[1] == table(), "put what `python -m bundlegym.user_models.symbols` prints into docs/model.md"


def test_the_page_has_a_heading_a_mechanism_in_their_order() -> None:
    headings = re.findall(r"^### `(\w+)`: (.*)$", PAGE, flags=re.MULTILINE)
    assert [name for name, _ in headings] == list(MECHANISMS)


def test_each_file_that_the_page_names_exists() -> None:
    files = set(re.findall(r"`((?:choice|components|rng)/[\w/]+\.py)`", PAGE))
    missing = sorted(file for file in files if not (ROOT / "user_models" / file).exists())
    assert files and not missing


def test_no_symbol_means_two_things() -> None:
    count = Counter(spec.symbol for _, spec in SPECS if spec.symbol)
    assert [symbol for symbol, n in count.items() if n > 1] == []


def test_each_field_has_a_meaning_that_stands_by_itself() -> None:
    assert [
        name for name, spec in SPECS if len(spec.doc.split()) < 3 or spec.doc.startswith("the same")
    ] == []


def test_each_letter_of_a_shape_is_in_the_legend() -> None:
    text = legend(ChoiceParameters)
    letters = {letter for _, spec in SPECS for letter in re.findall(r"[A-Z]", spec.shape)}
    assert {letter for letter in letters if not re.search(rf"\b{letter}\b", text)} == set()
    sizes = {number for _, spec in SPECS for number in re.findall(r"\b\d\d?\b(?!\+)", spec.shape)}
    named = {"1", "2", "7"}  # a number, a pair or an estimate with its error, weekdays
    assert {number for number in sizes - named if not re.search(rf"\b{number}\b", text)} == set()


def test_each_component_says_where_its_mechanism_is() -> None:
    for part, kind in get_type_hints(ChoiceParameters).items():
        file = mechanism_file(kind)
        assert (ROOT / "user_models" / file).exists(), (part, file)
        assert not file.endswith("parameters.py"), (
            f"the docstring of {kind.__name__} names no mechanism's file"
        )
