"""Picks per CPU-second of the environment, beside its floor and beside its peers, all in one run.

    python benchmarks/env_speed.py --json speed.json
    python benchmarks/env_speed.py --peers ENVIRONMENTS    # also peers, each installed into a folder there

Rows: `bundlegym` (N = 1: `BundleEnv`; else `BundleVectorEnv`; twins, organic purchases, observations and
infos included); `core`, the same without a view; `floor`, only what a visit cannot do without: the user
model's response of shoppers and twins, and retrieval (`of_floor` is a row's share of it); `plain`, the
`bundlegym` of N = 1 with nothing compiled: the very same functions, of which plain Python executes each
operation on numpy's arrays (slower than what one would write for plain Python alone). A pick adds an item to
a bundle; bundles hold 2 to 4 items at random, and an offer is a step but no pick. The catalogue of 6,300 is
The Complete Journey's; greater ones are made of it by giving each item clones among which its purchases are
dealt out, for fewer shoppers. A figure is the best of five turns, since other work on a machine only takes
away (`median` beside it tells how much).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import torch

from bundlegym.data import DataConfig, Dataset, prepare
from bundlegym.data.files import write_json
from bundlegym.envs import BundleCore, BundleEnv, BundleVectorEnv, EnvConfig, build_market
from bundlegym.user_models import ChoiceShopper, Draws, Offer, UserModel

SEED = 0
#: A peer's name -> the calls of `pip install` for it; `peers/NAME_peer.py` prints its steps per CPU-second.
#: RecSim builds with an old setuptools only, and what it asks for (Dopamine with JAX, Atari, OpenCV) is left
#: out but for the few modules that its environments import.
PEERS = {
    "sardine_rec": [["sardine-rec"]],
    "recogym": [["recogym", "numpy<2", "pandas<2.2", "scipy<1.11", "matplotlib<3.9"]],
    "recsim": [
        ["tensorflow-cpu<2.16", "numpy<2", "gym<0.26", "gin-config", "six", "wheel", "setuptools<70"],
        ["--no-deps", "--no-build-isolation", "recsim==0.2.4", "dopamine-rl<4.1"],
    ],
}


def widened(dataset: Dataset, n_items: int, n_shoppers: int = 300) -> Dataset:
    """A catalogue of at least `n_items` made of clones; only the first shoppers, to keep the fit small."""
    if n_items <= dataset.n_items:
        return dataset
    copies = -(-n_items // dataset.n_items)
    visits = dataset.visits[dataset.visits["shopper"] < n_shoppers]
    lines = dataset.purchases[dataset.purchases["visit"].isin(visits.index)].copy()
    lines["visit"] = np.searchsorted(visits.index.to_numpy(), lines["visit"].to_numpy())
    clone = np.random.default_rng(SEED).integers(0, copies, len(lines))
    lines["item"] = lines["item"].to_numpy() + clone * dataset.n_items
    tables = ("list_price", "shelf_price", "unit_cost", "display", "mailer")
    return dataclasses.replace(
        dataset,
        items=pd.concat([dataset.items] * copies, ignore_index=True),
        shoppers=dataset.shoppers.iloc[:n_shoppers],
        visits=visits.reset_index(drop=True),
        purchases=lines.reset_index(drop=True),
        **{name: np.tile(getattr(dataset, name), (copies, 1)) for name in tables},
        split=dataclasses.replace(dataset.split, held_out=dataset.split.held_out[:n_shoppers]),
        campaigns=None,
    )


def schedule(n: int, steps: int, k: int, levels: int) -> np.ndarray:
    """(steps, n) int64 legal actions, drawn beforehand: each slot fills bundles of its own sizes."""
    rng = np.random.default_rng(SEED)
    actions = np.empty((steps, n), dtype=np.int64)
    for slot in range(n):
        own: list[int] = []
        while len(own) < steps:
            own += [*rng.choice(k, rng.integers(2, 5), replace=False), k + rng.integers(levels)]
        actions[:, slot] = own[:steps]
    return actions


def cpu_seconds(works: list[Any], repeats: int = 5) -> list[list[float]]:
    """CPU times of `repeats` calls of each of `works`, in turn, after a call of each that warms up."""
    for work in works:
        work()
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, spent in zip(works, times, strict=True):
            start = time.process_time()
            work()
            spent.append(time.process_time() - start)
    return times


def measured(core: BundleCore, steps: int) -> list[dict[str, Any]]:
    """Rows of one simulator."""
    n, k = core.n, core.k
    actions = schedule(n, steps, k, core.levels)
    picks, tensors = int((actions < k).sum()), [torch.from_numpy(a) for a in actions]

    def play_core() -> None:
        core.reset()
        for action in tensors:
            result = core.step(action)
            if result.record is not None:
                core.restart(result.terminated | result.truncated)
            core.observe()

    if n == 1:
        single = BundleEnv(core=core)

        def play_view() -> None:
            single.reset(seed=SEED)
            for action in actions[:, 0]:
                _, _, terminated, truncated, _ = single.step(action)
                if terminated or truncated:
                    single.reset()
    else:
        batch = BundleVectorEnv(core=core)

        def play_view() -> None:
            batch.reset(seed=SEED)
            for action in actions:
                batch.step(action)

    visits = n * steps - picks
    rounds = max(1, round(visits / n))

    def play_floor() -> None:
        floor(core, rounds)

    done = {"bundlegym": picks, "core": picks, "floor": picks * rounds * n / visits}
    times = cpu_seconds([play_view, play_core, play_floor])
    lowest = done["floor"] / min(times[2])
    rows = []
    for name, spent in zip(done, times, strict=True):
        speed = done[name] / min(spent)
        row = {
            "name": name,
            "n": n,
            "items": len(core.market.category),
            "picks_per_cpu_second": speed,
            "median": done[name] / float(np.median(spent)),
            "steps_per_cpu_second": speed * n * steps / picks,
            "of_floor": speed / lowest,
        }
        rows.append(row)
        show(row)
    return rows


def show(row: dict[str, Any]) -> None:
    picks = f"{row['picks_per_cpu_second']:10,.0f} picks (median {row['median']:9,.0f})"
    share = f"{row['of_floor']:6.3f} of the floor"
    print(f"{row['name']:10} N {row['n']:5}  items {row['items']:7,}  {picks}  {share}", flush=True)


def plain_row(model: ChoiceShopper, items: int, log: str, lowest: float) -> dict[str, Any]:
    """The `bundlegym` row of N = 1 in a process that compiles nothing; `lowest`: the floor's picks."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        out = Path(folder) / "rows.json"
        command = [sys.executable, "-W", "ignore", __file__]  # numpy warns where a hash overflows
        options = {"n": 1, "items": items, "log": log, "visits": 100, "saved": folder, "json": out}
        subprocess.run(
            command + [part for name, value in options.items() for part in (f"--{name}", str(value))],
            check=True, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        row = json.loads(out.read_text(encoding="utf-8"))["rows"][0]
    row |= {"name": "plain", "of_floor": row["picks_per_cpu_second"] / lowest}
    show(row)
    return row


def floor(core: BundleCore, rounds: int) -> None:
    """`rounds` visits of all N shoppers and their twins: response and retrieval, nothing else."""
    model: UserModel = core.user_model
    both = torch.cat([core.rows, core.rows]) % core.n
    offer = Offer(core.candidates[both][:, :3].contiguous(), torch.full((2 * core.n,), 0.1))
    state = model.reset(core.records.shopper[both], core.records.day[both])
    for visit in range(rounds):
        draws = Draws(SEED, core.episode[both], torch.full((2 * core.n,), visit))
        model.respond(state, offer, draws)
        core._open(core.rows)


def peer_rows(folder: Path) -> list[dict[str, Any]]:
    """Each peer in an environment of its own; one that does not install or run has a row with an `error`."""
    rows = []
    for peer, installs in PEERS.items():
        home = folder / peer
        python, installed = home / "bin" / "python", home / ".installed"
        script = Path(__file__).with_name("peers") / f"{peer}_peer.py"
        try:
            if not installed.exists():
                venv.create(home, with_pip=True)
                for packages in installs:
                    _run(python, "-m", "pip", "install", "-q", *packages)
                installed.touch()
            done = _run(python, script)
            rows.append({"name": peer, "n": 1, **json.loads(done.strip().splitlines()[-1])})
            print(f"{peer:10} {rows[-1]['steps_per_cpu_second']:,.0f} steps", flush=True)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            why = next((line.strip() for line in reversed(said) if re.search("Error|ERROR", line)), said[-1])
            rows.append({"name": peer, "n": 1, "error": why})
            print(f"{peer:10} does not run here: {why}", flush=True)
    return rows


def _run(*command: str | Path) -> str:
    """What the command printed; errors hold what it complained of."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=900).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[1, 64, 1024, 8192])
    parser.add_argument(
        "--items", type=int, nargs="+", default=[6_300, 100_000], help="least catalogue sizes"
    )
    parser.add_argument("--log", default="complete-journey")
    parser.add_argument("--visits", type=int, default=20_000, help="about how many visits behind a row")
    parser.add_argument("--saved", type=Path, help="folder of a ChoiceShopper; without it one is fitted")
    parser.add_argument("--peers", type=Path, help="folder for the peers' environments; without it no peers")
    parser.add_argument("--json", type=Path, help="write the rows there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for items in options.items:
        dataset = widened(prepare(DataConfig(log=options.log)), items)
        if options.saved:
            model = ChoiceShopper.load(options.saved)
        else:
            model = ChoiceShopper.fit(dataset, epochs=1)
        market = build_market(dataset)
        for n in options.n:
            core = BundleCore(
                market, model, EnvConfig(), n=n, weeks=dataset.split.train_weeks,
                shoppers=np.flatnonzero(~dataset.split.held_out),
            )  # fmt: skip
            rows += measured(core, max(20, min(8_000, 4 * options.visits // n)))
            if n == 1 and not numba.config.DISABLE_JIT:
                rows.append(plain_row(model, items, options.log, rows[-1]["picks_per_cpu_second"]))
    if options.peers:
        rows += peer_rows(options.peers)
    if options.json:
        write_json(options.json, {"rows": rows})


if __name__ == "__main__":
    main()
