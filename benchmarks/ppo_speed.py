"""MaskablePPO end to end against its learner alone, and `ppo-fast`: `python benchmarks/ppo_speed.py`.

The learner alone is the same call of `learn` on environments that answer at once with what they answered
before: the network's forward passes, the roll-out buffer and the updates, without a simulator. `ppo-fast` is
the same algorithm on one device. Rates are environment steps per CPU-second, on a GPU per second on the wall,
with the default user model, policy and number of environments.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from bundlegym.agents.ppo import make_ppo
from bundlegym.agents.ppo_fast import make_ppo_fast
from bundlegym.data.files import write_json
from bundlegym.envs import BundleVecEnv, make_core


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


def rate(make: Callable[..., Any], env: VecEnv, steps: int, device: str) -> float:
    """Environment steps per second of `learn`, after a roll-out to warm up."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    model = make(env, seed=0, device=device)
    model.learn(1)
    start = clock()
    model.learn(steps)
    return steps / (clock() - start)


def main() -> None:
    """Measure the rates and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-envs", type=int, default=256, help="environments (256)")
    parser.add_argument("--steps", type=int, default=16 * 8192, help="environment steps of each part")
    parser.add_argument("--preset", default="complete-journey", help="of make_core (complete-journey)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="of all parts (cpu)")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    np.random.seed(0)

    def env() -> BundleVecEnv:
        core = make_core(
            options.n_envs, preset=options.preset, device=options.device, user_model_args={"epochs": 1}
        )
        return BundleVecEnv(core)

    how = options.steps, options.device
    whole, fast = rate(make_ppo, env(), *how), rate(make_ppo_fast, env(), *how)
    alone = rate(make_ppo, Tape(env()), *how)
    row = {"name": "ppo", "n": options.n_envs, "device": options.device, "steps_per_second": whole,
           "learner_steps_per_second": alone, "ratio": whole / alone,
           "ppo_fast_steps_per_second": fast}  # fmt: skip
    kind = "CPU-second" if options.device == "cpu" else "second"
    print(f"end to end {whole:,.0f}, learner alone {alone:,.0f} steps per {kind}: {whole / alone:.0%}")
    print(f"ppo-fast {fast:,.0f} steps per {kind}: {fast / whole:.0%} of ppo")
    if options.json:
        write_json(options.json, {"rows": [row]})


if __name__ == "__main__":
    main()
