"""Lists of different lengths laid one after the other."""

from __future__ import annotations

import torch
from torch import Tensor


def expand_ranges(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """(P,) row in 0..N-1 and place in the long list, of N lists that begin at `start` (N,) and hold `count`
    (N,)."""
    row = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    within = torch.arange(len(row), device=count.device) - (count.cumsum(0) - count)[row]
    return row, start[row] + within
