"""Give strange values to every field of every configuration: is each taken, or refused in one sentence?

Not-a-number, infinities, negative and huge numbers, wrong types, zero bytes and names too long go into each
field alone, and `--times` times into up to five fields drawn at random. Whatever ends in another error than a
`UserError` of one line, or leaves a number that is not finite, is printed; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.agents.a2c import A2CConfig
from bundlegym.agents.dqn import DQNConfig
from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.ppo_fast import PPOFastConfig
from bundlegym.agents.tabular import QLearningConfig, SarsaConfig
from bundlegym.data import DataConfig
from bundlegym.data.inspect_cli import InspectConfig
from bundlegym.deployment.export_cli import ExportConfig
from bundlegym.deployment.recommend_cli import RecommendConfig
from bundlegym.deployment.serve_cli import ServeConfig
from bundlegym.envs import EnvConfig
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.fidelity.command import FidelityConfig
from bundlegym.evaluation.field_test.command import LearnConfig, PlanConfig, ReadConfig
from bundlegym.user_models.choice.config import ChoiceConfig

Case = dict[str, Any]

#: Name -> what makes a configuration of its defaults, with some values changed.
CONFIGURATIONS: dict[str, Callable[..., Any]] = {
    "train": TrainConfig,
    "environment": EnvConfig,
    "log": DataConfig,
    "inspect": InspectConfig,
    "fidelity": FidelityConfig,
    "plan": lambda **values: PlanConfig(**{"run": Path("run"), **values}),
    "read": lambda **values: ReadConfig(
        **{"arms": Path("arms.csv"), "start": "2024-05-13", "weeks": 8, **values}
    ),
    "learn": lambda **values: LearnConfig(**{"offers": Path("offers.csv"), "run": Path("run"), **values}),
    "recommend": lambda **values: RecommendConfig(**{"run": Path("run"), **values}),
    "export": lambda **values: ExportConfig(**{"run": Path("run"), "folder": Path("policy"), **values}),
    "serve": lambda **values: ServeConfig(**{"folder": Path("policy"), **values}),
    "choice": ChoiceConfig,
    "ppo": PPOConfig,
    "dqn": DQNConfig,
    "a2c": A2CConfig,
    "q-learning": QLearningConfig,
    "sarsa": SarsaConfig,
    "ppo-fast": PPOFastConfig,
}

NUMBERS = (
    math.nan, math.inf, -math.inf, -1, 0, 1, 2, -0.5, 0.5, 1.5, 1e-320, 1e308, -1e308, 2**31, 2**32, 2**63,
    -(2**63), 10**30, 10**400, -(10**400), True, np.int64(3), np.float64("nan"), np.float32(0.5), 1j,
)  # fmt: skip
TEXTS = (
    "",
    " ",
    ".",
    "..",
    "../..",
    "/",
    "a\0b",
    "x" * 300,
    "x/" * 3000,
    "é" * 200,
    "\ud800",
    "nan",
    "-1",
    "a:b",
    "=",
)
OTHERS = (None, (), [], {}, set(), object(), b"bytes", np.zeros(3), range(3), int, print)


def values() -> list[Any]:
    """All values, alone, in a tuple, in a list, and texts as paths."""
    alone = [*NUMBERS, *TEXTS, *OTHERS, *map(Path, TEXTS)]
    return [*alone, *((value,) for value in alone), *([value, value] for value in alone)]


def field_cases(kind: type, some: Iterable[Any]) -> Iterator[Case]:
    """Each value in each field."""
    for value in some:
        for field in dataclasses.fields(kind):
            yield {field.name: value}


def random_cases(kind: type, times: int, seed: int) -> Iterator[Case]:
    """Up to five fields at once, with values drawn at random."""
    rng, fields, some = np.random.default_rng(seed), dataclasses.fields(kind), values()
    for _ in range(times):
        chosen = rng.choice(len(fields), size=min(len(fields), int(rng.integers(1, 6))), replace=False)
        yield {fields[i].name: some[rng.integers(len(some))] for i in chosen}


def fuzz(make: Callable[..., Any], cases: Iterable[Case]) -> tuple[int, list[str]]:
    """How many cases were tried, and those that ended neither in a configuration of finite numbers nor in a
    `UserError` of one line."""
    tried, faults = 0, []
    for case in cases:
        tried += 1
        try:
            config = make(**case)
        except UserError as error:
            if len(str(error).splitlines()) != 1:
                faults.append(f"{_told(case)}: {error!r} is not one line")
        except Exception as error:
            faults.append(f"{_told(case)}: {type(error).__name__}: {error}")
        else:
            if not _finite(dataclasses.asdict(config)):
                faults.append(f"{_told(case)}: taken, though a number is not finite")
    return tried, faults


def _told(case: Case) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in case.items())


def _short(value: Any) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # Python writes out no number of thousands of digits
        return "a huge number"


def _finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return not isinstance(value, float | complex | np.number) or bool(np.isfinite(value))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2000, help="random cases of each configuration (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the random cases (0)")
    options = parser.parse_args()
    wrong = 0
    for name, make in CONFIGURATIONS.items():
        kind = type(make())
        found = [fuzz(make, cases) for cases in (
            field_cases(kind, values()), random_cases(kind, options.times, options.seed)
        )]  # fmt: skip
        faults = [fault for _, faults in found for fault in faults]
        wrong += len(faults)
        print(f"{name:12} {sum(tried for tried, _ in found):7,} cases, {len(faults)} faults", flush=True)
        for fault in faults[:10]:
            print(f"    {fault}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
