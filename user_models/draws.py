"""Counter-based randomness: each draw is a hash of (seed, episode, visit, stream, index).

A shopper's trajectory therefore depends neither on how many are simulated beside it nor on the order of
calls, and a twin that is given the same `Draws` lives with the same luck.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_MASK = (1 << 64) - 1


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


# Constants of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
_GAMMA, _M1, _M2 = (_signed(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift; torch's own keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def mix(x: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64 tensors of any shape."""
    x = (x ^ _shift(x, 30)) * _M1
    x = (x ^ _shift(x, 27)) * _M2
    return x ^ _shift(x, 31)


@dataclass(frozen=True)
class Draws:
    """The luck of N shoppers at one visit each.

    Attributes:
        seed: of the whole simulation.
        episode: (N,) int64, the number of each shopper's episode.
        visit: (N,) int64, the number of the visit in its episode.
    """

    seed: int
    episode: Tensor
    visit: Tensor

    def uniform(self, stream: int, index: Tensor | None = None) -> Tensor:
        """Numbers strictly inside (0, 1): (N,) or, with `index` (N, M) or (M,), (N, M)."""
        key = mix(self.episode * _GAMMA + self.seed)
        key = mix(key + self.visit * _GAMMA + _signed(stream * (_M1 & _MASK) & _MASK))
        if index is not None:
            key = mix(key[:, None] + (index + 1) * _GAMMA)
        return (_shift(key, 41).float() + 0.5) / (1 << 23)

    def gumbel(self, stream: int, index: Tensor | None = None) -> Tensor:
        """Standard Gumbel numbers, shaped as in `uniform`."""
        return -torch.log(-torch.log(self.uniform(stream, index)))
