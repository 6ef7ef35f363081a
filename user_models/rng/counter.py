"""Counter-based randomness: each draw is a hash of (seed, episode, visit, stream, index).

A shopper's trajectory therefore depends neither on how many are simulated beside it nor on the order of
calls, and a twin that is given the same `Draws` lives with the same luck.

The hash is SplitMix64's (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"). It
stands here for torch tensors on any device and in `compiled_counter` for the CPU, and gives the same bits in
both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bundlegym.compiling import njit
from bundlegym.user_models.rng.compiled_counter import (
    GAMMA,
    M1,
    M2,
    MASK,
    compiled_draw,
    compiled_key,
    compiled_unit,
)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_GAMMA, _M1, _M2 = (_signed(c) for c in (GAMMA, M1, M2))
_EPISODES_PER_SEED = pow(_GAMMA & MASK, -1, 1 << 64)
#: Far from a multiple of _GAMMA, which would lead to another episode's luck.
_GAMMA_SEEDS = 0xD1342543DE82EF95
#: So many episodes further, an episode's luck is that of the same episode under the next seed of `other`.
_EPISODES_PER_OTHER = _signed(_GAMMA_SEEDS * _EPISODES_PER_SEED & MASK)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift; torch's own keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def mix(x: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64 tensors of any shape."""
    x = (x ^ _shift(x, 30)) * _M1
    x = (x ^ _shift(x, 27)) * _M2
    return x ^ _shift(x, 31)


@njit()
def _fill(
    seed: int, episode: np.ndarray, visit: np.ndarray, stream: int, index: np.ndarray, out: np.ndarray
) -> None:
    for n in range(out.shape[0]):
        key = compiled_key(seed, episode[n], visit[n], stream)
        line = index[n if index.shape[0] > 1 else 0]
        for i in range(out.shape[1]):
            out[n, i] = compiled_draw(key, line[i])


@njit()
def _fill_one(seed: int, episode: np.ndarray, visit: np.ndarray, stream: int, out: np.ndarray) -> None:
    for n in range(out.shape[0]):
        out[n] = compiled_unit(compiled_key(seed, episode[n], visit[n], stream))


def first_episode(seed: int) -> int:
    """The episode of seed 0 whose draws are those of episode 0 of `seed`."""
    return _signed(seed * _EPISODES_PER_SEED & MASK)


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
        if self.episode.device.type == "cpu":
            return self._compiled(stream, index)
        return self._uniform(stream, index)

    def other(self, number: int) -> Draws:
        """The same visits under other luck; number 0 is this one."""
        return Draws(_signed((self.seed + number * _GAMMA_SEEDS) & MASK), self.episode, self.visit)

    def others(self, numbers: range) -> Draws:
        """The same visits under D other lucks, N * D rows: row n D + d is `other(numbers[d])` of row n."""
        ahead = torch.tensor(list(numbers), dtype=torch.int64, device=self.episode.device)
        episode = self.episode[:, None] + ahead * _EPISODES_PER_OTHER
        return Draws(self.seed, episode.flatten(), self.visit.repeat_interleave(len(ahead)))

    def of(self, row: Tensor) -> Draws:
        """The luck of the shoppers in `row` (P,), one a purchase, say."""
        return Draws(self.seed, self.episode[row], self.visit[row])

    def _uniform(self, stream: int, index: Tensor | None) -> Tensor:
        key = mix(self.episode * _GAMMA + self.seed)
        key = mix(key + self.visit * _GAMMA + _signed(stream * (_M1 & MASK) & MASK))
        if index is not None:
            key = mix(key[:, None] + (index + 1) * _GAMMA)
        return (_shift(key, 41).float() + 0.5) / (1 << 23)

    def _compiled(self, stream: int, index: Tensor | None) -> Tensor:
        n = len(self.episode)
        luck = (self.seed, self.episode.numpy(), self.visit.numpy(), stream)
        if index is None:
            out = np.empty(n, dtype=np.float32)
            _fill_one(*luck, out)
        else:
            table = np.atleast_2d(index.numpy())
            out = np.empty((n, table.shape[1]), dtype=np.float32)
            _fill(*luck, table, out)
        return torch.from_numpy(out)

    def gumbel(self, stream: int, index: Tensor | None = None) -> Tensor:
        """Standard Gumbel numbers, shaped as in `uniform`."""
        return -torch.log(-torch.log(self.uniform(stream, index)))


def normal(luck: Tensor) -> Tensor:
    """Standard normal numbers from uniform ones."""
    return torch.erfinv(2 * luck - 1) * 2**0.5
