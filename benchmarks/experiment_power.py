"""Whether a planned experiment keeps its promise: `python benchmarks/experiment_power.py [--log LOG ...]`.

Experiments are drawn from a log's own last weeks: households with replacement, as many as are eligible; half
of them at random get the planned gain added to their margin a week. A row a length and kind of test: the
share of experiments that find the gain, which should be the planned power, and the share that find one where
none was added (A/A), which should be 5 %. `planned from` says where the variance of the plan is from: the
same weeks, which checks the formulas; or all windows of the log before them, which checks how well the past
foretells.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.data import DataConfig
from bundlegym.data.files import write_json
from bundlegym.errors import guarded
from bundlegym.evaluation.field_test.command import whole_log
from bundlegym.evaluation.field_test.design import Design, Window, smallest, spread_of, windows
from bundlegym.evaluation.field_test.difference import difference, random_arms
from bundlegym.evaluation.field_test.outcomes import Visits

_BATCH = 250


def found(one: Window, gain: float, times: int, *, adjusted: bool, seed: int) -> float:
    """The share of `times` experiments that find a difference at level .05."""
    rng, n, hits = np.random.default_rng(seed), len(one.margin), 0
    for first in range(0, times, _BATCH):
        some = min(_BATCH, times - first)
        who, arms = rng.integers(0, n, (some, n)), random_arms(rng, n, n // 2, some)
        y = one.margin[who] + gain * arms
        hits += int((difference(y, arms, one.before[who] if adjusted else None).p_value() < 0.05).sum())
    return hits / times


def rows(log: str, weeks: list[int], times: int) -> list[dict[str, Any]]:
    """See the module's docstring."""
    visits, test, made = Visits.of(whole_log(DataConfig(log=log))), Design(), []
    for length in weeks:
        last, *past = windows(visits, length, 12)
        for planned_from, used in (("the same weeks", [last]), ("weeks before", past)):
            if not used:
                continue
            plan = spread_of(used, length, 12)
            for adjusted in (False, True):
                gain = smallest(plan, test, plan.sd_adjusted if adjusted else plan.sd)
                row = {
                    "log": log,
                    "weeks": length,
                    "households": len(last.margin),
                    "planned_from": planned_from,
                    "test": "adjusted" if adjusted else "plain",
                    "gain": gain,
                    "power": found(last, gain, times, adjusted=adjusted, seed=length),
                    "a_a": found(last, 0.0, times, adjusted=adjusted, seed=1000 + length),
                }
                made.append(row)
                print(
                    f"{log:<18}{length:>3} weeks {row['households']:>6,} households, planned from "
                    f"{planned_from:<15} {row['test']:<9} gain {gain:7.3f}: power {row['power']:.3f} "
                    f"(planned {test.power:.3f}), A/A {row['a_a']:.3f}",
                    flush=True,
                )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--log", nargs="+", default=["synthetic-year", "complete-journey"])
    parser.add_argument("--weeks", nargs="+", type=int, default=[2, 4, 8])
    parser.add_argument("--times", type=int, default=5000, help="experiments a row (5000)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    made = [row for log in options.log for row in rows(log, options.weeks, options.times)]
    if options.json is not None:
        write_json(options.json, {"times": options.times, "rows": made})


if __name__ == "__main__":
    guarded(main)
