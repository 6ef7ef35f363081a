"""Jobs that need nothing of each other, done side by side: agents, fits, trials of a sweep, ranges of
shoppers.

`Processes` does them on this machine, in processes side by side, since the networks are too small to share
cores; `evaluation.ray_cluster` does the same jobs on many machines. The job and its seed decide what comes
out, not who does it: what it makes is kept in its run's folder, and what it returns is given back in the
order of the jobs.

No process outlives the command. Whatever ends the command, an interrupt, `kill` or `kill -9`, each process
notices, keeps what it has and ends.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.errors import UserError, in_one_line

_INTERRUPTED, _WRONG = 130, 2  # exit codes
_TERMINAL = 2.0  # seconds for a terminal's interrupt to work on all processes
#: Seconds to keep an agent.
GRACE = 60.0

P = TypeVar("P")
#: `work(subject, job, line)` does one job of what is there, a run for example; its progress bar stands in
#: that line. It is a function of a module, and a job is called by its `str`: both are pickled.
Work = Callable[[P, Any, int], Any]


@dataclass(frozen=True)
class Place(Generic[P]):
    """What jobs are of.

    Attributes:
        here: as this process has it.
        again: makes it anew in another process, where its folder is seen too; pickled.
        folder: that it is kept in.
    """

    here: P
    again: Callable[[], P]
    folder: Path


class Engine(Protocol):
    """Does a list of jobs.

    Attributes:
        at_once: how many are done at once.
    """

    at_once: int

    def run(self, work: Work[P], place: Place[P], jobs: Sequence[Any]) -> list[Any]:
        """What `work` returns for each job, in their order, once all are done.

        Raises:
            UserError: something in the user's input is wrong, or a process was killed; the others were
                stopped, and what they had was kept.
            RuntimeError: a job failed; the same.
        """
        ...


def at_once(workers: int, *, gpu: bool) -> int:
    """Jobs at once on this machine where `workers` are asked for: 0 is one for each core, and one in all on a
    GPU."""
    return workers or (1 if gpu else os.cpu_count() or 1)


class Processes:
    """Jobs on this machine, at most `at_once` at a time, in as many processes, each of which does one after
    the other; where one at a time is done, all in this process."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once

    def run(self, work: Work[P], place: Place[P], jobs: Sequence[Any]) -> list[Any]:
        """As in `Engine`. An interrupt or a termination reaches every process, and each keeps its agent."""
        if min(self.at_once, len(jobs)) <= 1:
            return [work(place.here, job, 0) for job in jobs]
        waiting = list(enumerate(jobs))
        workers: list[_Worker] = []
        results: dict[int, Any] = {}
        with terminations_interrupt():
            try:
                for line in range(min(self.at_once, len(jobs))):
                    workers.append(_Worker(work, place, line))
                    workers[-1].give(*waiting.pop(0))
                at_work = {worker.pipe: worker for worker in workers}
                while at_work:
                    for pipe in wait(list(at_work)):
                        worker = at_work[pipe]  # type: ignore[index]  # of these pipes alone
                        results[worker.number] = worker.result()
                        if waiting:
                            worker.give(*waiting.pop(0))
                        else:
                            del at_work[worker.pipe]
                            worker.dismiss()
            finally:
                with interrupts_noted():  # none of them cuts this short
                    _stop([worker.process for worker in workers])
        return [results[number] for number in range(len(jobs))]


class _Worker:
    """A process that does jobs, and its answers: what each returns, or a sentence on what is wrong.

    Attributes:
        number: of its job.
        pipe: to it, and from it.
    """

    def __init__(self, work: Work[P], place: Place[P], line: int) -> None:
        context = mp.get_context("spawn")
        self.name, self.number, self.run = "", 0, place.folder
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_child, args=(work, place.again, line, theirs))
        self.process.start()
        theirs.close()

    def give(self, number: int, job: Any) -> None:
        """Let it do a job; what is wrong with a process that has ended is told by `result`."""
        self.name, self.number = str(job), number
        with suppress(OSError):
            self.pipe.send(job)

    def dismiss(self) -> None:
        """Let it end: there are no more jobs."""
        self.pipe.close()
        self.process.join()

    def result(self) -> Any:
        """What came of the job of a process that has answered or ended.

        Raises:
            KeyboardInterrupt: it was interrupted.
            UserError: something in the user's input is wrong, or the process was killed.
            RuntimeError: it failed, and has printed how.
        """
        try:
            done, answer = self.pipe.recv()
        except (EOFError, OSError):  # it has ended without one, or in the midst of one
            done, answer = False, None
        if done:
            return answer
        self.process.join()
        code = self.process.exitcode or 0
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        if code == _WRONG and answer is not None:
            raise UserError(answer)
        if code < 0:
            raise UserError(
                f"{self.name}: its process was killed ({signal.Signals(-code).name}), as the system does "
                f"where memory runs out; fewer --workers take less, and --resume {self.run} goes on"
            )
        raise RuntimeError(f"{self.name}: ended with exit code {code}; see above")


@contextmanager
def terminations_interrupt() -> Iterator[None]:
    """Inside, SIGTERM does what SIGINT does; off the main thread signals cannot be had."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _child(work: Work[P], again: Callable[[], P], line: int, pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        subject = again()
        for job in _given(pipe):
            pipe.send((True, work(subject, job, line)))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except Exception as error:
        told = in_one_line(error)
        if told is None:
            raise
        pipe.send((False, told))
        sys.exit(_WRONG)


def _given(pipe: Connection) -> Iterator[Any]:
    """Jobs, until the other end is closed."""
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        yield job


def _end_with_parent() -> None:
    """Once the parent has gone, interrupt this process, and end it where that takes too long."""
    parent = mp.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os._exit(_INTERRUPTED)


def _stop(processes: list[BaseProcess]) -> None:
    """A terminal interrupts all processes of a command, a signal to one of them does not: send it on."""
    _wait_for(processes, _TERMINAL)
    for process in processes:
        if process.exitcode is None and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)
    _wait_for(processes, GRACE)
    for process in processes:
        process.kill()
        process.join()


def _wait_for(processes: list[BaseProcess], seconds: float) -> None:
    """Until all have ended, at most so long."""
    end = time.monotonic() + seconds
    for process in processes:
        process.join(max(end - time.monotonic(), 0.0))
