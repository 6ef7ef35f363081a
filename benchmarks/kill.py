"""Kill commands at random moments and give them again: is what they leave that of one whom nobody killed?

Each command works on a small log. Once it is left alone, which gives the files that it is to leave. Then it
is killed by SIGKILL at moments drawn over the time that it takes, given again, killed again, up to
`--chain` times, and at last left alone. Then the bytes of its results are compared, and anything that is
left behind is told: a temporary file, a lock that is held, a process. The exit code is 1 where anything
differs.

Commands are forked from a process that has loaded all modules, so that no kill is spent on imports.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from bundlegym.__main__ import COMMANDS
from bundlegym.__main__ import main as command_line
from bundlegym.data import synthetic_log
from bundlegym.data.files import write_json
from bundlegym.errors import UserError, guarded

SHOP = "--log shop.csv --min-purchases 10 --cache-dir cache"
TRAIN = (
    f"train {SHOP} --user-model lookalike --judges lookalike --fit-epochs 1 --greedy item-knn "
    "--planner-episodes 0 --episodes 64 --n-envs 32 --reward-draws 2 --eval-every 512 --workers 1 "
    "--device cpu --steps 2048 --ppo.imitate 32 --ppo.n-steps 8 --dqn.buffer-size 2000 "
    "--dqn.learning-starts 200 --name run --agents"
)


@dataclass(frozen=True)
class Victim:
    """A command that is killed.

    Attributes:
        before: commands that are given first, and that nobody kills.
        forgets: files that are then removed, for the command to make.
        command: itself.
        results: files whose bytes are compared, as globs.
    """

    before: tuple[str, ...]
    forgets: tuple[str, ...]
    command: str
    results: tuple[str, ...]


_RUN = ("runs/run/results.json", "runs/run/episodes.parquet", "runs/run/*/checkpoint.safetensors")
VICTIMS = {
    "prepare": Victim(
        (),
        (),
        f"experiment plan {SHOP} --effect 1 --splits 10 --json plan.json",
        ("plan.json", "cache/*/*"),
    ),
    "fit": Victim(
        (f"experiment plan {SHOP} --effect 1 --splits 10",),
        (),
        f"fidelity {SHOP} --user-model choice --json fidelity.json",
        ("fidelity.json", "cache/fits/*/*.safetensors"),
    ),
    "fidelity": Victim(
        (f"fidelity {SHOP} --user-model choice",),
        (),
        f"fidelity {SHOP} --user-model choice --json fidelity.json",
        ("fidelity.json",),
    ),
    "train ppo": Victim((), (), f"{TRAIN} ppo", (*_RUN, "runs/run/fidelity.*")),
    "train dqn": Victim((), (), f"{TRAIN} dqn", (*_RUN, "runs/run/fidelity.*")),
    "judge": Victim(
        (f"{TRAIN} ppo",),
        ("runs/run/results.json", "runs/run/episodes.parquet", "runs/run/judges/*"),
        "train --resume runs/run --cache-dir cache",
        _RUN,
    ),
    "recommend": Victim(
        (f"{TRAIN} ppo",),
        (),
        "recommend runs/run --cache-dir cache --explore 0.2 --budget 20 --out offers.csv",
        ("offers.csv",),
    ),
}


def begin(command: str, place: Path, first: Callable[[], object] = lambda: None) -> int:
    """A process in a group of its own that carries out a command in a folder, after `first`; what it says
    goes to a file."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        os.chdir(place)
        said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.argv = ["bundlegym", *command.split()]
        first()
        command_line()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


def load_all() -> None:
    """The modules of all commands, so that no fork has to."""
    tqdm.monitor_interval = 0  # a thread would not live on in forks
    for command in COMMANDS.values():
        importlib.import_module(command.function.partition(":")[0])


def wait(child: int, seconds: float | None = None) -> int | None:
    """The exit code of a process, or None where it takes longer."""
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        pid, status = os.waitpid(child, 0 if end is None else os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if end is not None and time.monotonic() > end:
            return None
        time.sleep(0.002)


def carried_out(command: str, place: Path) -> float:
    """The seconds that a command takes that nobody kills."""
    began = time.monotonic()
    code = wait(begin(command, place))
    # 2: the run was finished, and the command says so.
    if code not in (0, 2) or (code == 2 and "finished run" not in (place / "said.txt").read_text()):
        raise UserError(f"{command}: ended with {code}; {(place / 'said.txt').read_text()[-2000:]}")
    return time.monotonic() - began


def make_shop(place: Path) -> None:
    """A folder with the log of a small shop."""
    place.mkdir()
    log = synthetic_log(n_shoppers=160, n_items=60, n_weeks=22)
    log.transactions.merge(log.items, on="item").to_csv(place / "shop.csv", index=False)


def results(place: Path, globs: tuple[str, ...]) -> dict[str, bytes]:
    """The files to compare, by name."""
    found = {path for glob in globs for path in place.glob(glob) if path.is_file()}
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(found)}


def left_behind(place: Path, child: int) -> Iterator[str]:
    """What is there that a command should not leave."""
    for path in place.rglob("*"):
        if path.name.endswith(".part"):
            yield f"the temporary file {path.relative_to(place)}"
        if path.name == ".lock":
            try:
                FileLock(str(path)).acquire(timeout=0)
            except Timeout:
                yield f"the held lock {path.relative_to(place)}"
    try:
        os.killpg(child, 0)
    except ProcessLookupError:
        return
    yield "a process"


def attack(name: str, kills: int, chain: int, luck: random.Random, folder: Path) -> dict[str, Any]:
    """Kill a command so often; what came of it."""
    victim, start, place = VICTIMS[name], folder / "start", folder / "work"
    started = time.monotonic()
    make_shop(place)
    for command in victim.before:
        carried_out(command, place)
    for path in [path for glob in victim.forgets for path in place.glob(glob)]:
        path.unlink()
    shutil.copytree(place, start)
    whole = carried_out(victim.command, place)
    expected = results(place, victim.results)
    if not expected:
        raise UserError(f"{name}: it leaves no {', '.join(victim.results)}")
    done, chains, faults = 0, 0, list[str]()
    while done < kills:
        shutil.rmtree(place)
        shutil.copytree(start, place)
        for _ in range(chain):
            child = begin(victim.command, place)
            code = wait(child, luck.uniform(0.0, whole))
            if code is not None:
                break  # it had ended before
            os.killpg(child, signal.SIGKILL)
            wait(child)
            done += 1
            faults += [
                f"after a kill: {what}" for what in left_behind(place, child) if "temporary" not in what
            ]
            if done == kills:
                break
        carried_out(victim.command, place)
        chains += 1
        found = results(place, victim.results)
        faults += [
            f"{file}: not the same bytes"
            for file in expected.keys() | found.keys()
            if expected.get(file) != found.get(file)
        ]
        faults += left_behind(place, child)
    seconds = time.monotonic() - started
    return {"command": name, "kills": done, "chains": chains, "files": len(expected), "seconds": seconds,
            "faults": faults}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--kills", type=int, default=15, help="kills of each command (15)")
    parser.add_argument("--chain", type=int, default=4, help="kills before it is left alone (4)")
    parser.add_argument("--commands", nargs="+", default=list(VICTIMS), choices=VICTIMS, help="(all)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--json", type=Path, help="file for the table")
    options = parser.parse_args()
    luck, rows = random.Random(options.seed), []
    load_all()
    for name in options.commands:
        with tempfile.TemporaryDirectory() as folder:
            row = attack(name, options.kills, options.chain, luck, Path(folder))
        rows.append(row)
        ending = "the same bytes, nothing left" if not row["faults"] else f"{len(row['faults'])} FAULTS"
        print(
            f"{name:10} {row['kills']:3} kills, {row['chains']:2} times to the end, {row['files']:2} files: "
            f"{ending} ({row['seconds']:.0f} s)",
            flush=True,
        )
        for fault in row["faults"]:
            print(f"    {fault}")
    print(f"{sum(row['kills'] for row in rows)} kills in all")
    if options.json is not None:
        write_json(options.json, {"rows": rows})
    if any(row["faults"] for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    guarded(main)
