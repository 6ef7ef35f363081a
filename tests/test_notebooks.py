"""The notebooks as they stand; their code runs cell by cell on the small log, in one process."""

from __future__ import annotations

import json
import re
from pathlib import Path

import matplotlib
import pytest
from matplotlib import pyplot

FOLDER = Path(__file__).parents[1] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
_MOST_PICTURE = 60_000


def cells(path: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def pictures(path: Path) -> list[str]:
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    return [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def test_there_are_six():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_kept_and_small(path):
    assert all(cell["execution_count"] for cell in cells(path, "code"))
    assert pictures(path)
    assert max(len(picture) * 3 / 4 for picture in pictures(path)) < _MOST_PICTURE
    assert not re.search(r"/home/|/root/|/work/|Traceback", path.read_text())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_ends_with_two_exercises_and_says_what_results_mean(path):
    text = [source(cell) for cell in cells(path, "markdown")]
    assert text[-1].startswith("## Exercises")
    assert re.findall(r"^\d\.", text[-1], re.MULTILINE) == ["1.", "2."]
    kinds = [cell["cell_type"] for cell in json.loads(path.read_text())["cells"]]
    assert kinds[-1] == "markdown"


def test_all_run_on_the_small_log(few_steps, monkeypatch, tmp_path):
    monkeypatch.setenv("BUNDLEGYM_LOG", "synthetic")
    monkeypatch.setenv("BUNDLEGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    matplotlib.use("Agg")
    for path in NOTEBOOKS:
        names = {"__name__": path.stem}
        for place, cell in enumerate(cells(path, "code")):
            exec(compile(source(cell), f"{path.name}, cell {place}", "exec"), names)
        pyplot.close("all")
