"""Sealed files, as tests damage them, and as tests change what is in them and seal them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.data.sealed import write_sealed_json


def edit_sealed(path: Path, **changes: Any) -> None:
    """Change entries of a sealed JSON file; it vouches for what the files beside it hold now,
    where they are there."""
    content = json.loads(path.read_text(encoding="utf-8"))
    others = [other for name in content.pop("files") if (other := path.with_name(name)).exists()]
    del content["sha256"]
    write_sealed_json(path, content | changes, others)


def damages(folder: Path, times: int = 60) -> Iterator[str]:
    """The folder with one bit of one file flipped, or one file cut short, again and again; whole at the end.

    Gives the name of the file. Places are drawn with a seed; the first bytes of each file are among them.
    """
    rng = np.random.default_rng(0)
    whole = {path: path.read_bytes() for path in sorted(folder.glob("[!.]*"))}
    for path, content in whole.items():
        for place in [0, 1, 7, 8, 20, *rng.integers(len(content), size=times // len(whole))]:
            damaged = bytearray(content)
            damaged[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            yield path.name
        for length in (0, int(rng.integers(1, len(content))), len(content) - 1):
            path.write_bytes(content[:length])
            yield path.name
        path.write_bytes(content)
