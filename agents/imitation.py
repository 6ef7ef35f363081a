"""A warm start: the agent imitates the planner before it learns from rewards.

What a good offer adds to a visit is a hundredth of what luck adds or takes, so an agent that starts at random
needs very many visits to find what the planner computes. Here the planner plans some visits of training
shoppers once, and the agent's policy is fitted to these plans by maximum likelihood (behaviour cloning;
Pomerleau 1991, "Efficient training of artificial neural networks for autonomous navigation").

A bundle has no order. So the items of a plan are picked in a random one, and until the last of them every
item that is still missing is right: what is made likely is that one of them is picked, whichever. (A policy
that gave each of four items a quarter of its chance would, where it takes the likeliest action, offer nothing
wherever it thinks an offer right by less than four to one.) The value is fitted to the returns that the
planner found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bundlegym.agents.discounting import discount_after
from bundlegym.agents.planner import Planner
from bundlegym.data.files import replacing
from bundlegym.envs import BundleCore
from bundlegym.envs.base import LEAVE
from bundlegym.errors import UserError
from bundlegym.user_models.persistence import read_tensors, write_tensors

#: Visits planned at once, between two updates of a progress bar.
_AT_ONCE = 64


@dataclass(frozen=True)
class Demonstrations:
    """What the planner offered in N episodes of V visits.

    Attributes:
        picks: (V, N, B) int64, places among the candidates, -1 where a bundle is smaller.
        level: (V, N) int64, of the discount; -1 where the shopper had left before.
    """

    picks: np.ndarray
    level: np.ndarray

    def save(self, path: Path) -> None:
        """Write a sealed file, renamed into place."""
        with replacing(path) as part:
            write_tensors(part, {name: torch.from_numpy(value) for name, value in vars(self).items()}, {})

    @staticmethod
    def load(path: Path) -> Demonstrations:
        """Read what `save` wrote.

        Raises:
            UserError: it is damaged.
        """
        try:
            tensors, _ = read_tensors(path)
            return Demonstrations(**{name: value.numpy() for name, value in tensors.items()})
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: damaged ({error}); remove it, and the planner shows anew") from error


def demonstrate(core: BundleCore, planner: Planner, bar: Callable[..., Any]) -> Demonstrations:
    """The planner plays an episode in each slot of a core that was just made.

    Args:
        bar: `bar(total=)` makes a progress bar of visits (tqdm's).
    """
    core.reset()
    shape = core.config.visits, core.n
    picks = np.full((*shape, core.config.max_size), -1, dtype=np.int64)
    level = np.full(shape, -1, dtype=np.int64)
    live = torch.ones(core.n, dtype=torch.bool, device=core.device)
    progress = bar(total=core.config.visits * core.n)
    for visit in range(core.config.visits):
        for rows in live.nonzero()[:, 0].split(_AT_ONCE):
            plan = planner.plan(core, rows)
            at = rows.cpu().numpy()
            picks[visit, at], level[visit, at] = plan.picks.cpu().numpy(), plan.level.cpu().numpy()
            progress.update(len(rows))
        for action in actions_of_visit(picks[visit], level[visit], core.k):
            result = core.step(torch.from_numpy(action).to(core.device))
            live &= ~(result.terminated | result.truncated)
    progress.close()
    return Demonstrations(picks, level)


def actions_of_visit(picks: np.ndarray, level: np.ndarray, k: int) -> Iterator[np.ndarray]:
    """Actions (N,) of each step of a visit, from picks (N, B) and levels (N,); `LEAVE` where all is done.

    Picks may stand anywhere in their rows.
    """
    order = np.argsort(picks < 0, axis=1, kind="stable")
    picks = np.take_along_axis(picks, order, 1)
    size = (picks >= 0).sum(1)
    for step in range(picks.shape[1] + 1):
        action = np.where(step < size, picks[:, min(step, picks.shape[1] - 1)], k + level)
        yield np.where((step <= size) & (level >= 0), action, LEAVE)


@dataclass(frozen=True)
class Decisions:
    """M decisions of the planner: observations (M, width) by name, legal actions and the right ones among
    them (M, K + D) bool, and what was earned from there on (M,)."""

    observations: dict[str, Tensor]
    masks: Tensor
    right: Tensor
    returns: Tensor


def replay(core: BundleCore, shown: Demonstrations, gamma: float, seed: int) -> Decisions:
    """Play demonstrations again in a core like the one in which they were made; the items of each bundle in
    an order of its own.

    Args:
        gamma: discount factor a visit.
        seed: of the orders.
    """
    rng = np.random.default_rng(seed)
    core.reset()
    seen: list[tuple[dict[str, Tensor], Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]] = []
    for picks, level in zip(shown.picks, shown.level, strict=True):
        picks = rng.permuted(picks, axis=1)
        for action in actions_of_visit(picks, level, core.k):
            acted = torch.from_numpy(action).to(core.device)
            rows = (acted != LEAVE).nonzero()[:, 0]
            right = _right(core, rows, torch.from_numpy(picks).to(core.device), acted)
            before = core.observe(rows), core.masks()[rows], right, rows, acted
            result = core.step(acted)
            seen.append((*before, result.reward.clone(), result.terminated | result.truncated))
    returns, later = [], torch.zeros(core.n, device=core.device)
    for *_, rows, acted, reward, ended in reversed(seen):
        counts = discount_after(acted, core.k, gamma) * ~ended
        later[rows] = (reward + counts * later)[rows]
        returns.append(later[rows])
    names = seen[0][0]
    return Decisions(
        {name: torch.cat([step[0][name] for step in seen]) for name in names},
        torch.cat([step[1] for step in seen]),
        torch.cat([step[2] for step in seen]),
        torch.cat(returns[::-1]),
    )


def joined(shops: Sequence[Decisions]) -> Decisions:
    """The decisions in each of several shops, as one."""
    names = shops[0].observations
    return Decisions(
        {name: torch.cat([shop.observations[name] for shop in shops]) for name in names},
        *(torch.cat([getattr(shop, name) for shop in shops]) for name in ("masks", "right", "returns")),
    )


def _right(core: BundleCore, rows: Tensor, picks: Tensor, acted: Tensor) -> Tensor:
    """(R, K + D) the right actions of the slots `rows` (R,): any item of `picks` (N, B) that is missing yet,
    or else the offer that is made."""
    right = torch.zeros(core.n, core.k + core.levels, dtype=torch.int64, device=core.device)
    right.scatter_add_(1, picks.clamp(min=0), (picks >= 0).long())
    right = right > 0
    right[:, : core.k] &= core.picked == 0
    right, acted = right[rows], acted[rows]
    offers = acted >= core.k
    right[offers, acted[offers]] = True
    return right


def imitate(
    model: Any,
    decisions: Decisions,
    *,
    epochs: int = 20,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> float:
    """Fit the policy and the values of a MaskablePPO to the planner's decisions.

    The agent's own optimiser is left as it was. The learning rate falls to 0 linearly.

    Returns:
        Mean of minus the log chance of what is right, in the last epoch.
    """
    policy, m = model.policy, len(decisions.right)
    optimizer = torch.optim.Adam(policy.parameters(), lr=learning_rate)
    steps = epochs * -(-m // batch_size)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    generator, total = torch.Generator().manual_seed(seed), 0.0
    policy.set_training_mode(True)
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(m, generator=generator).split(batch_size):
            seen = {name: block[rows] for name, block in decisions.observations.items()}
            scores, values = policy.scorer(seen)
            chances = scores.masked_fill(~decisions.masks[rows], -1e8).log_softmax(1)
            missed = -chances.masked_fill(~decisions.right[rows], -torch.inf).logsumexp(1).mean()
            loss = missed + torch.nn.functional.mse_loss(values, decisions.returns[rows])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
            optimizer.step()
            schedule.step()
            total += float(missed.detach()) * len(rows) / m
    policy.set_training_mode(False)
    return total
