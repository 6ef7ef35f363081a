"""The contract of `agents`: a policy sees the core and gives a legal action for each shopper."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from bundlegym.envs import BundleCore

#: `policy(core) -> actions (N,)` int64, each legal under `core.masks()`; learned or not.
Policy = Callable[[BundleCore], Tensor]
