"""Finds the tables behind a path: a file, a packed file, a zip archive or a folder. Writes files, each whole
or not at all."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pandas as pd
import pyarrow as pa

from bundlegym.errors import UserError

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".tab", ".dat")
SHEET_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
PARQUET_SUFFIXES = (".parquet", ".pq")
#: How a text file may be packed.
PACKINGS: dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": lambda raw: pa.CompressedInputStream(raw, "zstd"),
}
#: Signs at the start of a cell that a spreadsheet takes for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: What a packed or unreadable file raises when it is read.
READ_ERRORS = (OSError, EOFError, ValueError, zipfile.BadZipFile, lzma.LZMAError, pa.ArrowException)


@dataclass(frozen=True)
class Source:
    """One table's file: a path, and the member's name where the path is a zip archive."""

    path: Path
    member: str = ""

    @property
    def label(self) -> str:
        return f"{self.path}::{self.member}" if self.member else str(self.path)

    @property
    def suffix(self) -> str:
        """The suffix without that of a packing: '.csv' of 'sales.csv.gz'."""
        name = Path(self.member or self.path.name).name.lower()
        for packing in PACKINGS:
            name = name.removesuffix(packing)
        return Path(name).suffix

    @property
    def plain(self) -> bool:
        """True where the file on disk is the table itself."""
        return not self.member and not self.path.name.lower().endswith(tuple(PACKINGS))

    def open(self) -> Any:
        """The table's bytes, unpacked; the caller closes."""
        name = (self.member or self.path.name).lower()
        raw = zipfile.ZipFile(self.path).open(self.member) if self.member else self.path.open("rb")
        unpack = next((unpack for suffix, unpack in PACKINGS.items() if name.endswith(suffix)), None)
        return unpack(cast(BinaryIO, raw)) if unpack else raw


def sources(path: Path) -> list[Source]:
    """The tables behind `path`, sorted by name.

    Raises:
        UserError: there is nothing, or nothing that can be read.
    """
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.is_file() and _visible(p.relative_to(path)))
        found = [Source(p) for p in inside if _readable(Source(p))]
        if not found:
            raise UserError(f"{path}: no table in this folder; tables end in {_kinds()}")
        return found
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                names = sorted(name for name in archive.namelist() if _visible(Path(name)))
        except READ_ERRORS as error:
            raise unreadable(str(path), error) from error
        found = [Source(path, name) for name in names if _readable(Source(path, name))]
        if not found:
            raise UserError(f"{path}: no table in this archive; tables end in {_kinds()}")
        return found
    if not _readable(Source(path)):
        raise UserError(f"{path}: not a kind of file that can be read; use one of {_kinds()}")
    return [Source(path)]


def beside(file: str, log: Path) -> Path:
    """`file` in the working directory, or else beside `log`."""
    near = (log if log.is_dir() else log.parent) / file
    return near if not Path(file).exists() and near.exists() else Path(file)


def stamps(path: Path) -> list[str]:
    """What tells one state of the files behind `path` from another."""
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        stats = [(file, file.stat()) for file in files]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    return [f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}" for file, stat in stats]


def unreadable(label: str, error: Exception) -> UserError:
    """The error to raise where reading the table called `label` raised `error`."""
    text = str(error).strip() or type(error).__name__
    return UserError(f"{label}: cannot be read ({text.splitlines()[0]})")


def write_json(path: Path, content: Any) -> None:
    """Write as `write_text` does."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write under a temporary name, then rename; folders that are missing are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write under a temporary name, then rename; folders that are missing are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        without_formulas(table).to_csv(part, index=False)


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """With an apostrophe before each text that a spreadsheet would take for a formula."""
    texts = [str(name) for name in table if pd.api.types.is_string_dtype(table[name])]
    return table.assign(**{name: table[name].map(no_formula, na_action="ignore") for name in texts})


def no_formula(text: str) -> str:
    """A text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(_FORMULA) else text


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write a file under. At the end it takes the place of `path`; after an error it
    is gone, and `path` is as it was.

    The name is always the same, so that what a killed process left is written over. Whoever may write the
    same file side by side with others holds a lock (`bundlegym.data.lock`).
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, which only their owner can enter: what will lie
    there tells of people. One that is there stays as it is."""
    for place in reversed((folder, *folder.parents)):
        place.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def private_files() -> Iterator[None]:
    """Inside, only their owner can read the files that this process and its children make."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _readable(source: Source) -> bool:
    return source.suffix in (*TEXT_SUFFIXES, *SHEET_SUFFIXES, *PARQUET_SUFFIXES)


def _visible(path: Path) -> bool:
    return not any(part.startswith((".", "__MACOSX", "~$")) for part in path.parts)


def _kinds() -> str:
    packed = ", ".join(PACKINGS)
    return (
        f"{', '.join((*TEXT_SUFFIXES, *PARQUET_SUFFIXES, *SHEET_SUFFIXES))} (packed as {packed}), "
        ".zip, or a folder of such files"
    )
