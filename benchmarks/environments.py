"""What can be earned in each registered environment: `python benchmarks/environments.py`.

A row a policy: its incremental margin a visit, the difference to the planner in the same episodes, both with
95 % intervals over episodes, and CPU-seconds, all planning included. All play the same episodes.

- nothing: no offer, by definition 0.
- best rule: of random, popularity, what the shopper buys most and co-purchase, each at each discount level,
  the one that earns most in other episodes.
- planner: the search of `agents.planner` with the model that reacts. It looks at one visit.
- every other visit: the planner at the first, third, ... visit, nothing at the others.
- myopic optimum, optimum: all offers tried (`agents.optimum`), for this visit, or for all that are left.
- bound: no policy earns more on average (`agents.optimum`); its interval is over starts and over seeds of its
  luck. In brackets, how far the expected gain of the optimum's offers lies below it, on the same luck, which
  is not that on which they were chosen.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor

import bundlegym  # noqa: F401  (registers)
from bundlegym.agents.base import Policy
from bundlegym.agents.heuristics import offer_nothing
from bundlegym.agents.optimum import Optimum
from bundlegym.agents.planner import Planner
from bundlegym.data.files import write_json
from bundlegym.envs import BundleCore, make_core
from bundlegym.errors import guarded
from bundlegym.evaluation import baselines
from bundlegym.evaluation.rollout import GAIN, interval, play, ratio
from bundlegym.threads import one_thread
from bundlegym.user_models.planted import PlantedShopper

IDS = ("bundlegym/KnownOptimum-v0", "bundlegym/Planning-v0", "bundlegym/Bundle-v0")
_SEED = 11


def every_other_visit(policy: Policy) -> Policy:
    """The policy at the first, third, ... visit of an episode; nothing at the others."""

    def holds_back(core: BundleCore) -> Tensor:
        return torch.where(core.visit % 2 == 0, policy(core), offer_nothing(core))

    return holds_back


def best_rule(tuning: BundleCore) -> baselines.Contender:
    """The rule that earns most in the episodes of `tuning`."""
    rules = baselines.heuristics(tuning, {})[1:]
    return max(rules, key=lambda rule: baselines.gain(tuning, rule.policies[0]))


def rows(environment: str, episodes: int, draws: int, seeds: int) -> Iterator[dict[str, Any]]:
    """Of the environment of that id; see the module's docstring."""
    options = gymnasium.spec(environment).kwargs
    core = make_core(episodes, **options)
    planned: np.ndarray | None = None

    def row(name: str, policy: Policy) -> dict[str, Any]:
        nonlocal planned
        start = time.process_time()
        sums = play(core, policy, _SEED)[GAIN]
        spent = time.process_time() - start
        found = {"policy": name, **interval(*ratio(sums[None])), "cpu_seconds": spent}
        if name == "planner":
            planned = sums
        elif planned is not None:
            less = np.stack([sums[:, 0] - planned[:, 0], sums[:, 1]], 1)
            found["less_planner"] = interval(*ratio(less[None]))
        return found

    planner = Planner(core.user_model)
    by_planner = row("planner", planner)
    yield row("nothing", offer_nothing)
    rule = best_rule(make_core(episodes, **options))
    yield row(f"best rule ({rule.name})", rule.policies[0])
    yield by_planner
    yield row("every other visit", every_other_visit(planner))
    if not isinstance(core.user_model, PlantedShopper):
        return
    optimum = Optimum(core.user_model, core.market, core.config, draws=draws)
    best = row("optimum", optimum)
    yield row("myopic optimum", optimum.looking(1))
    yield best
    yield bound(core, optimum, seeds)


def bound(core: BundleCore, optimum: Optimum, seeds: int) -> dict[str, Any]:
    """The last row, for episodes that begin as those of the other rows."""
    start = time.process_time()
    core.reseed(_SEED)
    core.reset()
    above, below = [], []
    for seed in range(1, seeds + 1):
        other = Optimum(core.user_model, core.market, core.config, draws=optimum.draws, seed=seed)
        above.append(other.gain(core).double().numpy())
        below.append(other.gain(core, optimum.best).double().numpy())

    def over_visits(gains: np.ndarray) -> dict[str, float]:
        return interval(*ratio(np.stack([gains, np.full_like(gains, core.config.visits)], 2)))

    return {
        "policy": "bound",
        **over_visits(np.stack(above)),
        "gap": over_visits(np.stack(above) - np.stack(below)),
        "cpu_seconds": time.process_time() - start,
    }


def in_words(row: dict[str, Any]) -> str:
    """One line of the table."""
    less = row.get("less_planner")
    difference = "" if less is None else f"{less['mean']:+.3f} [{less['low']:+.3f}, {less['high']:+.3f}]"
    if "gap" in row:
        gap = row["gap"]
        difference = f"(optimum {gap['mean']:.4f} [{gap['low']:.4f}, {gap['high']:.4f}] below)"
    mean = f"{row['mean']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"| {row['policy']} | {mean} | {difference} | {row['cpu_seconds']:.1f} |"


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ids", nargs="+", default=IDS, help=f"environments ({' '.join(IDS)})")
    parser.add_argument("--episodes", type=int, default=512, help="that all policies play (512)")
    parser.add_argument("--draws", type=int, default=2048, help="of luck, on which offers are tried (2048)")
    parser.add_argument("--seeds", type=int, default=6, help="of the bound's luck (6)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    found = {}
    for environment in options.ids:
        print(f"\n{environment}, {options.episodes} episodes\n", flush=True)
        print("| policy | incremental margin a visit | less the planner | CPU-s |\n|---|---|---|---|")
        found[environment] = []
        for row in rows(environment, options.episodes, options.draws, options.seeds):
            print(in_words(row), flush=True)
            found[environment].append(row)
    if options.json is not None:
        write_json(options.json, found)


if __name__ == "__main__":
    guarded(main)
