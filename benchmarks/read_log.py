"""Time and memory of reading and preparing a made-up log as text: `python benchmarks/read_log.py [--rows N]`.

Each step runs in a process of its own, so that its peak memory is its own. Beside it stands what pandas takes
to read the same file and to parse its dates, without any cleaning.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def write(path: Path, rows: int) -> None:
    """Lines of a shop with 5,000 items over two years; about 3 lines a basket."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pacsv

    rng = np.random.default_rng(0)
    schema = None
    with path.open("wb") as file:
        for start in range(0, rows, 1_000_000):
            n = min(1_000_000, rows - start)
            basket = np.sort(rng.integers(start // 3, (start + n) // 3, n))
            shopper = (basket * 2_654_435_761) % max(rows // 100, 20)
            day = (basket * 730 // max(rows // 3, 1)).astype("timedelta64[D]")
            minute = ((basket * 40_503) % 780 + 480).astype("timedelta64[m]")
            item = (rng.pareto(1.0, n) * 40).astype(np.int64) % 5_000
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
            if schema is None:
                schema = table.schema
                writer = pacsv.CSVWriter(file, schema)
            writer.write_table(table)
        writer.close()


def step(name: str, path: Path, cache: str) -> str:
    """Run one step in this process and say what it took."""
    from bundlegym.data import DataConfig, load_log, prepare

    pairs = {
        "shopper": "customer", "item": "sku", "basket": "order", "time": "ordered_at", "quantity": "qty"
    }  # fmt: skip
    start, cpu = time.perf_counter(), time.process_time()
    if name == "pandas":
        import pandas as pd

        frame = pd.read_csv(path, dtype={"customer": "str", "order": "str", "sku": "str"})
        frame["ordered_at"] = pd.to_datetime(frame["ordered_at"], format="%Y-%m-%dT%H:%M:%S")
    elif name == "load":
        load_log(path, pairs)
    else:
        mapping = tuple(f"{ours}={theirs}" for ours, theirs in pairs.items())
        prepare(DataConfig(log=str(path), map=mapping, cache_dir=Path(cache)), progress=False)
    took, used = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"{name:8} {took:7.1f} s  {used:7.1f} CPU-s  {peak:5.2f} GB peak"


def main() -> None:
    """Write the log, run every step, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="lines of the log (%(default)s)")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(step(options.step, options.path, options.cache))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sales.csv"
        write(path, options.rows)
        print(f"{options.rows:,} lines, {path.stat().st_size / 2**20:,.0f} MB")
        for name in ("pandas", "load", "prepare"):
            command = [sys.executable, __file__, "--step", name, "--path", str(path), "--cache", folder]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
