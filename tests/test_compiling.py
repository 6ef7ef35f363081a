"""What numba keeps on disk is used as long as nothing in it has changed, in whatever file."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bundlegym.compiling import njit

INNER = """
from bundlegym.compiling import njit

RATE = {rate}

@njit(inline="always")
def grown(x):
    return x * {factor}
"""
OUTER = """
import inner
from bundlegym.compiling import njit
from inner import grown

@njit()
def answer(x):
    return grown(x) + inner.RATE

print(answer(10), sum(answer.stats.cache_hits.values()))
"""


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory):
    """What a process answers, and how much of what it needed was compiled by another; the first has run."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "outer.py").write_text(OUTER, encoding="utf-8")

    def run(**inner: int) -> tuple[int, int]:
        (folder / "inner.py").write_text(INNER.format(**inner), encoding="utf-8")
        command = [sys.executable, "-B", "outer.py"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        value, hits = done.stdout.split()
        return int(value), int(hits)

    assert run(rate=1, factor=2) == (21, 0)
    return run


def test_what_did_not_change_is_not_compiled_again(answer) -> None:
    assert answer(rate=1, factor=2) == (21, 1)


@pytest.mark.parametrize("changed", [{"factor": 3}, {"rate": 11}])
def test_a_change_in_another_file_is_seen(answer, changed: dict[str, int]) -> None:
    assert answer(**{"rate": 1, "factor": 2} | changed) == (31, 0)


def test_options_of_a_function_count(answer) -> None:
    options = 'njit(inline="always", error_model="numpy")'
    assert answer(rate=1, factor=f"2\n\ngrown = {options}(grown.py_func)") == (21, 0)


@njit(inner=True)
def doubled(x: float) -> float:
    return 2 * x


@njit()
def more_than_doubled(x: float) -> float:
    return doubled(x) + 1


def test_an_inner_function_is_called_by_compiled_ones_alone() -> None:
    for _ in range(2):  # before it is compiled, and after that
        with pytest.raises(TypeError, match="doubled is called by compiled functions alone"):
            doubled(3)
        assert more_than_doubled(3) == 7
