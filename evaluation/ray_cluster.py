"""The jobs of `parallel` on a cluster of Ray (Moritz et al. 2018), an extra; its handles are `Any` here.

Ray sends a job and what it returns between its own processes, as pickles; nothing else. What a job works on
it opens from the run's folder, and there it keeps what it makes, so all machines see that folder, the log and
the cache under the same paths. A job whose process or machine is lost is begun again, and goes on from what
was kept.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

import bundlegym
from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.errors import UserError, in_one_line
from bundlegym.evaluation.parallel import GRACE, P, Place, Work, terminations_interrupt
from bundlegym.terminal import show_what_it_can

#: How often a job is begun again whose process was lost.
RETRIES = 3
#: Bytes that processes of a machine share: what jobs return.
_SHARED = 2**28


def check_ray() -> None:
    """Raise a `UserError` where ray is not installed."""
    if find_spec("ray") is None:
        raise UserError("--ray needs the extra `ray`: pip install 'bundlegym[ray]'")


@contextmanager
def ray_cluster(address: str | None, workers: int | None, *, gpu: bool = False) -> Iterator[RayCluster]:
    """A cluster, inside.

    Args:
        address: of one that is there; None for one of this machine's own, which ends with the command.
        workers: jobs at once in a cluster of its own; None for one a core.
        gpu: whether each job takes a GPU.

    Raises:
        UserError: ray is not installed, or there is no cluster at the address.
    """
    check_ray()
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            # Ray listens on all addresses of this machine; nobody without the token can connect.
            os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_TOKEN=secrets.token_hex(32))
            ray.init(num_cpus=workers, include_dashboard=False, object_store_memory=_SHARED, **quiet)
        else:
            ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        said = str(error).splitlines()[0]
        where = "--ray: no cluster starts here" if address is None else f"--ray-address {address}: no cluster"
        raise UserError(f"{where} ({said})") from error
    try:
        slots = ray.cluster_resources().get("GPU" if gpu else "CPU", 1)
        yield RayCluster(max(1, int(slots)), gpu)
    finally:
        ray.shutdown()


class RayCluster:
    """Jobs on the cluster that this process is connected to, each on one core and, if it needs one, a GPU."""

    def __init__(self, at_once: int, gpu: bool) -> None:
        self.at_once, self.gpu = at_once, gpu

    def run(self, work: Work[P], place: Place[P], jobs: Sequence[Any]) -> list[Any]:
        """As in `parallel.Engine`."""
        import ray

        if not jobs:
            return []
        call: Any = ray.remote(num_cpus=1, num_gpus=int(self.gpu), max_retries=RETRIES)(_done)
        waiting: dict[Any, int] = {}
        results: dict[int, Any] = {}
        with terminations_interrupt(), tqdm(total=len(jobs), unit=" jobs") as bar:
            try:
                for number, job in enumerate(jobs):
                    there = (work, place.again, place.folder, Path.cwd(), bundlegym.__version__)
                    waiting[call.options(name=str(job)).remote(*there, job)] = number
                while waiting:
                    (ended,), _ = ray.wait(list(waiting), num_returns=1)
                    number = waiting.pop(ended)
                    results[number] = _result(ended, jobs[number], place.folder)
                    bar.update()
            finally:
                with interrupts_noted():  # none of them cuts this short
                    _stop(list(waiting))
        return [results[number] for number in range(len(jobs))]


def _done(work: Work[P], again: Callable[[], P], folder: Path, cwd: Path, version: str, job: Any) -> Any:
    """A job, in a process of the cluster.

    Raises:
        UserError: this machine has another version, or does not see the folder.
    """
    show_what_it_can()
    os.umask(0o077)
    here = socket.gethostname()
    if version != bundlegym.__version__:
        raise UserError(f"{here} has bundlegym {bundlegym.__version__}; the command is of {version}")
    try:
        os.chdir(cwd)
        seen = folder.is_dir()
    except OSError:
        seen = False
    if not seen:
        raise UserError(
            f"{here} does not see {cwd / folder}: a cluster needs the run, the log and --cache-dir in "
            "folders that all its machines share, under the same paths"
        )
    return work(again(), job, 0)


def _result(ended: Any, job: Any, folder: Path) -> Any:
    """What came of a job that has ended.

    Raises:
        UserError: something in the user's input is wrong, or its process was lost too often.
        RuntimeError: it failed.
    """
    import ray

    try:
        return ray.get(ended)
    except ray.exceptions.RayTaskError as error:
        if (told := in_one_line(error.cause)) is not None:
            raise UserError(told) from error
        raise RuntimeError(f"{job}: {error}") from error
    except ray.exceptions.RayError as error:
        said = str(error).splitlines()[0]
        raise UserError(
            f"{job}: its process was lost {RETRIES + 1} times, as where memory runs out ({said}); fewer jobs "
            f"a machine take less, and --resume {folder} goes on"
        ) from error


def _stop(jobs: list[Any]) -> None:
    """Interrupt jobs, and end those that take too long to keep what they have."""
    import ray

    for job in jobs:
        ray.cancel(job)
    end = time.monotonic() + GRACE
    if jobs:
        _, late = ray.wait(jobs, num_returns=len(jobs), timeout=max(end - time.monotonic(), 0.0))
        for job in late:
            ray.cancel(job, force=True)
