"""What can be earned in each registered environment: `python benchmarks/environments.py`.

A row a policy: its incremental margin a visit, the difference to the planner in the same episodes, both with
95 % intervals over episodes and seeds, and the seconds that it took, all planning and learning included: by
the CPU's clock and by that on the wall. All play the same episodes.

- nothing: no offer, by definition 0.
- best rule: of random, popularity, what the shopper buys most and co-purchase, each at each discount level,
  the one that earns most in other episodes.
- planner: the search of `agents.planner` with the model that reacts. It looks at one visit.
- every other visit: the planner at the first, third, ... visit, nothing at the others.
- myopic optimum, optimum: all offers tried (`agents.optimum`), for this visit, or for all that are left.
- bound: no policy earns more on average (`agents.optimum`); its interval is over starts and over seeds of its
  luck. In brackets, how far the expected gain of the optimum's offers lies below it, on the same luck, which
  is not that on which they were chosen.
- ppo: agents that learned in the same environment, on other luck, a seed each. In brackets, what a policy
  earns as a share of what the optimum earns in the same episodes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.logger import Logger
from torch import Tensor
from tqdm import tqdm

import bundlegym  # noqa: F401  (registers)
from bundlegym.agents.base import Policy
from bundlegym.agents.heuristics import offer_nothing
from bundlegym.agents.imitation import Demonstrations, demonstrate, imitate, replay
from bundlegym.agents.optimum import Optimum
from bundlegym.agents.planner import Planner
from bundlegym.agents.ppo import PPOConfig, make_ppo
from bundlegym.data.files import write_json
from bundlegym.envs import BundleCore, BundleVecEnv, make_core
from bundlegym.envs.base import GAIN
from bundlegym.errors import guarded
from bundlegym.evaluation import baselines
from bundlegym.evaluation.rollout import interval, play, ratio
from bundlegym.evaluation.training import learned
from bundlegym.threads import one_thread
from bundlegym.user_models.planted import PlantedShopper

IDS = ("bundlegym/KnownOptimum-v0", "bundlegym/Planning-v0", "bundlegym/Bundle-v0")
#: PPO's hyper-parameters by environment. Where a visit stands alone it begins as the planner, as in a run;
#: there later steps tell little of an action, so that `gae_lambda` is smaller. Where it pays to plan ahead it
#: begins at random, and explores more: the planner offers at each visit, and who begins so keeps to it.
LEARNERS = {
    "bundlegym/KnownOptimum-v0": PPOConfig(
        steps=200_000, learning_rate=1e-3, final_learning_rate=1e-4, ent_coef=0.01, gae_lambda=0.5
    ),
    "bundlegym/Planning-v0": PPOConfig(
        steps=300_000, learning_rate=1e-3, final_learning_rate=1e-4, ent_coef=0.02, imitate=0
    ),
}
#: As train.py has it.
_SHOPPERS, _REWARD_DRAWS, _GAMMA = 256, 16, 0.95
#: Far from the seeds of agents.
_SHOWN_SEED = 4_000_037
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


class Learner:
    """PPO that learns in an environment: `learner(seed)` is the policy.

    Args:
        options: of `make_core`.
    """

    def __init__(self, options: dict[str, Any], config: PPOConfig) -> None:
        self.options, self.config = options, config

    def core(self, n: int, seed: int) -> BundleCore:
        """A simulator of n shoppers to learn from."""
        core = make_core(n, **self.options, reward_draws=_REWARD_DRAWS)
        core.reseed(seed)
        return core

    @cached_property
    def shown(self) -> tuple[Demonstrations, int]:
        """What the planner does, and in how many episodes."""
        visits = self.core(1, 0).config.visits
        core = self.core(-(-self.config.imitate // visits), _SHOWN_SEED)
        return demonstrate(core, Planner(core.user_model), partial(tqdm, desc="planner")), core.n

    def __call__(self, seed: int) -> Policy:
        model = make_ppo(BundleVecEnv(self.core(_SHOPPERS, seed)), self.config, gamma=_GAMMA, seed=seed)
        model.set_logger(Logger(None, []))
        if self.config.imitate:
            shown, n = self.shown
            imitate(model, replay(self.core(n, _SHOWN_SEED), shown, _GAMMA, seed), seed=seed)
        return learned(model.learn(self.config.steps))


class Table:
    """The rows of an environment.

    Args:
        options: of `make_core`.
    """

    def __init__(self, options: dict[str, Any], episodes: int) -> None:
        self.options, self.core = options, make_core(episodes, **options)
        #: (S, N, 2) gains by the policy's name, from `play`; S seeds.
        self.plays: dict[str, np.ndarray] = {}

    def row(self, name: str, policy: Callable[[int], Policy], seeds: int = 1) -> dict[str, Any]:
        """What the policies `policy(seed)` earn; the planner's row must be the first.

        A policy that learns does so in `policy`, so that the row's seconds hold it.
        """
        cpu, wall = time.process_time(), time.perf_counter()
        plays = np.stack([play(self.core, policy(seed), _SEED)[GAIN] for seed in range(seeds)])
        spent = {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.perf_counter() - wall}
        self.plays[name] = plays
        found = {"policy": name, "seeds": seeds, **interval(*ratio(plays)), **spent}
        found["by_seed"] = ratio(plays)[0].tolist()
        if name != "planner":
            less = np.stack([plays[..., 0] - self.plays["planner"][..., 0], plays[..., 1]], 2)
            found["less_planner"] = interval(*ratio(less))
        if name != "optimum" and "optimum" in self.plays:
            best = np.broadcast_to(self.plays["optimum"][..., 0], plays.shape[:2])
            found["of_optimum"] = interval(*ratio(np.stack([plays[..., 0], best], 2)))
        return found


def rows(environment: str, episodes: int, draws: int, seeds: int, agents: int) -> Iterator[dict[str, Any]]:
    """Of the environment of that id; see the module's docstring."""
    table = Table(gymnasium.spec(environment).kwargs, episodes)
    core = table.core
    planner = Planner(core.user_model)
    by_planner = table.row("planner", lambda _: planner)
    yield table.row("nothing", lambda _: offer_nothing)
    rule = best_rule(make_core(episodes, **table.options))
    yield table.row(f"best rule ({rule.name})", lambda _: rule.policies[0])
    yield by_planner
    yield table.row("every other visit", lambda _: every_other_visit(planner))
    if not isinstance(core.user_model, PlantedShopper):
        return
    optimum = Optimum(core.user_model, core.market, core.config, draws=draws)
    best = table.row("optimum", lambda _: optimum)
    yield table.row("myopic optimum", lambda _: optimum.looking(1))
    yield best
    yield bound(core, optimum, seeds)
    if agents:
        yield table.row("ppo", Learner(table.options, LEARNERS[environment]), agents)


def bound(core: BundleCore, optimum: Optimum, seeds: int) -> dict[str, Any]:
    """The last row, for episodes that begin as those of the other rows."""
    cpu, wall = time.process_time(), time.perf_counter()
    core.reseed(_SEED)
    core.reset()
    above, below = [], []
    for seed in range(1, seeds + 1):
        other = Optimum(core.user_model, core.market, core.config, draws=optimum.draws, seed=seed)  # type: ignore[arg-type]
        above.append(other.gain(core).double().numpy())
        below.append(other.gain(core, optimum.best).double().numpy())

    def over_visits(gains: np.ndarray) -> dict[str, float]:
        return interval(*ratio(np.stack([gains, np.full_like(gains, core.config.visits)], 2)))

    return {
        "policy": "bound",
        **over_visits(np.stack(above)),
        "gap": over_visits(np.stack(above) - np.stack(below)),
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
    }


def in_words(row: dict[str, Any]) -> str:
    """One line of the table."""
    less = row.get("less_planner")
    difference = "" if less is None else f"{less['mean']:+.3f} [{less['low']:+.3f}, {less['high']:+.3f}]"
    if "gap" in row:
        gap = row["gap"]
        difference = f"(optimum {gap['mean']:.4f} [{gap['low']:.4f}, {gap['high']:.4f}] below)"
    name = row["policy"] + (f", {row['seeds']} seeds" if row.get("seeds", 1) > 1 else "")
    if "of_optimum" in row:
        share = row["of_optimum"]
        difference += f" ({share['mean']:.1%} [{share['low']:.1%}, {share['high']:.1%}] of the optimum)"
    mean = f"{row['mean']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"| {name} | {mean} | {difference} | {row['cpu_seconds']:.1f} | {row['wall_seconds']:.1f} |"


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ids", nargs="+", default=IDS, help=f"environments ({' '.join(IDS)})")
    parser.add_argument("--episodes", type=int, default=512, help="that all policies play (512)")
    parser.add_argument("--draws", type=int, default=2048, help="of luck, on which offers are tried (2048)")
    parser.add_argument("--seeds", type=int, default=6, help="of the bound's luck (6)")
    parser.add_argument("--agents", type=int, default=3, help="that learn, a seed each (3)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    found: dict[str, list[dict]] = {}
    for environment in options.ids:
        print(f"\n{environment}, {options.episodes} episodes\n", flush=True)
        print("| policy | incremental margin a visit | less the planner | CPU-s | wall-s |")
        print("|---|---|---|---|---|", flush=True)
        found[environment] = []
        how = options.episodes, options.draws, options.seeds, options.agents
        for row in rows(environment, *how):
            print(in_words(row), flush=True)
            found[environment].append(row)
    if options.json is not None:
        write_json(options.json, found)


if __name__ == "__main__":
    guarded(main)
