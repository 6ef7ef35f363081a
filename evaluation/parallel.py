"""Agents trained side by side, each in a process of its own: the networks are too small to share cores.

No process outlives the command. Whatever ends the command, an interrupt, `kill` or `kill -9`, each process
notices, keeps its agent and ends.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.errors import UserError, in_one_line
from bundlegym.evaluation.job import Job

#: `train(job, line)` trains one agent of a run and leaves its checkpoint there; its progress bar stands in
#: that line. It is pickled.
Train = Callable[[Job, int], None]

_INTERRUPTED, _WRONG = 130, 2  # exit codes
_TERMINAL = 2.0  # seconds for a terminal's interrupt to work on all processes
_GRACE = 60.0  # seconds to keep an agent


class _Worker:
    """A process that trains one agent, and the sentence that it leaves where something is wrong."""

    def __init__(self, train: Train, job: Job, line: int, run: Path) -> None:
        context = mp.get_context("spawn")
        self.name, self.run = str(job), run
        self.sentence, theirs = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(target=_child, args=(train, job, line, theirs))
        self.process.start()
        theirs.close()

    def check(self) -> None:
        """What came of a process that has ended.

        Raises:
            KeyboardInterrupt: it was interrupted.
            UserError: something in the user's input is wrong, or the process was killed.
            RuntimeError: it failed, and has printed how.
        """
        code = self.process.exitcode or 0
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        if code == _WRONG and self.sentence.poll():
            raise UserError(self.sentence.recv())
        if code < 0:
            raise UserError(
                f"{self.name}: its process was killed ({signal.Signals(-code).name}), as the system does "
                f"where memory runs out; fewer --workers take less, and --resume {self.run} goes on"
            )
        if code:
            raise RuntimeError(f"{self.name}: training ended with exit code {code}; see above")


def train_in_parallel(train: Train, jobs: list[Job], workers: int, run: Path) -> None:
    """Run `train` for each job of the run in a folder, at most `workers` at once, and wait for all.

    An interrupt or a termination reaches every process, and each saves its checkpoint.

    Raises:
        UserError: a process was killed, or something in the user's input is wrong; the others were stopped.
        RuntimeError: a process failed; the others were stopped.
    """
    waiting = list(jobs)
    running: dict[int, _Worker] = {}  # by the line of its progress bar
    with _terminations_interrupt():
        try:
            while waiting or running:
                for line in range(workers):
                    if waiting and line not in running:
                        running[line] = _Worker(train, waiting.pop(0), line, run)
                wait([worker.process.sentinel for worker in running.values()])
                for line, worker in list(running.items()):
                    if worker.process.exitcode is not None:
                        del running[line]
                        worker.check()
        finally:
            with interrupts_noted():  # none of them cuts this short
                _stop([worker.process for worker in running.values()])


@contextmanager
def _terminations_interrupt() -> Iterator[None]:
    """Inside, SIGTERM does what SIGINT does; off the main thread signals cannot be had."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _child(train: Train, job: Job, line: int, sentence: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        train(job, line)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except Exception as error:
        told = in_one_line(error)
        if told is None:
            raise
        sentence.send(told)
        sys.exit(_WRONG)


def _end_with_parent() -> None:
    """Once the parent has gone, interrupt this process, and end it where that takes too long."""
    parent = mp.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_GRACE)
    os._exit(_INTERRUPTED)


def _stop(processes: list[BaseProcess]) -> None:
    """A terminal interrupts all processes of a command, a signal to one of them does not: send it on."""
    _wait_for(processes, _TERMINAL)
    for process in processes:
        if process.exitcode is None and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)
    _wait_for(processes, _GRACE)
    for process in processes:
        process.kill()
        process.join()


def _wait_for(processes: list[BaseProcess], seconds: float) -> None:
    """Until all have ended, at most so long."""
    end = time.monotonic() + seconds
    for process in processes:
        process.join(max(end - time.monotonic(), 0.0))
