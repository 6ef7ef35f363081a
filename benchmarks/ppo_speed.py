"""MaskablePPO end to end against its learner alone: `python benchmarks/ppo_speed.py [--json FILE]`.

The learner alone is the same call of `learn` on environments that answer at once with what they answered
before: the network's forward passes, the roll-out buffer and the updates, without a simulator. Rates are
environment steps per CPU-second, on the default log, user model, policy and number of environments.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from bundlegym.agents.ppo import make_ppo
from bundlegym.data import DataConfig, prepare
from bundlegym.data.files import write_json
from bundlegym.envs import BundleCore, BundleVecEnv, EnvConfig, build_market
from bundlegym.user_models import ChoiceShopper


class Tape(VecEnvWrapper):
    """Records `length` answers of an environment and then plays them again and again."""

    def __init__(self, venv: VecEnv, length: int = 64) -> None:
        super().__init__(venv)
        self.first = venv.reset()
        self.masks, self.answers = [np.array(venv.env_method("action_masks"))], []
        for _ in range(length):
            action = np.where(self.masks[-1], np.random.random_sample(self.masks[-1].shape), -1).argmax(1)
            self.answers.append(venv.step(action))
            self.masks.append(np.array(venv.env_method("action_masks")))
        self.at = 0

    def reset(self) -> Any:
        self.at = 0
        return self.first

    def step_async(self, actions: np.ndarray) -> None:
        pass

    def step_wait(self) -> Any:
        self.at = self.at % len(self.answers) + 1
        return self.answers[self.at - 1]

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        return self.masks[self.at]


def rate(env: VecEnv, steps: int) -> float:
    """Environment steps per CPU-second of `learn`, after a roll-out to warm up."""
    model = make_ppo(env, seed=0)
    model.learn(1)
    start = time.process_time()
    model.learn(steps)
    return steps / (time.process_time() - start)


def main() -> None:
    """Measure both rates and print their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-envs", type=int, default=256, help="environments (256)")
    parser.add_argument("--steps", type=int, default=16 * 8192, help="environment steps of each part")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    np.random.seed(0)
    dataset = prepare(DataConfig())
    core = BundleCore(
        build_market(dataset), ChoiceShopper.fit(dataset, epochs=1), EnvConfig(), n=options.n_envs,
        shoppers=np.flatnonzero(~dataset.split.held_out), weeks=dataset.split.train_weeks,
    )  # fmt: skip
    whole = rate(BundleVecEnv(core), options.steps)
    alone = rate(Tape(BundleVecEnv(core)), options.steps)
    row = {"name": "ppo", "n": options.n_envs, "steps_per_cpu_second": whole,
           "learner_steps_per_cpu_second": alone, "ratio": whole / alone}  # fmt: skip
    print(f"end to end {whole:,.0f}, learner alone {alone:,.0f} steps per CPU-second: {whole / alone:.0%}")
    if options.json:
        write_json(options.json, {"rows": [row]})


if __name__ == "__main__":
    main()
