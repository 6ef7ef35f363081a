"""Files that vouch for each of their bytes: what is damaged is told when it is read.

A sealed file holds a SHA-256 near its beginning: that of the file with zeros in the place of this number. It
needs no second file beside it. A sealed JSON file vouches for further files of its folder, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bundlegym.data.files import replacing

#: What whoever writes a file puts near its beginning, for `seal` to fill in.
BLANK = "0" * 64
_DIGEST = re.compile(rb"sha256\W+([0-9a-f]{64})")
_HEAD = 1024
_CHUNK = 1 << 20


def seal(path: Path) -> None:
    """Put the SHA-256 of a file in the place of the first `BLANK` after the word sha256, on the disk."""
    _, at, digest = _digests(path)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(digest.encode())
        file.flush()
        os.fsync(file.fileno())


def check_seal(path: Path) -> None:
    """That a file is as `seal` left it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or was never sealed.
    """
    said, _, digest = _digests(path)
    if said != digest:
        raise _damaged(path)


def write_sealed_json(path: Path, content: dict[str, Any], others: Iterable[Path] = ()) -> None:
    """Write under a temporary name, seal, then rename.

    Args:
        content: JSON's own types, without the keys `sha256` and `files`.
        others: files beside `path`, all written, that it vouches for.
    """
    files = {other.name: _digest(other) for other in others}
    text = json.dumps({"sha256": BLANK, "files": files, **content}, indent=2)
    with replacing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")
        seal(part)


def read_sealed_json(path: Path) -> dict[str, Any]:
    """What `write_sealed_json` was given, after a look at each byte of the file and of those it vouches for.

    Raises:
        OSError: a file is missing or cannot be read.
        ValueError: one is damaged, or never was sealed; the message names it.
    """
    check_seal(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["sha256"]
    for name, digest in content.pop("files").items():
        if _digest(path.with_name(name)) != digest:
            raise _damaged(path.with_name(name))
    return content


def _damaged(path: Path) -> ValueError:
    return ValueError(f"{path.name}: its SHA-256 is not the one that it was written with")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(path: Path) -> tuple[str, int, str]:
    """The SHA-256 that a file says of itself, where that stands, and the one that it has.

    Raises:
        ValueError: it says none.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        found = _DIGEST.search(head)
        if found is None:
            raise ValueError(f"{path.name}: holds no SHA-256, or was written by an earlier version")
        first, end = found.span(1)
        digest = hashlib.sha256(head[:first] + BLANK.encode() + head[end:])
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return found[1].decode(), first, digest.hexdigest()
