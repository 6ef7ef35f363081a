"""Play millions of picks: does memory stay as it is?

One batch of environments and one single environment are played by random legal actions. Memory is that
which the process holds after a tenth of the picks, and the most that it holds later, looked at a hundred
times. The exit code is 1 where it grows by more than 2 %.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import bundlegym  # noqa: F401 (registers the environments)

_ENVS = 256
_ALLOWED = 0.02


def held() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def legal(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the actions allowed in each row of a mask."""
    return (rng.random(mask.shape) * mask).argmax(-1)


def batch(seed: int) -> Callable[[], int]:
    """A function that takes one step in each of many environments, and gives their number."""
    env: Any = gymnasium.make_vec(
        "bundlegym/Bundle-v0", num_envs=_ENVS, vectorization_mode="vector_entry_point", preset="synthetic"
    )
    rng = np.random.default_rng(seed)
    info = [env.reset(seed=seed)[1]]

    def step() -> int:
        info[0] = env.step(legal(info[0]["action_mask"], rng))[4]
        return _ENVS

    return step


def single(seed: int) -> Callable[[], int]:
    """The same of one environment, which begins anew after each episode."""
    env: Any = gymnasium.make("bundlegym/Bundle-v0", preset="synthetic")
    rng = np.random.default_rng(seed)
    info = [env.reset(seed=seed)[1]]

    def step() -> int:
        _, _, terminated, truncated, info[0] = env.step(int(legal(info[0]["action_mask"], rng)))
        if terminated or truncated:
            info[0] = env.reset()[1]
        return 1

    return step


def growth(step: Callable[[], int], picks: int) -> tuple[int, int]:
    """Bytes held after a tenth of the picks, and the most that are held later."""
    done, before, most, look = 0, 0, 0, picks // 100
    while done < picks:
        done += step()
        if done >= look:
            look += picks // 100
            if not before and done >= picks // 10:
                before = held()
            if before:
                most = max(most, held())
    return before, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picks", type=int, default=2_000_000, help="in the batch (2,000,000)")
    parser.add_argument("--single", type=int, default=200_000, help="picks in one environment (200,000)")
    parser.add_argument("--seed", type=int, default=0, help="of the actions (0)")
    options = parser.parse_args()
    grown = False
    for name, make, picks in (("batch", batch, options.picks), ("single", single, options.single)):
        began = time.monotonic()
        before, most = growth(make(options.seed), picks)
        share = most / before - 1
        grown |= share > _ALLOWED
        print(
            f"{name:7}{picks:10,} picks in {time.monotonic() - began:6.0f} s, {before / 2**20:,.0f} MiB held "
            f"after a tenth, {share:+.2%} at most later",
            flush=True,
        )
    sys.exit(1 if grown else 0)


if __name__ == "__main__":
    main()
