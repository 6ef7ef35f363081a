"""What the offers of any policy at first visits are expected to earn, on the same fresh draws for all.

Each visit is the first of an episode, so that whoever judges knows the shopper by the log, as the planner
does. The gain of an offer is its mean over draws on which nothing was chosen, and is paired by visit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bundlegym.agents.base import Policy
from bundlegym.agents.planner import Planner, items_of
from bundlegym.agents.planner.simulated_gains import simulated_gains
from bundlegym.data.files import replacing
from bundlegym.envs import BundleCore
from bundlegym.envs.base import LEAVE
from bundlegym.evaluation.planner_gains import with_fresh_luck
from bundlegym.evaluation.rollout import t_factor


@dataclass(frozen=True)
class Offers:
    """What a policy offers at M visits.

    Attributes:
        gain: (M,) expected incremental margin.
        size: (M,) items, 0 for no offer. discount: (M,).
        milliseconds: a decision, one pick or offer; of the planner a plan, which is a whole bundle.
    """

    gain: np.ndarray
    size: np.ndarray
    discount: np.ndarray
    milliseconds: float


def offers_of(core: BundleCore, policy: Policy, fresh: int) -> Offers:
    """The policy's offers at the first visits of a core, judged by who reacts in it.

    Args:
        fresh: draws of luck behind each gain.
    """
    core.reset()
    picks, level, milliseconds = (
        _planned(core, policy) if isinstance(policy, Planner) else _decided(core, policy)
    )
    items, discount = items_of(core.candidates, picks), core.discounts[level]
    gain = torch.zeros(core.n)
    at = (items[:, 0] >= 0).nonzero()[:, 0]
    luck = with_fresh_luck(core, at), items[at][:, None], discount[at][:, None], range(1, fresh + 1)
    gain[at] = simulated_gains(*luck)[:, 0].mean(1)
    size = (items >= 0).sum(1)
    return Offers(gain.double().numpy(), size.numpy(), discount.numpy(), milliseconds)


def _planned(core: BundleCore, planner: Planner) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Picks (M, B), levels (M,), and milliseconds a plan."""
    start = time.perf_counter()
    plan = planner.plan(core, core.rows)
    return plan.picks, plan.level, 1000 * (time.perf_counter() - start) / core.n


def _decided(core: BundleCore, policy: Policy) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Picks (M, B), levels (M,), and milliseconds a decision."""
    policy(core)  # what is compiled at first use does not count
    picks, n = torch.full((core.n, core.config.max_size), -1), 0
    level = torch.full((core.n,), -1)
    seconds, decisions = 0.0, 0
    while bool((level < 0).any()):
        start = time.perf_counter()
        action = policy(core)
        seconds, decisions = seconds + time.perf_counter() - start, decisions + int((level < 0).sum())
        ends = (action >= core.k) & (level < 0)
        level[ends] = action[ends] - core.k
        going = level < 0
        if bool(going.any()):
            picks[going, n] = action[going]
            n += 1
        core.step(torch.where(going, action, LEAVE))
    return picks, level, 1000 * seconds / decisions


def kept(path: Path, make: Callable[[], Offers]) -> Offers:
    """What `make` makes, or what it made before and a file holds."""
    if not path.exists():
        made = make()
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **vars(made))
    with np.load(path, allow_pickle=False) as file:
        return Offers(file["gain"], file["size"], file["discount"], float(file["milliseconds"]))


def gains_of(offers: Sequence[Offers]) -> np.ndarray:
    """(S, M) of S seeds at M visits."""
    return np.stack([one.gain for one in offers])


def interval(gains: np.ndarray) -> dict[str, float]:
    """Mean and 95 % interval of (S, M) figures of S seeds at the same M visits."""
    seeds, visits = gains.shape
    variance = gains.mean(0).var(ddof=1) / visits + (gains.mean(1).var(ddof=1) / seeds if seeds > 1 else 0)
    half, mean = t_factor(seeds) * float(variance) ** 0.5, float(gains.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}
