"""Kill processes of a cluster of Ray in the midst of their jobs: is what comes out that of one process?

Each command works on a small made-up log, first without Ray, in one process; then with `--ray` on two
processes, of which `--kills` are killed by SIGKILL while they do a job, the first as soon as its agent has a
checkpoint where there are agents; and, once more from nothing, the command itself is killed by SIGKILL in the
midst, and given again. Each time the bytes of its results are compared. The exit code is 1 where anything
differs, or where a process outlives its command.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundlegym.data import synthetic_log
from bundlegym.data.files import write_json
from bundlegym.errors import UserError, guarded

SHOP = "--log shop.csv --min-purchases 10 --cache-dir cache"
TRAIN = (
    f"train {SHOP} --user-model lookalike --judges lookalike --fit-epochs 1 --greedy item-knn "
    "--planner-episodes 0 --episodes 64 --n-envs 32 --reward-draws 2 --eval-every 2048 --device cpu "
    "--agents ppo --seeds 2 --steps 8192 --ppo.imitate 32 --ppo.n-steps 8 --name run"
)
SWEEP = (
    f"train --sweep 4 --sweep-batch 2 {SHOP} --user-model lookalike --judges lookalike --fit-epochs 1 "
    "--episodes 64 --n-envs 32 --reward-draws 2 --eval-every 2048 --device cpu --agents q-learning "
    "--steps 8192 --name run"
)
#: What processes of a command have in their environment, so that no others are killed.
MARK = "BUNDLEGYM_RAY_FAULTS"
#: How Ray calls those of its processes that do no job.
NO_JOB = ("ray::IDLE", "ray::RuntimeEnv", "ray::Dashboard")
#: Seconds after which a process that outlives its command is one too many.
PATIENCE = 90.0


@dataclass(frozen=True)
class Victim:
    """A command whose processes are killed.

    Attributes:
        command: without `--ray` and `--workers`.
        alone: what it is given where one process does all.
        results: files whose bytes are compared, as globs.
        begun: a glob of files that show that a job has got somewhere; empty where it keeps nothing meanwhile.
        before: a command that is given first, and that nobody kills.
    """

    command: str
    alone: str
    results: tuple[str, ...]
    begun: str = ""
    before: str = ""


VICTIMS = {
    "train": Victim(
        TRAIN,
        "--workers 1",
        ("runs/run/results.json", "runs/run/episodes.parquet", "runs/run/*/checkpoint.safetensors",
         "runs/run/*.safetensors", "runs/run/judges/*.safetensors"),
        "runs/run/ppo-*/checkpoint.safetensors",
    ),
    "sweep": Victim(
        SWEEP,
        "--workers 1",
        ("runs/run/sweep.json", "runs/run/sweep/*/evaluations.json",
         "runs/run/sweep/*/*/checkpoint.safetensors"),
        "runs/run/sweep/*/*/checkpoint.safetensors",
    ),
    "recommend": Victim(
        "recommend runs/run --cache-dir cache --explore 0.2 --draws 8 --out offers.csv",
        "",
        ("offers.csv",),
        before=f"{TRAIN} --workers 1",
    ),
}  # fmt: skip


def marked(mark: str) -> list[tuple[int, str]]:
    """Number and title of each process of a command."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                title = (folder / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
                found.append((int(folder.name), title))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


def doing_a_job(mark: str) -> list[tuple[int, str]]:
    """Processes of Ray in the midst of a job, and its name."""
    return [(pid, t) for pid, t in marked(mark) if t.startswith("ray::") and not t.startswith(NO_JOB)]


def started(arguments: str, place: Path, mark: str) -> subprocess.Popen[bytes]:
    """A command that works in a folder; what it says goes to a file there."""
    with (place / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "bundlegym", *arguments.split()],
            cwd=place,
            env=os.environ | {MARK: mark},
            stdout=said,
            stderr=said,
        )


def ended(process: subprocess.Popen[bytes], place: Path, arguments: str) -> None:
    """Wait for a command that must come to a good end."""
    if process.wait():
        raise UserError(
            f"{arguments}: ended with {process.returncode}; {(place / 'said.txt').read_text()[-3000:]}"
        )


def until(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> bool:
    """Wait for something to come about, and say whether it did before the command ended."""
    while not condition():
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    return True


def left_after(mark: str) -> list[str]:
    """Titles of the processes that outlive their command."""
    end = time.monotonic() + PATIENCE
    while (left := marked(mark)) and time.monotonic() < end:
        time.sleep(0.5)
    return [title for _, title in left]


def kill_jobs(
    victim: Victim, process: subprocess.Popen[bytes], place: Path, mark: str, kills: int, luck: random.Random
) -> list[str]:
    """Kill so many processes in the midst of a job; the names of the jobs."""
    killed: list[str] = []
    while len(killed) < kills:
        begun = not victim.begun or killed or until(lambda: any(place.glob(victim.begun)), process)
        if not begun or not until(lambda: doing_a_job(mark), process):
            break
        if killed or not victim.begun:
            time.sleep(luck.uniform(0.0, 4.0))
        jobs = doing_a_job(mark)
        if jobs:
            pid, title = luck.choice(jobs)
            os.kill(pid, signal.SIGKILL)
            killed.append(title.removeprefix("ray::"))
            until(lambda: pid not in dict(marked(mark)), process)  # noqa: B023 (called here)
    return killed


def results(place: Path, globs: tuple[str, ...]) -> dict[str, bytes]:
    """The files to compare, by name."""
    found = {path for glob in globs for path in place.glob(glob)}
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(found)}


def different(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    names = sorted(expected.keys() | found.keys())
    return [f"{name}: not the same bytes" for name in names if expected.get(name) != found.get(name)]


def attack(name: str, kills: int, luck: random.Random, folder: Path, shoppers: int) -> dict[str, Any]:
    """What comes of a command without Ray, with processes killed, and when killed itself."""
    victim, start, place = VICTIMS[name], folder / "start", folder / "work"
    begin = time.monotonic()
    start.mkdir()
    log = synthetic_log(n_shoppers=shoppers, n_items=60, n_weeks=22)
    log.transactions.merge(log.items, on="item").to_csv(start / "shop.csv", index=False)
    if victim.before:
        ended(started(victim.before, start, ""), start, victim.before)

    def afresh() -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(start, place)

    afresh()
    ended(started(f"{victim.command} {victim.alone}", place, ""), place, victim.command)
    expected, by_ray = results(place, victim.results), f"{victim.command} --ray --workers 2"
    if not expected:
        raise UserError(f"{name}: it leaves no {', '.join(victim.results)}")

    afresh()
    process = started(by_ray, place, mark := secrets.token_hex(8))
    killed = kill_jobs(victim, process, place, mark, kills, luck)
    ended(process, place, by_ray)
    faults = different(expected, results(place, victim.results))
    faults += [f"outlives its command: {title}" for title in left_after(mark)]

    afresh()
    process = started(by_ray, place, mark := secrets.token_hex(8))
    midst = until(lambda: doing_a_job(mark), process)
    if midst and victim.begun:
        midst = until(lambda: any(place.glob(victim.begun)), process)
    process.kill()
    process.wait()
    faults += [f"outlives its killed command: {title}" for title in left_after(mark)]
    ended(started(by_ray, place, ""), place, by_ray)
    faults += different(expected, results(place, victim.results))
    return {"command": name, "jobs_killed": killed, "command_killed_in_the_midst": midst,
            "files": len(expected), "seconds": time.monotonic() - begin, "faults": faults}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--kills", type=int, default=2, help="processes killed in each command (2)")
    parser.add_argument("--commands", nargs="+", default=list(VICTIMS), choices=VICTIMS, help="(all)")
    parser.add_argument("--shoppers", type=int, default=1100, help="two ranges of `recommend` (1100)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--json", type=Path, help="file for the table")
    options = parser.parse_args()
    luck, rows = random.Random(options.seed), []
    for name in options.commands:
        with tempfile.TemporaryDirectory() as folder:
            row = attack(name, options.kills, luck, Path(folder), options.shoppers)
        rows.append(row)
        ending = "the same bytes, nothing left" if not row["faults"] else f"{len(row['faults'])} FAULTS"
        command = "the command too, " if row["command_killed_in_the_midst"] else ""
        print(
            f"{name:10} killed: {', '.join(row['jobs_killed']) or 'none'}; {command}{row['files']} files: "
            f"{ending} ({row['seconds']:.0f} s)",
            flush=True,
        )
        for fault in row["faults"]:
            print(f"    {fault}")
    if options.json is not None:
        write_json(options.json, {"rows": rows})
    if any(row["faults"] or not row["jobs_killed"] for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    guarded(main)
