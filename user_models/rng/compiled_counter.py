"""Counter-based randomness compiled for the CPU: the hash of `counter`, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from bundlegym.compiling import njit

MASK = (1 << 64) - 1
#: Constants of SplitMix64, as unsigned numbers.
GAMMA, M1, M2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_U_GAMMA, _U_M1, _U_M2 = np.uint64(GAMMA), np.uint64(M1), np.uint64(M2)


@njit(inline="always")
def compiled_mix(x: Any) -> Any:
    """`mix` of one uint64."""
    x = (x ^ (x >> np.uint64(30))) * _U_M1
    x = (x ^ (x >> np.uint64(27))) * _U_M2
    return x ^ (x >> np.uint64(31))


@njit(inline="always")
def compiled_key(seed: int, episode: int, visit: int, stream: int) -> Any:
    """What the draws of one shopper, visit and stream have in common."""
    key = compiled_mix(np.uint64(episode) * _U_GAMMA + np.uint64(seed))
    return compiled_mix(key + np.uint64(visit) * _U_GAMMA + np.uint64(stream) * _U_M1)


@njit(inline="always")
def compiled_unit(key: Any) -> Any:
    """A hash as a float32 strictly inside (0, 1)."""
    return (np.float32(key >> np.uint64(41)) + np.float32(0.5)) * np.float32(1 / (1 << 23))


@njit(inline="always")
def compiled_draw(key: Any, index: int) -> Any:
    """The draw of one index, as in `Draws.uniform`."""
    return compiled_unit(compiled_mix(key + (np.uint64(index) + np.uint64(1)) * _U_GAMMA))
