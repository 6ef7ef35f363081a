"""Time and memory from a large log to offers: `python benchmarks/scale.py --rows 100000 1000000 --json FILE`.

A made-up log (--days, by default of two years) is written in chunks, as text with a table of its items. Then
each stage runs in a process of its own, so that its peak memory is its own; `held` is what the process holds
when the stage begins (imports, and the prepared log), and `largest` names the greatest arrays that the stage
leaves.

    pandas    reads the file and parses its dates, nothing else: to compare with
    load      `load_log`
    prepare   `prepare`: reading, cleaning, numbering, saving
    market    `build_market` of all shoppers
    core      a simulator of 256 shoppers, reset, on a market of all shoppers (who buy by the stub below)
    fit       `ChoiceShopper` of all shoppers, fitted on a sample of them (--fit-shoppers), as `train` fits
    ppo       steps of PPO on all shoppers and that model (--steps), with rewards averaged as `train` does
    picks     the same steps with picks drawn by chance, and no learning: picks a second
    shortlist what `bundlegym recommend` reads off the purchases of all shoppers before it makes offers
    agent     what `train` does after the fit, for agents that hardly learn anything, under two assumptions
    offers    `bundlegym recommend`: offers to all shoppers by such an agent, with expected gains under both

Each reads what those before it have kept: `ppo`, `picks` and `agent` need `fit`, and `offers` needs `agent`.

With two sizes or more a line follows for each stage: the exponent b of cost ~ rows ** b by least squares of
logarithms, 1 where cost grows in proportion.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES = (
    "pandas", "load", "prepare", "market", "core", "fit", "ppo", "picks", "shortlist", "agent", "offers"
)  # fmt: skip
#: Our names -> those of the file.
COLUMNS = {
    "shopper": "customer", "item": "sku", "basket": "order", "time": "ordered_at", "quantity": "qty"
}  # fmt: skip
#: Items that a shopper buys again and again; share of the lines that are of these.
FAVOURITES, FAVOURED = 40, 0.7
CHUNK = 1_000_000
#: Subcategories, at most: there is one for 20 items, as many in each of a hundred categories.
SUBCATEGORIES = 2_000


def write(folder: Path, rows: int, shoppers: int, items: int, days: int = 730, seed: int = 0) -> None:
    """`sales.csv`, about 3 lines a basket and baskets in order of time, and `items.csv`."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pacsv

    rng = np.random.default_rng(seed)
    code, groups = np.arange(items), min(max(1, items // 2_000) * 100, SUBCATEGORIES)
    pacsv.write_csv(
        pa.table(
            {
                "sku": code,
                "department": [f"department {c // 10}" for c in code % 100],
                "category": [f"category {c}" for c in code % 100],
                "subcategory": [f"subcategory {c}" for c in code % groups],
            }
        ),
        folder / "items.csv",
    )
    writer = None
    with (folder / "sales.csv").open("wb") as file:
        for start in range(0, rows, CHUNK):
            n = min(CHUNK, rows - start)
            basket = np.sort(rng.integers(start // 3, (start + n) // 3, n))
            shopper = (basket * 2_654_435_761) % shoppers
            day = (basket * days // max(rows // 3, 1)).astype("timedelta64[D]")
            minute = ((basket * 40_503) % 780 + 480).astype("timedelta64[m]")
            favourite = shopper * FAVOURITES + rng.integers(0, FAVOURITES, n)
            own = ((favourite * 2_246_822_519) % 4_294_967_291 / 4_294_967_291) ** 2
            other = rng.random(n) ** 2
            item = (np.where(rng.random(n) < FAVOURED, own, other) * items).astype(np.int64)
            price = np.round(1 + (item * 7 % 900) / 50 * np.where(rng.random(n) < 0.1, 0.8, 1.0), 2)
            table = pa.table(
                {
                    "customer": shopper,
                    "order": basket,
                    "sku": item,
                    "ordered_at": (np.datetime64("2022-01-03T00:00:00", "s") + day + minute).astype(str),
                    "qty": rng.integers(1, 4, n),
                    "price": price,
                }
            )
            writer = writer or pacsv.CSVWriter(file, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def config_of(folder: Path) -> Any:
    """How the written log is prepared: every item that is sold enters the catalogue."""
    from bundlegym.data import DataConfig

    return DataConfig(
        log=str(folder / "sales.csv"),
        map=tuple(f"{ours}={theirs}" for ours, theirs in COLUMNS.items()),
        items_file=folder / "items.csv",
        min_purchases=1,
        cache_dir=folder / "cache",
    )


def work_of(stage: str, folder: Path, fit_shoppers: int, steps: int) -> Callable[[], Any]:
    """What a stage does, all that it needs read before; it gives what it leaves in memory."""
    from bundlegym.data import load_log, prepare

    path = folder / "sales.csv"
    if stage == "pandas":
        return lambda: _pandas(path)
    if stage == "load":
        return lambda: load_log(path, COLUMNS, items_path=folder / "items.csv")
    config = config_of(folder)
    if stage == "prepare":
        return lambda: prepare(config, progress=False)
    if stage in ("agent", "offers"):
        run = _run(folder, config, fit_shoppers)
        return (lambda: _agent(run)) if stage == "agent" else _offers(run)
    dataset = prepare(config, progress=False)
    from bundlegym.envs import build_market
    from bundlegym.user_models import ChoiceShopper

    if stage == "market":
        return lambda: build_market(dataset)
    if stage == "core":
        market = build_market(dataset)
        return lambda: _core(dataset, market, NoBuyers())
    if stage == "fit":
        from bundlegym.evaluation.population import sample  # not above: memory counts imports

        run = _run(folder, config, fit_shoppers)
        options = {"epochs": run.fit_epochs, "shoppers": sample(~dataset.split.held_out, run)}
        return lambda: _fitted(ChoiceShopper.fit(dataset, progress=_tell, **options), folder / run.name)
    if stage in ("ppo", "picks"):
        run = _run(folder, config, fit_shoppers)
        model, market = ChoiceShopper.load(folder / run.name), build_market(dataset)
        if stage == "picks":
            return _picks(_core(dataset, market, model), steps)
        core = _core(dataset, market, model, reward_draws=run.env.reward_draws)
        del dataset
        return lambda: _ppo(core, steps)
    market = build_market(dataset)
    return lambda: _shortlists(dataset, market)


def _pandas(path: Path) -> Any:
    import pandas as pd

    frame = pd.read_csv(path, dtype=dict.fromkeys(("customer", "order", "sku"), "str"))
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"], format="%Y-%m-%dT%H:%M:%S")
    return frame


def _tell(text: str) -> None:
    """What a fit is at, with the CPU seconds and the memory at the peak until then."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"    {time.process_time():8.1f} CPU-s {peak:6.2f} GB  {text}", file=sys.stderr, flush=True)


def _run(folder: Path, config: Any, fit_shoppers: int) -> Any:
    """A run whose agent has hardly learned anything."""
    from bundlegym.agents.ppo import PPOConfig
    from bundlegym.agents.registry import AgentConfigs
    from bundlegym.evaluation.config import TrainConfig

    return TrainConfig(
        agents=("ppo",), steps=1, judges=(), hyper=AgentConfigs(ppo=PPOConfig(imitate=0)),
        workers=1, runs=folder, name="run", data=config, fit_shoppers=fit_shoppers,
    )  # fmt: skip


def _fitted(model: Any, folder: Path) -> Any:
    folder.mkdir(exist_ok=True)
    model.save(folder)
    return {name: tensor.numpy() for name, tensor in model.params.leaves()}


class NoBuyers:
    """Nobody buys anything: a user model that costs nothing beside a simulator."""

    def __init__(self) -> None:
        import torch

        self.device = torch.device("cpu")

    def reset(self, shopper: Any, day: Any) -> Any:
        return {"shopper": shopper, "day": day}


def _core(dataset: Any, market: Any, model: Any, **options: Any) -> Any:
    import numpy as np

    from bundlegym.envs import BundleCore, EnvConfig

    core = BundleCore(
        market, model, EnvConfig(**options), n=256, weeks=dataset.split.train_weeks,
        shoppers=np.flatnonzero(~dataset.split.held_out),
    )  # fmt: skip
    core.reset()
    return core


def _ppo(core: Any, steps: int) -> None:
    from bundlegym.agents.ppo import make_ppo
    from bundlegym.envs import BundleVecEnv

    make_ppo(BundleVecEnv(core), seed=0).learn(steps)


def _picks(core: Any, steps: int) -> Callable[[], int]:
    """Picks drawn by chance at so many steps, compiled before; it says how many they were."""
    from env_speed import schedule

    from bundlegym.envs import BundleVectorEnv

    env = BundleVectorEnv(core=core)
    actions = schedule(core.n, max(steps // core.n, 1), core.k, core.levels)

    def play() -> int:
        env.reset(seed=0)
        for action in actions:
            env.step(action)
        return int((actions < core.k).sum())

    play()
    return play


def _agent(run: Any) -> None:
    from bundlegym.evaluation.experiment import Experiment

    experiment = Experiment(run)
    for job in experiment.jobs:
        experiment.train(job)


def _offers(run: Any) -> Callable[[], Any]:
    from bundlegym.deployment.policy import BundlePolicy
    from bundlegym.deployment.recommend import make_offers

    policy = BundlePolicy.load(run.folder, exposure=1.0, cache_dir=run.data.cache_dir)
    return lambda: make_offers(policy)


def _shortlists(dataset: Any, market: Any) -> None:
    import numpy as np

    from bundlegym.deployment.ledger import Ledger

    ledger = Ledger.of(dataset, market.rule, market.names)
    asked, day, none = ledger.ask(), ledger.day(None), np.zeros(dataset.n_items, dtype=bool)
    for rows in np.array_split(np.arange(dataset.n_shoppers), -(-dataset.n_shoppers // 4096)):
        ledger.standing(asked.of(rows), day, none)


def largest(left: Any) -> dict[str, float]:
    """Megabytes of the three greatest arrays and columns in `left`, by name."""
    import numpy as np
    import pandas as pd
    import torch

    sizes: dict[str, int] = {}
    for name, value in (left if isinstance(left, dict) else getattr(left, "__dict__", {})).items():
        if isinstance(value, pd.DataFrame):
            used = value.memory_usage(deep=True, index=False)
            sizes |= {f"{name}.{column}": int(size) for column, size in used.items()}
        elif isinstance(value, np.ndarray):
            sizes[name] = value.nbytes
        elif isinstance(value, torch.Tensor):
            sizes[name] = value.nbytes
        elif hasattr(value, "nbytes"):
            sizes[name] = int(value.nbytes)
    most = sorted(sizes, key=sizes.__getitem__, reverse=True)[:3]
    return {name: round(sizes[name] / 2**20, 1) for name in most}


def measured(stage: str, folder: Path, fit_shoppers: int, steps: int) -> dict[str, Any]:
    """Run one stage in this process and say what it took."""
    import torch

    torch.set_num_threads(1)
    work = work_of(stage, folder, fit_shoppers, steps)
    held = _held()
    start, cpu = time.perf_counter(), time.process_time()
    left = work()
    row = {
        "stage": stage,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "held_gb": held,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "largest_mb": largest(left),
    }
    return row | ({"picks_a_cpu_second": left / row["cpu_seconds"]} if isinstance(left, int) else {})


def _held() -> float:
    """Gigabytes that this process holds now, and where the system does not say, its most until now."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return pages * resource.getpagesize() / 2**30


def run_stages(options: argparse.Namespace, rows: int, items: int) -> list[dict[str, Any]]:
    """All stages of one log, each in its process; one that fails or takes too long has a row that says so."""
    found = []
    shoppers = max(rows // options.lines_a_shopper, 20)
    with tempfile.TemporaryDirectory(dir=options.folder_of_logs) as name:
        folder = Path(name)
        write(folder, rows, shoppers, items, options.days)
        size = (folder / "sales.csv").stat().st_size / 2**20
        print(f"{rows:,} lines, {shoppers:,} shoppers, {items:,} items, {size:,.0f} MB", flush=True)
        for stage in options.stages:
            command = [sys.executable, __file__, "--stage", stage, "--folder", name]
            command += ["--fit-shoppers", str(options.fit_shoppers), "--steps", str(options.steps)]
            command += ["--patience", str(options.patience)]
            row: dict[str, Any] = {"rows": rows, "shoppers": shoppers, "items": items}
            row |= {"fit_shoppers": min(options.fit_shoppers, shoppers), "steps": options.steps}
            row |= _outcome(command, stage, options)
            found.append(row)
            show(row)
    return found


def _outcome(command: list[str], stage: str, options: argparse.Namespace) -> dict[str, Any]:
    try:
        told = None if options.tell else subprocess.PIPE
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=told, text=True, check=True)
    except subprocess.CalledProcessError as error:
        if error.returncode == -signal.SIGXCPU:
            return {"stage": stage, "error": f"not done in {options.patience} CPU-s"}
        lines = (error.stderr or "").strip().splitlines()
        return {"stage": stage, "error": lines[-1] if lines else f"ended with {error.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    if "error" in row:
        print(f"  {row['stage']:9} {row['error']}", flush=True)
        return
    took = f"{row['seconds']:8.1f} s {row['cpu_seconds']:8.1f} CPU-s"
    memory = f"{row['held_gb']:6.2f} GB held {row['peak_gb']:6.2f} GB peak"
    greatest = ", ".join(f"{name} {size:,.0f} MB" for name, size in row["largest_mb"].items())
    if "picks_a_cpu_second" in row:
        greatest = f"{row['picks_a_cpu_second']:,.0f} picks a CPU-second"
    print(f"  {row['stage']:9} {took} {memory}  {greatest}", flush=True)


def exponents(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """For each stage that ran at two sizes or more: how CPU seconds and memory beyond what was held grow."""
    import numpy as np

    found = {}
    for stage in STAGES:
        done = [row for row in rows if row["stage"] == stage and "error" not in row]
        if len({row["rows"] for row in done}) < 2:
            continue
        size = np.log([row["rows"] for row in done])
        costs = {
            "cpu_seconds": [row["cpu_seconds"] for row in done],
            "gb": [max(row["peak_gb"] - row["held_gb"], 1e-3) for row in done],
        }
        found[stage] = {name: float(np.polyfit(size, np.log(cost), 1)[0]) for name, cost in costs.items()}
        told = ", ".join(f"{name} ~ rows ** {b:.2f}" for name, b in found[stage].items())
        print(f"{stage:9} {told}", flush=True)
    return found


def main() -> None:
    """Write the logs, run every stage, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="lines of the logs")
    parser.add_argument("--items", type=int, nargs="+", default=[6_000], help="items in the catalogue")
    parser.add_argument("--lines-a-shopper", type=int, default=100)
    parser.add_argument("--days", type=int, default=730, help="that the log spans")
    parser.add_argument("--fit-shoppers", type=int, default=300)
    parser.add_argument("--steps", type=int, default=16_384, help="of PPO")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--patience", type=int, default=600, help="CPU seconds that a stage may take")
    parser.add_argument("--tell", action="store_true", help="what a fit is at")
    parser.add_argument("--folder-of-logs", type=Path, help="where the logs are written, by default /tmp")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        resource.setrlimit(resource.RLIMIT_CPU, (options.patience, options.patience))
        print(json.dumps(measured(options.stage, options.folder, options.fit_shoppers, options.steps)))
        return
    sizes = [(rows, items) for items in options.items for rows in options.rows]
    rows = [row for size in sizes for row in run_stages(options, *size)]
    grown = exponents(rows)
    if options.json:
        from bundlegym.data.files import write_json  # not above: the stages' memory counts imports

        write_json(options.json, {"rows": rows, "exponents": grown})


if __name__ == "__main__":
    main()
