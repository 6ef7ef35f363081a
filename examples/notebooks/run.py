"""Execute the notebooks and keep what they print and draw: in full, or small on the log `synthetic`.

    python examples/notebooks/run.py                          # all six, in place, as they are kept
    python examples/notebooks/run.py 03 05                    # some of them
    python examples/notebooks/run.py --log synthetic --out DIR

Each runs in a process of its own. What goes to standard error, such as bars of progress, is not kept.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from bundlegym.data.files import write_text
from bundlegym.errors import UserError, guarded

HERE = Path(__file__).resolve().parent
#: The log that each is kept on: where agents learn, one on which that takes minutes.
KEPT_ON = {"01": "complete-journey", "02": "complete-journey", "03": "complete-journey"}
_OTHERS = "synthetic-year"
_SECONDS = 3600  # a cell may take


@dataclass(frozen=True)
class Config:
    """Execute the notebooks."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Beginnings of their names, such as 03; all by default."""

    log: str = ""
    """What they see as BUNDLEGYM_LOG: synthetic (seconds each), another name, or the path of a file; by
    default the log that each is kept on."""

    out: Annotated[Path, tyro.conf.arg(help_behavior_hint="(where they are)")] = HERE
    """Folder for the executed notebooks."""


def chosen(names: tuple[str, ...]) -> list[Path]:
    """The notebooks whose names begin so, in order.

    Raises:
        UserError: none does.
    """
    every = sorted(HERE.glob("[0-9]*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            raise UserError(f"no notebook begins with {name!r}; there are {', '.join(p.stem for p in every)}")
    return [path for path in every if not names or path.name.startswith(names)]


def execute(path: Path, out: Path) -> None:
    """Run one notebook from its first cell to the last and write it, outputs and all."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=_SECONDS, kernel_name="python3").execute(cwd=str(out))
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran: it would differ every time
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    write_text(out / path.name, nbformat.writes(notebook) + "\n")


def main(config: Config) -> None:
    """Execute those that are asked for."""
    paths = chosen(config.names)
    config.out.mkdir(parents=True, exist_ok=True)
    for path in paths:
        start = time.monotonic()
        os.environ["BUNDLEGYM_LOG"] = config.log or KEPT_ON.get(path.name[:2], _OTHERS)
        execute(path, config.out)
        print(f"{path.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
