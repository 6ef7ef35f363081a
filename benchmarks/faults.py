"""Take away disk, memory and rights while commands work: one sentence and code 2, and nothing lost?

- A full disk: from a size drawn at random on, no file can grow (RLIMIT_FSIZE), once in each try.
- Little memory: a command may take so many MiB more than it holds when it begins (RLIMIT_AS).
- Read-only folders: runs, the cache with the log in it and without, and a finished run, as a user who is
  not root.

After each the same command is given without the fault, and the bytes of its results are compared with those
of one that never met it. The exit code is 1 where an end is neither success nor one line and code 2, or
bytes differ.
"""

from __future__ import annotations

import argparse
import codecs
import fcntl
import importlib
import os
import random
import resource
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bundlegym.errors import guarded

sys.path.insert(0, str(Path(__file__).parent))  # as it is where this is run as a script
from kill import SHOP, TRAIN, VICTIMS, Victim, begin, carried_out, load_all, make_shop, results, wait

#: From luck, what a process does to itself before it begins.
Fault = Callable[[random.Random], Callable[[], None]]

_NOBODY = 65_534
#: Limits are drawn evenly in their logarithms.
_SIZES, _MEMORY = (2**8, 2**21), (2**20, 2**28)


def full_disk(luck: random.Random) -> Callable[[], None]:
    """No file grows beyond a size."""
    size = int(_SIZES[0] * (_SIZES[1] / _SIZES[0]) ** luck.random())
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def little_memory(luck: random.Random) -> Callable[[], None]:
    """Little more than is held already."""
    more = int(_MEMORY[0] * (_MEMORY[1] / _MEMORY[0]) ** luck.random())

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + more
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    return limit


def load_late() -> None:
    """What commands import on their way: where Python lies in root's home, nobody else could read it."""
    codecs.lookup("cp437")
    for module in ("torch._dynamo", "pyarrow.parquet", "PIL.Image", "matplotlib.pyplot", "tensorboard"):
        importlib.import_module(module)


def nobody() -> None:
    """Root may write anywhere."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def ending(command: str, place: Path, first: Callable[[], None]) -> str:
    """In a few words, how a command ended under a fault."""
    out, into = os.pipe()  # a file could not grow on a full disk either
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 2**20)

    def before() -> None:
        os.dup2(into, 1)
        os.dup2(into, 2)
        sys.stdout = sys.stderr = os.fdopen(into, "w", buffering=1)  # what was there believes in a file
        first()

    code = wait(begin(command, place, before))
    os.close(into)
    with os.fdopen(out, errors="replace") as file:
        said = file.read()
    if code == 0:
        return "done"
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if code == 2 and len(errors) == 1 and "Traceback" not in said:
        return "told"
    return f"CODE {code}, {said.strip()[-300:]}"


def tried(
    name: str,
    fault: Fault,
    times: int,
    luck: random.Random,
    folder: Path,
) -> Counter[str]:
    """How a command ended under a fault, and whether it goes on after it."""
    victim: Victim = VICTIMS[name]
    start, place = folder / "start", folder / "work"
    make_shop(place)
    for command in victim.before:
        carried_out(command, place)
    shutil.copytree(place, start)
    carried_out(victim.command, place)
    expected, ends = results(place, victim.results), Counter[str]()
    for _ in range(times):
        shutil.rmtree(place)
        shutil.copytree(start, place)
        end = ending(victim.command, place, fault(luck))
        carried_out(victim.command, place)
        same = results(place, victim.results) == expected and not list(place.rglob("*.part"))
        ends[end if same else f"{end}, NOT THE SAME AFTER IT"] += 1
    return ends


def read_only(folder: Path) -> dict[str, str]:
    """How commands of a user who may not write end, by what they met."""
    place = folder / "shop"
    make_shop(place)
    carried_out(f"{TRAIN} ppo", place)
    runs, cache = place / "runs", place / "cache"

    def met(command: str, *closed: Path) -> str:
        for path in [place, *place.rglob("*")]:
            os.chown(path, _NOBODY, _NOBODY)
        for path in closed:
            for each in [path, *path.rglob("*")]:
                each.chmod(0o500 if each.is_dir() else 0o400)
        end = ending(command, place, nobody)
        for path in closed:
            for each in [path, *path.rglob("*")]:
                each.chmod(0o700 if each.is_dir() else 0o600)
        return end

    folder.chmod(0o755)
    other = TRAIN.replace("--name run", "--name other")
    run = "runs/run --cache-dir cache"
    return {
        "runs, train": met(f"{other} ppo", runs),
        "a run, train --resume": met(f"train --resume {run}", runs),
        "a run, evaluate": met(f"evaluate {run}", runs),
        "a run, report --out elsewhere": met(f"report {run} --visits 8 --episodes 8 --out page.html", runs),
        "a run, report into it": met(f"report {run} --visits 8 --episodes 8", runs),
        "a run, recommend": met(f"recommend {run} --out offers.csv", runs),
        "the cache with the log, evaluate": met(f"evaluate {run}", cache),
        "the cache without the log, train": met(
            f"{other} ppo".replace("--min-purchases 10", "--min-purchases 11"), cache
        ),
        "the cache without the fit, fidelity": met(f"fidelity {SHOP} --user-model choice", cache),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--times", type=int, default=5, help="tries of each command and fault (5)")
    parser.add_argument("--commands", nargs="+", default=["fit", "train ppo", "recommend"], choices=VICTIMS)
    parser.add_argument("--seed", type=int, default=0, help="of the limits (0)")
    options = parser.parse_args()
    luck, wrong = random.Random(options.seed), 0
    load_all()
    load_late()
    for called, fault in (("full disk", full_disk), ("little memory", little_memory)):
        for name in options.commands:
            with tempfile.TemporaryDirectory() as folder:
                ends = tried(name, fault, options.times, luck, Path(folder))
            wrong += sum(count for end, count in ends.items() if end not in ("told", "done"))
            told = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
            print(f"{called}, {name}: {told}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for met, end in read_only(Path(folder)).items():
            wrong += end not in ("told", "done")
            print(f"read-only: {met}: {end}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    guarded(main)
