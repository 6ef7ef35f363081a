"""What the views on the core share: spaces, copies, and legal actions for clients without masks."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from bundlegym.envs.base import FEATURE_LIMIT, METRICS, VisitRecord
from bundlegym.envs.core import BundleCore
from bundlegym.envs.observations import in_place
from bundlegym.envs.stepped import Stepped


def core_spaces(core: BundleCore) -> tuple[spaces.Dict, spaces.Discrete]:
    """Observation and action space of one environment of the core, whose first reset is behind it."""
    boxes: dict[str, spaces.Space] = {}
    for name, block in core.observe().items():
        low, high = (0.0, 1.0) if name == "picked" else (-FEATURE_LIMIT, FEATURE_LIMIT)
        boxes[name] = spaces.Box(low, high, tuple(block.shape[1:]), dtype=np.float32)
    return spaces.Dict(boxes), spaces.Discrete(core.k + core.levels)


def to_numpy(observation: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Copies of the blocks: the core goes on writing into its own."""
    return {name: block.numpy(force=True).copy() for name, block in observation.items()}


def figures_of(record: VisitRecord | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """`VisitRecord.metrics` as arrays: figures (len(METRICS), N) of the N environments, 0 where no visit
    ended, and where one did (N,)."""
    figures, known = np.zeros((len(METRICS), n)), np.zeros(n, dtype=bool)
    if record is not None:
        slot = record.slot.numpy(force=True)
        figures[:, slot] = record.figures.numpy(force=True)[: len(METRICS)]
        known[slot] = True
    return figures, known


class Window:
    """One shopper's core, seen and stepped through arrays. Those of what the core writes in place are made
    once: at one shopper, to make one takes longer than to copy it."""

    def __init__(self, core: BundleCore) -> None:
        self.core = core
        on_cpu = core.device.type == "cpu"
        self._given = core.as_given(torch.zeros(1, dtype=torch.int64, device=core.device))
        self._in_place = {
            name: block(core).numpy()[0] for name, block in core.blocks.items() if on_cpu and in_place(block)
        }
        self._mask = core.masks().numpy()[0] if on_cpu else None

    def mask(self) -> np.ndarray:
        """(K + D,) bool, the legal actions; it changes with the next step."""
        return self.core.masks().numpy(force=True)[0] if self._mask is None else self._mask

    def observation(self) -> dict[str, np.ndarray]:
        """Copies of the blocks, (width,) each."""
        found = {}
        for name, block in self.core.blocks.items():
            kept = self._in_place.get(name)
            found[name] = (block(self.core).numpy(force=True)[0] if kept is None else kept).copy()
        return found

    def step(self, action: int) -> Stepped:
        self._given[0] = action
        return self.core.act(self._given)


def whole_action(action: Any, last: int) -> int:
    """The action that a client of one environment gives.

    Raises:
        ValueError: it is no whole number from 0 to `last`.
    """
    try:
        given = operator.index(action)
    except TypeError:
        given = -1
    if not 0 <= given <= last:
        raise ValueError(f"action {action!r}: must be a whole number from 0 to {last}")
    return given


def whole_actions(actions: Any, most: np.ndarray) -> np.ndarray:
    """(N,) int64, the actions that a client gives: as many whole numbers as `most` (N,), none beyond it.

    Raises:
        ValueError: they are something else.
    """
    given = actions.numpy(force=True) if isinstance(actions, Tensor) else np.asarray(actions)
    if given.size != len(most) or given.dtype.kind not in "iu":
        raise ValueError(f"actions of shape {given.shape}, {given.dtype}: must be {len(most)} whole numbers")
    given = given.reshape(-1).astype(np.int64)
    if (wrong := (given < 0) | (given > most)).any():
        at = int(wrong.argmax())
        raise ValueError(f"action {given[at]} at place {at}: must be from 0 to {most[at]}")
    return given


def legal_actions(action: np.ndarray, mask: np.ndarray, k: int) -> np.ndarray:
    """(N,) int64, the actions themselves, or where one is masked the first legal offer, else the first
    legal pick. Clients without masks would otherwise stop at their first random action."""
    rows = np.arange(len(action))
    legal = mask[rows, action]
    if legal.all():
        return action
    offers = mask[:, k:]
    instead = np.where(offers.any(1), k + offers.argmax(1), mask.argmax(1))
    return np.where(legal, action, instead)
