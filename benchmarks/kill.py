"""Kill training at random moments and go on: are the results those of a run that nobody killed, bit for bit?

Of each agent, one run on the synthetic log is left alone. Another is killed with SIGKILL, `--kills` times,
and begun again with the same command. Then the bytes of results.json and of the checkpoint are compared.
The first kill may come at any time, in a fit for instance; each further one comes after the first
checkpoint of that life.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bundlegym.agents.registry import AGENTS
from bundlegym.data.files import write_json
from bundlegym.errors import UserError, guarded

ROOT = Path(__file__).parents[1]
COMMAND = (
    "--log synthetic --min-purchases 10 --user-model lookalike --judges lookalike --fit-epochs 1 "
    "--greedy item-knn --planner-episodes 0 --episodes 64 --n-envs 64 --reward-draws 4 --eval-every 512 "
    "--workers 1 --device cpu --steps 16384 --ppo.imitate 64 --ppo.n-steps 8 "
    "--dqn.buffer-size 5000 --dqn.learning-starts 1000"
).split()


def begin(folder: Path, agent: str, name: str) -> subprocess.Popen[bytes]:
    """A run of one agent in a process group of its own; what it says goes to a file."""
    command = [sys.executable, str(ROOT / "train.py"), *COMMAND, "--agents", agent, "--name", name]
    with (folder / f"{name}.said").open("ab") as said:
        return subprocess.Popen(
            [*command, "--cache-dir", str(folder / "cache")],
            cwd=folder, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip


def checkpoints(run: Path) -> dict[str, float]:
    """When each checkpoint of a run was written."""
    return {str(path): path.stat().st_mtime for path in run.rglob("checkpoint.safetensors")}


def wait(process: subprocess.Popen[bytes], seconds: float, run: Path | None = None) -> None:
    """Until the process has ended, or so many seconds, which begin with the next checkpoint of `run`."""
    before = checkpoints(run) if run is not None else {}
    while run is not None and process.poll() is None and checkpoints(run) == before:
        time.sleep(0.02)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass


def compare(folder: Path, agent: str, kills: int, luck: random.Random) -> dict[str, Any]:
    """The files of the two runs that are the same, and those that are not."""
    started = time.monotonic()
    whole = begin(folder, agent, f"{agent}-whole")
    if whole.wait() != 0:
        raise UserError(f"{agent}: the run that nobody killed failed; see {folder / f'{agent}-whole.said'}")
    whole_seconds = time.monotonic() - started
    run, done = folder / "runs" / f"{agent}-killed", 0
    while done < kills:
        process = begin(folder, agent, run.name)
        seconds = luck.uniform(0, whole_seconds / 2 if not done else whole_seconds / (4 * kills))
        wait(process, seconds, run if done else None)
        if process.poll() is not None:
            break  # it had ended before
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done += 1
        print(f"{agent}: kill {done}, {len(checkpoints(run))} checkpoint(s) so far", file=sys.stderr)
    if begin(folder, agent, run.name).wait() not in (0, 2):  # 2: the run was finished
        raise UserError(f"{agent}: the killed run failed; see {folder / f'{run.name}.said'}")
    names = ["results.json", *(str(path.relative_to(run)) for path in run.rglob("checkpoint.safetensors"))]
    same = {
        name: (run / name).read_bytes() == (run.with_name(f"{agent}-whole") / name).read_bytes()
        for name in names
    }
    return {"agent": agent, "kills": done, "same": same}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--kills", type=int, default=5, help="kills of each agent (5)")
    parser.add_argument("--agents", nargs="+", default=["ppo", "dqn"], choices=AGENTS, help="(ppo dqn)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--json", type=Path, help="file for what was compared")
    options = parser.parse_args()
    luck, rows = random.Random(options.seed), []
    with tempfile.TemporaryDirectory() as folder:
        for agent in options.agents:
            row = compare(Path(folder), agent, options.kills, luck)
            rows.append(row)
            for name, same in row["same"].items():
                print(
                    f"{agent}, {row['kills']} kills, {name}: {'the same' if same else 'NOT the same'} bytes"
                )
    if options.json is not None:
        write_json(options.json, {"rows": rows})
    if not all(same for row in rows for same in row["same"].values()):
        sys.exit(1)


if __name__ == "__main__":
    guarded(main)
