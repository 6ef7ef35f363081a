"""Stand-ins for the training of an agent, in a module of their own: each process imports no more than it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.errors import UserError
from bundlegym.evaluation.job import Job

JOBS = [Job("ppo", 0, 0.0), Job("ppo", 1, 0.0)]


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


def mistaken(job: Job, line: int) -> None:
    raise UserError(f"{job.agent} cannot learn this")
