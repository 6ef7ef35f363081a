"""A file that would run code where it is read as a pickle runs none, and is told; whatever it stands for."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.damage import KINDS, outcome


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.mark,)


def as_pickle(evil: Evil) -> bytes:
    return pickle.dumps(evil)


def as_npz(evil: Evil) -> bytes:
    file = io.BytesIO()
    np.savez(file, line=np.array([evil], dtype=object), item=np.arange(3))
    return file.getvalue()


def as_npy(evil: Evil) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([evil], dtype=object))
    return file.getvalue()


def as_torch(evil: Evil) -> bytes:
    """As `torch.save` packs it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("archive/data.pkl", pickle.dumps(evil))
        packed.writestr("archive/version", "3\n")
    return file.getvalue()


PAYLOADS = (as_pickle, as_npz, as_npy, as_torch)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_each_payload_would_run(payload: Callable[[Evil], bytes], tmp_path: Path) -> None:
    """Or the test below could not fail."""
    content = payload(Evil(tmp_path / "mark"))
    if payload is as_pickle:
        pickle.loads(content)
    elif payload is as_torch:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            pickle.loads(packed.read("archive/data.pkl"))
    else:
        found = np.load(io.BytesIO(content), allow_pickle=True)
        assert len(found if payload is as_npy else found["line"]) == 1
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_none_runs(kind: str, tmp_path: Path) -> None:
    make, mended = KINDS[kind]
    folder, mark = tmp_path / "artefact", tmp_path / "mark"
    folder.mkdir()
    load = make(folder)
    whole = {path: path.read_bytes() for path in sorted(folder.rglob("[!.]*")) if path.is_file()}
    assert whole
    for number, path in enumerate(whole):
        # A cache is made anew each time: there each file meets one payload.
        for payload in (PAYLOADS[number % len(PAYLOADS)],) if mended else PAYLOADS:
            path.write_bytes(payload(Evil(mark)))
            assert outcome(load, mended) in ("told", "made anew"), (path, payload)
            assert not mark.exists(), (path, payload)
            for each, content in whole.items():
                each.write_bytes(content)
    assert {path.name for path in tmp_path.iterdir()} == {"artefact"}  # nothing is written elsewhere
