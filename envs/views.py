"""What the views on the core share: spaces, copies, and legal actions for clients without masks."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces
from torch import Tensor

from bundlegym.envs.base import FEATURE_LIMIT
from bundlegym.envs.core import BundleCore


def core_spaces(core: BundleCore) -> tuple[spaces.Dict, spaces.Discrete]:
    """Observation and action space of one environment of the core, whose first reset is behind it."""
    boxes: dict[str, spaces.Space] = {}
    for name, block in core.observe().items():
        low, high = (0.0, 1.0) if name == "picked" else (-FEATURE_LIMIT, FEATURE_LIMIT)
        boxes[name] = spaces.Box(low, high, tuple(block.shape[1:]), dtype=np.float32)
    return spaces.Dict(boxes), spaces.Discrete(core.k + core.levels)


def array(tensor: Tensor) -> np.ndarray:
    """A tensor as an array, on the same memory where that is the CPU's."""
    return tensor.numpy(force=not tensor.is_cpu or tensor.requires_grad)


def to_numpy(observation: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Copies of the blocks: the core goes on writing into its own."""
    return {name: array(block).copy() for name, block in observation.items()}


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
