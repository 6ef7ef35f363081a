"""What the tests share: a small fitted world, `tests.world`, and in which order they are gone through."""

from __future__ import annotations

from pathlib import Path

import pytest
import xdist


def pytest_sessionstart(session: pytest.Session) -> None:
    """The process that hands out tests waits for nothing that only those need which run them."""
    if not xdist.is_xdist_controller(session):
        session.config.pluginmanager.import_plugin("tests.world")


#: Folders and files whose tests need nothing, or hardly anything, that numba compiles.
_NOTHING_COMPILED = (
    "data", "recommenders", "test_anywhere.py", "test_compiling.py", "test_imports.py", "test_packaging.py",
    "evaluation/test_config.py", "evaluation/test_parallel.py", "user_models/choice/test_known_answers.py",
    "user_models/choice/test_timed_promotions.py", "user_models/components/test_incidence.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need nothing compiled begin the second half.

    xdist's `worksteal` gives each process an even part of the list: on two cores the first compiles, while
    the second goes through what needs nothing compiled, and finds the compiled code on disk after that.
    """
    without = [Path(__file__).parent / name for name in _NOTHING_COMPILED]
    files = {item.path for item in items}
    quiet_files = {file for file in files if any(map(file.is_relative_to, without))}
    quiet = [item for item in items if item.path in quiet_files]
    others = [item for item in items if item.path not in quiet_files]
    half = len(items) // 2
    items[:] = others[:half] + quiet + others[half:]
