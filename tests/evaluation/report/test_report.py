"""The page of a run: complete, self-contained, and harmless whatever a log holds."""

from __future__ import annotations

import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.evaluation.report.command import page_of, report
from bundlegym.evaluation.report.document import as_html
from bundlegym.evaluation.report.words import from_log, many, off
from tests.sealing import edit_sealed

FEW: dict[str, Any] = {"visits": 12, "episodes": 8, "examples": 2}


class Text(HTMLParser):
    """Tags, attributes, and the text of each table cell and list entry."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.cells: list[str] = []
        self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in ("td", "th", "li"):
            self.cells.append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th", "li")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data


@pytest.fixture(scope="session")
def run(finished_run: Path) -> Path:
    return finished_run


def cache(run: Path) -> Path:
    return run.parents[1] / "cache"


@pytest.fixture(scope="session")
def html(run: Path) -> str:
    return as_html(page_of(run, currency="crowns", cache_dir=cache(run), **FEW))


def test_the_page_has_all_sections_and_pictures(html):
    for name in (
        "league",
        "judges",
        "fidelity",
        "offers",
        "examples",
        "pairs",
        "assumptions",
        "learning",
        "card",
    ):
        assert f'<section id="{name}">' in html
    # Two leagues, four plots of fidelity, two pictures of curves.
    assert html.count("<svg") == 8
    assert "crowns more in 1,000 visits" in html and "units of money" not in html


def test_the_page_loads_nothing_and_runs_nothing(html):
    text = Text(html)
    assert not {"script", "iframe", "link", "object", "embed"} & set(text.tags)
    assert not [name for name, _ in text.attributes if name.startswith("on")]
    places = [value for name, value in text.attributes if name in ("src", "href", "xlink:href")]
    assert places and all(place.startswith(("#", "data:")) for place in places)
    assert not re.search(r"url\((?!#)|@import", html)


def test_text_of_the_log_is_shown_as_text(html):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    text = Text(html)
    assert "img" not in text.tags
    assert any("=HYPERLINK" in cell for cell in text.cells)
    assert not [cell for cell in text.cells if cell.lstrip().startswith("=")]


def test_no_shopper_is_named_by_the_logs_id(html, run):
    assert "secret-" not in html
    assert re.search(r"Shopper [A-Z2-7]{10}, week", html)


def test_the_same_run_gives_the_same_page(html, run):
    assert as_html(page_of(run, currency="crowns", cache_dir=cache(run), **FEW)) == html


def test_a_bare_run_has_a_page_too(run, tmp_path):
    """No fidelity, no judges, no planner, no episodes, no versions, one assumption."""
    bare = tmp_path / "runs" / "bare"
    shutil.copytree(run, bare)
    for name in ("fidelity.json", "fidelity.npz", "episodes.parquet", "versions.json"):
        (bare / name).unlink()
    edit_sealed(bare / "config.json", offer_exposure=[0.0], judges=[], planner_episodes=0)
    results = json.loads((bare / "results.json").read_text())
    rows = [r for r in results["rows"] if r["offer_exposure"] == 0 and r["kind"] not in ("planner", "oracle")]
    edit_sealed(bare / "results.json", rows=[r for r in rows if "," not in r["policy"]], judges=[], paired=[])
    html = as_html(page_of(bare, cache_dir=cache(run), **FEW))
    assert "No judge was asked" in html and "has no measure of it" in html and "kept no episodes" in html
    assert "Planner" not in Text(html).cells and "units of money" in html


def test_the_command_writes_where_it_is_told(run, tmp_path, monkeypatch, capsys):
    out = tmp_path / "new" / "page.html"
    arguments = ["--out", str(out), "--cache-dir", str(cache(run)), "--visits", "4", "--episodes", "4"]
    monkeypatch.setattr(sys, "argv", ["bundlegym report", str(run), *arguments])
    report()
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(out) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], "no such run"), (["nowhere", "--visits", "0"], "--visits: must be .*, not 0")],
)
def test_mistakes_are_named(arguments, words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bundlegym report", *arguments])
    with pytest.raises(UserError, match=words):
        report()


def test_damaged_files_are_named(run, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    (broken / "fidelity.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="fidelity.npz"):
        page_of(broken, cache_dir=cache(run), **FEW)


def test_pseudonyms_hold_within_a_run_alone(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, again, other = (Pseudonyms.of_run(tmp_path / name) for name in ("a", "a", "b"))
    assert one("7") == again("7") and one("7") != one("8") and one("7") != other("7")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("  +5", "'+5"),
        ("@x", "'@x"),
        ("Milk\n\u202e 1l", "Milk 1l"),
        ("Brot & <b>", "Brot & <b>"),
    ],
)
def test_text_of_a_log_is_one_plain_line(text, shown):
    assert from_log(text) == shown


def test_figures_read_as_a_manager_reads_them():
    assert many({"mean": 0.0509, "low": 0.0396, "high": 0.0622}).replace("\xa0", " ") == "+51 (+40 to +62)"
    assert many({"mean": -0.0007, "low": -0.0024, "high": 0.0}).replace("\xa0", " ") == "−0.7 (−2.4 to 0.0)"
    assert off(0.1).replace("\xa0", " ") == "10 % off" and off(0.0) == "full price"
