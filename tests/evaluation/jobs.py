"""Stand-ins for jobs of a run, in a module of their own: each process imports no more than it.

What they are of is the folder of a run.
"""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.errors import UserError
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.parallel import Place

JOBS = [Job("ppo", 0, 0.0), Job("ppo", 1, 0.0)]


def place_of(folder: Path) -> Place[Path]:
    return Place(folder, partial(Path, folder), folder)


def learns(folder: Path, job: Job, line: int) -> None:
    """Tells its process's number, and waits until it is interrupted, as training does; then it is kept."""
    with interrupts_noted() as interrupted:
        folder.joinpath(f"{job.seed}.part").write_text(str(os.getpid()))
        folder.joinpath(f"{job.seed}.part").rename(folder / f"{job.seed}.pid")
        end = time.monotonic() + 60
        while not interrupted() and time.monotonic() < end:
            time.sleep(0.05)
    folder.joinpath(f"{job.seed}.kept").touch()
    raise KeyboardInterrupt


def killed(folder: Path, job: Job, line: int) -> None:
    if job.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    learns(folder, job, line)


def mistaken(folder: Path, job: Job, line: int) -> None:
    raise UserError(f"{job.agent} cannot learn this")


def squared(folder: Path, job: int, line: int) -> tuple[int, int]:
    """What is returned, and in which process."""
    return job**2, os.getpid()


def large(folder: Path, job: int, line: int) -> bytes:
    """More than a pipe holds."""
    return bytes([job]) * 1_000_000


def killed_once(folder: Path, job: int, line: int) -> tuple[int, int]:
    """Goes on from what was kept before the process was killed, as training does; job 1 is killed once."""
    kept = folder / f"{job}.kept"
    if kept.exists():
        return job, int(kept.read_text(encoding="ascii"))
    kept.write_text(str(os.getpid()), encoding="ascii")
    if job == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job, os.getpid()
