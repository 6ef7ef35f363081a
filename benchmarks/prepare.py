"""Time and memory from a log to fitted shoppers: `python benchmarks/prepare.py [--json FILE]`.

Each step runs in a process of its own, so that its peak memory is its own: the first preparation of The
Complete Journey, the second start from the cache, and the fit of the default user model. Imports are counted
apart.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def step(name: str, cache: Path) -> dict[str, float | str]:
    """Run one step in this process and say what it took."""
    start = time.perf_counter()
    from bundlegym.data import DataConfig, prepare
    from bundlegym.user_models import ChoiceShopper

    imports = time.perf_counter() - start
    start, cpu = time.perf_counter(), time.process_time()
    dataset = prepare(DataConfig(cache_dir=cache))
    if name == "fit":
        start, cpu = time.perf_counter(), time.process_time()
        ChoiceShopper.fit(dataset)
    return {
        "name": name,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "import_seconds": imports,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    """Run every step and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(step(options.step, options.cache)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for name in ("first preparation", "second start", "fit"):
            command = [sys.executable, __file__, "--step", name, "--cache", cache]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print("{name:18} {seconds:7.2f} s  {cpu_seconds:7.2f} CPU-s  "
                  "{peak_gb:5.2f} GB peak  (imports {import_seconds:.2f} s)".format(**rows[-1]))  # fmt: skip
    if options.json:
        from bundlegym.data.files import write_json  # not above: the steps time their imports

        write_json(options.json, {"rows": rows})


if __name__ == "__main__":
    main()
