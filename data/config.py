"""Every choice in the reading and preparation of a log; the command line is generated from it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from bundlegym.data.checked import (
    Count,
    Options,
    Part,
    Positive,
    Range,
    Seed,
    Whole,
    check_folder,
    check_text,
)
from bundlegym.data.costs import GREATEST_MARGIN
from bundlegym.errors import UserError


def default_cache_dir() -> Path:
    """`$BUNDLEGYM_CACHE`, else `bundlegym` under `$XDG_CACHE_HOME` or `~/.cache`, or where there is no home
    folder, in the folder for temporary files."""
    chosen = os.environ.get("BUNDLEGYM_CACHE")
    place = Path(chosen or os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        place = place.expanduser()
    except RuntimeError:  # a user without a home
        place = Path(tempfile.gettempdir())
    return place if chosen else place / "bundlegym"


@dataclass(frozen=True)
class ReadOptions(Options):
    """How the files of a log are written and what their lines mean, where the files do not say it."""

    join: tuple[str, ...] = ()
    """Tables to join to the log: FILE (on the column that both have), FILE@COLUMN or FILE@OURS=THEIRS."""

    item_vectors: tuple[str, ...] = ()
    """Vectors of the items, such as embeddings of their pictures, as NAME=FILE: .npz with the arrays item and
    vectors, .npy with ids in a .txt beside it, .parquet or .csv with a column item and numbers."""

    text: tuple[str, ...] = ()
    """Columns whose words become vectors of the items, called text: name, brand, category and so on, or any
    column of the items' table; needs pip install 'bundlegym[text]'."""

    encoding: str = ""
    """Encoding of text files, such as cp1252; found out by default."""

    delimiter: str = ""
    """Sign between the fields of text files: one character, 'tab' or 'space'; found out by default."""

    header_line: Whole | None = None
    """Line with the names of the columns, from 1; 0 where there is none; found out by default."""

    decimal: str = ""
    """Decimal sign of numbers, '.' or ','; by default what the numbers show."""

    day_first: bool = False
    """Read 03/04/2011 as 3 April."""

    month_first: bool = False
    """Read 03/04/2011 as March 4."""

    date_format: str = ""
    """Form of dates as of strptime, such as '%d/%m/%y %H:%M', or epoch, epoch-ms, excel."""

    zone: str = ""
    """The shop's time zone, such as Europe/London: times with a UTC offset, and epochs, are moved to it."""

    since: str = ""
    """First day to read, as 2011-01-31; without it and `until` dates far from all others are left out."""

    until: str = ""
    """Last day to read, as 2011-12-31."""

    events: tuple[str, ...] = ("auto",)
    """Values of the column `event` that are sales, as purchase; auto finds them, all takes every line."""

    statuses: tuple[str, ...] = ("auto",)
    """Values of the column `status` that count; auto leaves out cancelled ones, all takes every line."""

    guests: tuple[str, ...] = ("auto",)
    """Ids of `shopper` that stand for many people, such as 0 or guest; auto finds them, none keeps all."""

    keep_guests: bool = False
    """Take each basket of a guest, or of nobody, as a shopper with one visit instead of leaving it out."""

    line_totals: str = "auto"
    """Whether the column `price_paid` holds totals of lines: yes, no, or auto to tell by quantities."""

    basket_hours: Positive = 12.0
    """A basket whose lines are more hours apart becomes several visits: receipt numbers start anew."""

    drop_items: tuple[str, ...] = ()
    """Items to leave out: ids, or 'no-goods' for postage, fees and the like that the report names."""

    cancel_returns: bool = True
    """Leave out what was returned together with its return; otherwise the return alone."""

    max_quantity: Count = 1000
    """Beyond this a quantity is no count of pieces, and its line is left out."""

    bad_lines: str = "refuse"
    """What to do with lines whose date or number cannot be read: refuse the log, or drop the line."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, choices in (
            ("line_totals", ("auto", "yes", "no")),
            ("bad_lines", ("refuse", "drop")),
            ("decimal", ("", ".", ",")),
        ):
            if getattr(self, option) not in choices:
                given = getattr(self, option)
                known = ", ".join(filter(None, choices))
                raise UserError(f"{self.label(option)}: '{given}' is none of {known}")
        if self.day_first and self.month_first:
            raise UserError("--day-first and --month-first exclude each other")


_Margin = Annotated[float, Range(f"a share from 0 to {GREATEST_MARGIN}", least=0.0, most=GREATEST_MARGIN)]


@dataclass(frozen=True)
class DataConfig(ReadOptions):
    """Which log to read, and how to read, clean, select and split it."""

    log: str = "complete-journey"
    """'complete-journey', 'synthetic', 'synthetic-year', 'known-optimum', 'planning', or the path of a table:
    CSV, TSV, Parquet, Excel, packed, a folder."""

    columns: Path | None = None
    """TOML file of lines like `shopper = "customer_no"`: our name, then yours; `[options]` of reading; and
    tables beside the log."""

    map: tuple[str, ...] = ()
    """Pairs like `shopper=customer_no`; they win over those in `columns`."""

    items_file: Path | None = None
    """Table with a row an item: item, and any of name, department, brand, unit_cost."""

    table: tuple[str, ...] = ()
    """Tables beside the log, as NAME=FILE: items, shoppers, promotions, campaigns, members, coupons,
    redemptions, costs, stock, stores; their columns as --map promotions.item=NAME, or in `columns`."""

    later: tuple[str, ...] = ()
    """Tables of later days, of the same columns, the earliest first; `bundlegym update` adds one."""

    known: Path | None = None
    """File of the items and shoppers that come first in the numbering, as `bundlegym update` writes it."""

    min_purchases: Whole = 50
    """Least number of purchase lines for an item to enter the catalogue."""

    held_out_share: Part = 0.2
    """Share of the shoppers whom no fit may see."""

    test_share: Part = 0.17
    """Share of the weeks, the last ones, that are kept for tests."""

    validation_share: Part = 0.1
    """Share of the weeks, those before the test weeks, that are for validation."""

    gross_margin: _Margin | None = None
    """Gross margin, a share of list price, for items of unknown cost; by default a table by department."""

    split_seed: Seed = 0
    """Seed of the choice of held-out shoppers."""

    cache_dir: Path = field(default_factory=default_cache_dir)
    """Where prepared logs are kept; the environment variable BUNDLEGYM_CACHE changes the default."""

    def __post_init__(self) -> None:
        if isinstance(self.log, Path):
            object.__setattr__(self, "log", str(self.log))
        super().__post_init__()
        check_text("--log", Path(self.log))
        check_folder("--cache-dir", Path(self.cache_dir))

    def built_in(self, log: str) -> DataConfig:
        """The same choices for a log that comes with the software."""
        return replace(
            self, log=log, columns=None, map=(), items_file=None, table=(), join=(), later=(), known=None,
            item_vectors=(), text=(),
        )  # fmt: skip
