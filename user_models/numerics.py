"""The exponential and the normal quantile for loops compiled for the CPU, as exact as float32 is."""

from __future__ import annotations

import numba
import numpy as np

_F = np.float32
_LOG2_E, _LN2_HIGH, _LN2_LOW = _F(1.44269504), _F(0.693359375), _F(-2.12194440e-4)
_E0, _E1, _E2, _E3, _E4, _E5 = (
    _F(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
)


@numba.njit(cache=True, inline="always")
def exp32(x):
    """exp of a float32, to the last digit or two (Cephes' expf); compiles to vector code, unlike a library's.

    Below -87 it is exp(-87), above 88 exp(88).
    """
    x = min(max(x, _F(-87)), _F(88))
    whole = np.floor(x * _LOG2_E + _F(0.5))
    r = x - whole * _LN2_HIGH - whole * _LN2_LOW
    y = ((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5
    power = (np.int32(whole) + np.int32(127)) << np.int32(23)
    return (y * r * r + r + _F(1)) * np.int32(power).view(np.float32)


@numba.njit(cache=True)
def normal_quantile(p):
    """The standard normal's quantile at p in (0, 1), to 1 part in 10 million (Wichura 1988, AS 241's PPND7).

    `utility.normal` says the same in torch.
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        above = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        below = ((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0
        return np.float32(q * above / below)
    r = np.sqrt(-np.log(min(p, 1.0 - p)))
    if r <= 5:
        r -= 1.6
        above = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
        below = (0.12021132975 * r + 0.73700164250) * r + 1.0
    else:
        r -= 5
        above = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150
        below = (0.012258202635 * r + 0.24197894225) * r + 1.0
    return np.float32(above / below if q > 0 else -above / below)
