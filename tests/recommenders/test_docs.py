"""The documentation names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from bundlegym.recommenders import RECOMMENDERS


def test_the_page_lists_every_recommender() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "recommenders.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE)
    assert set(re.findall(r"`([\w-]+)`", " ".join(rows))) == set(RECOMMENDERS)
