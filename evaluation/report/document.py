"""What a page is made of: sections of paragraphs, lists, tables and pictures. All text is plain: the template
escapes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@dataclass(frozen=True)
class Heading:
    """Above a part of a section, or where it is `minor`, of such a part."""

    text: str
    minor: bool = False
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Paragraph:
    """Text; a remark is set smaller than what it remarks on."""

    text: str
    remark: bool = False
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences; `numbered` where their order counts."""

    texts: list[str]
    numbered: bool = False
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns; the first cell names the row. `marked` rows stand out.
    On a phone the rows of a table that is not `compact` become lists."""

    columns: list[str]
    rows: list[list[str]]
    caption: str = ""
    marked: list[int] = field(default_factory=list)
    compact: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Picture:
    """An SVG of `pictures`, and a sentence that says what it shows."""

    svg: Markup
    caption: str
    small: bool = False
    kind: ClassVar[str] = "picture"


Part = Heading | Paragraph | Bullets | Table | Picture


@dataclass(frozen=True)
class Section:
    """A section of the page; `name` is what links lead to."""

    name: str
    title: str
    parts: list[Part]


@dataclass(frozen=True)
class Page:
    """The page as a whole; `learned` are the sentences at the top."""

    title: str
    about: str
    learned: list[str]
    sections: list[Section]


def as_html(page: Page) -> str:
    """One self-contained file: no script, nothing loaded from elsewhere; everything but pictures escaped."""
    environment = Environment(
        loader=PackageLoader("bundlegym.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(page=page)
