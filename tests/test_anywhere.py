"""Other machines: nothing can be written, letters cannot be shown, symbolic links are missing."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

from bundlegym import compiling
from bundlegym.data import DataConfig, synthetic_dataset
from bundlegym.data.store import save_dataset
from bundlegym.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
#: An installed package must not come to the help of the copy under test.
WITHOUT_FINDERS = (
    "import sys; sys.meta_path = [f for f in sys.meta_path if 'Editable' not in getattr(f, '__name__', '')]; "
)


def python(code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, encoding="utf-8", errors="replace",
        env={**os.environ, **environment},
    )  # fmt: skip


def test_where_nothing_can_be_written_nothing_compiled_is_kept(monkeypatch):
    real = numba.njit

    def njit(cache: bool = False, **options: Any):
        def compiled(function):
            if cache:
                raise RuntimeError(f"cannot cache function {function.__name__!r}: no locator available")
            return real(**options)(function)

        return compiled

    monkeypatch.setattr(numba, "njit", njit)
    compiling._tell_that_nothing_is_kept.cache_clear()
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR") as told:
        assert compiling.njit()(lambda x: x + 1)(1) == 2
        assert compiling.njit()(lambda x: x + 2)(1) == 3
    assert sum("NUMBA_CACHE_DIR" in str(one.message) for one in told) == 1


def test_other_errors_of_numba_are_not_swallowed(monkeypatch):
    def njit(**options: Any):
        raise RuntimeError("something else")

    monkeypatch.setattr(numba, "njit", njit)
    with pytest.raises(RuntimeError, match="something else"):
        compiling.njit()(lambda x: x)


def test_without_a_home_folder_the_cache_is_a_temporary_one(monkeypatch):
    for name in ("BUNDLEGYM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert DataConfig().cache_dir.name == "bundlegym"


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="BUNDLEGYM_CACHE"):
        save_dataset(synthetic_dataset(n_shoppers=60, n_weeks=12), tmp_path / "file" / "data")


def test_letters_that_a_terminal_cannot_show_end_no_run(tmp_path):
    text = "print('Gef\\u00fcllt by 84.51\\u00b0')"
    code = f"from bundlegym.errors import guarded; guarded(lambda: {text})"
    for encoding, shown in (("ascii", "Gef?llt by 84.51?"), ("cp1252", "by 84.51")):
        done = python(code, ROOT, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr
        assert shown in done.stdout


@pytest.mark.parametrize("stand_in", ["text", "nothing"])
def test_a_clone_without_symbolic_links_says_what_to_do(tmp_path, stand_in):
    shutil.copytree(ROOT / "bundlegym", tmp_path / "bundlegym", symlinks=True)
    for link in [path for path in (tmp_path / "bundlegym").iterdir() if path.is_symlink()]:
        target = os.readlink(link)
        link.unlink()
        if stand_in == "text":  # as git writes it on Windows
            link.write_text(target, encoding="utf-8")
    shutil.copy(ROOT / "train.py", tmp_path)
    run = "sys.path.insert(0, ''); import runpy; runpy.run_path('train.py', run_name='__main__')"
    done = python(WITHOUT_FINDERS + run, tmp_path, PYTHONPATH="")
    assert done.returncode == 1
    assert done.stderr.startswith("error: bundlegym: ") and len(done.stderr.splitlines()) == 1
    assert "git config core.symlinks true" in done.stderr


def test_every_text_file_is_opened_with_an_encoding():
    folders = ("bundlegym", "data", "recommenders", "user_models", "envs", "agents", "evaluation")
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text"):
                assert "encoding" in {word.arg for word in node.keywords}, f"{path}, line {node.lineno}"
