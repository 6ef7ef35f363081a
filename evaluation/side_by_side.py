"""Agents trained side by side, each in a process of its own: the networks are too small to share cores."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

#: `train(folder, agent, seed, position)` trains one agent of a run and leaves its checkpoint there.
Train = Callable[[Path, str, int, int], None]


def train_side_by_side(train: Train, folder: Path, jobs: list[tuple[str, int]], workers: int) -> None:
    """Run `train` for each (agent, seed), at most `workers` at once, and wait for all.

    An interrupt reaches every process, and each saves its checkpoint.

    Raises:
        RuntimeError: a process failed; the others have been stopped.
    """
    context, waiting = mp.get_context("spawn"), list(jobs)
    running: dict[int, BaseProcess] = {}  # by the line of its progress bar
    try:
        while waiting or running:
            for line in range(workers):
                if waiting and line not in running:
                    agent, seed = waiting.pop(0)
                    process: BaseProcess = context.Process(
                        target=_child, args=(train, folder, agent, seed, line)
                    )
                    process.start()
                    running[line] = process
            wait([one.sentinel for one in running.values()])
            for line, ended in list(running.items()):
                if ended.exitcode is not None:
                    del running[line]
                    if ended.exitcode == 130:
                        raise KeyboardInterrupt
                    if ended.exitcode:
                        raise RuntimeError(f"training ended with exit code {ended.exitcode}; see above")
    finally:
        _stop(list(running.values()))


def _child(train: Train, folder: Path, agent: str, seed: int, line: int) -> None:
    try:
        train(folder, agent, seed, line)
    except KeyboardInterrupt:
        sys.exit(130)


def _stop(processes: list[BaseProcess]) -> None:
    """A terminal interrupts all processes of a command, a signal to one of them does not: send it on."""
    for process in processes:
        process.join(5)
        if process.exitcode is None and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)
        process.join()
