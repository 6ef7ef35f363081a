"""The command line of `bundlegym inspect`; its options are those of reading a log."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path

import tyro

from bundlegym.data.checked import Options, Whole, check_output
from bundlegym.data.config import DataConfig, ReadOptions, default_cache_dir
from bundlegym.data.files import write_json, write_text
from bundlegym.data.inspection import inspect_log
from bundlegym.errors import UserError
from bundlegym.options import parsed
from bundlegym.terminal import say


@dataclass(frozen=True)
class InspectConfig(Options):
    """Say what a log holds and how its columns are understood, before anything is fitted."""

    files: tyro.conf.Positional[tuple[Path, ...]] = ()
    """The log; further files are tables to join to it. The greatest file is the log."""

    columns: Path | None = None
    """TOML file of lines like `shopper = "customer_no"`: our name, then yours; and `[options]` of reading."""

    map: tuple[str, ...] = ()
    """Pairs like `shopper=customer_no`; they win over those in `columns`, and both over proposals."""

    items_file: Path | None = None
    """Table with a row an item: item, and any of name, department, brand, unit_cost."""

    table: tuple[str, ...] = ()
    """Tables beside the log, as NAME=FILE; see `bundlegym train --help`."""

    min_purchases: Whole = DataConfig.min_purchases
    """Least number of purchase lines for an item to enter the catalogue."""

    json: Path | None = None
    """File for the figures."""

    out: Path | None = None
    """File for the mapping, as --columns takes it; by default NAME.columns.toml in the working directory."""

    reading: tyro.conf.OmitArgPrefixes[ReadOptions] = field(default_factory=ReadOptions)
    cache_dir: tyro.conf.Suppress[Path] = field(default_factory=default_cache_dir)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_output("--json", self.json)
        check_output("--out", self.out)


def inspect() -> None:
    """`bundlegym inspect FILE ... [options]`: exit code 0 where the log can be used, 2 where not."""
    config = parsed(InspectConfig)
    shared = {f.name for f in fields(DataConfig)} & {f.name for f in fields(InspectConfig)}
    reading = {f.name: getattr(config.reading, f.name) for f in fields(ReadOptions)}
    data = DataConfig(**{name: getattr(config, name) for name in shared}, **reading)
    found = inspect_log(list(config.files), data, input if sys.stdin.isatty() else None)
    say(found.as_text())
    if config.json is not None:
        write_json(config.json, found.as_json())
    path = config.out or Path(f"{Path(found.label).stem}.columns.toml")
    if config.out is None and path.exists() and path.read_text(encoding="utf-8") != found.as_toml():
        say(f"\n{path} is there already and was left as it is; --out FILE writes the mapping elsewhere")
    else:
        write_text(path, found.as_toml())
        say(f"\nThe mapping is written to {path}: bundlegym train --log {found.label} --columns {path}")
    if found.trouble:
        raise UserError(found.trouble)
