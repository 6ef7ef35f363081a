"""Elementary functions for loops compiled for the CPU, about as exact as float32 is.

None of them branches, so that a loop over them becomes vector code, unlike one over a library's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bundlegym.compiling import njit

_F = np.float32
_LOG2_E, _LN2_HIGH, _LN2_LOW = _F(1.44269504), _F(0.693359375), _F(-2.12194440e-4)
_E0, _E1, _E2, _E3, _E4, _E5 = (
    _F(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (
    _F(c) for c in (
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )
)  # fmt: skip
_MANTISSA, _HALF, _SQRT_HALF = np.int32(0x7FFFFF), np.int32(0x3F000000), _F(0.707106781)
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8 = (
    _F(c * 2**0.5) for c in (
        2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3,
        -4.17768164e-3, 2.46640727e-1, 1.50140941,
    )
)  # fmt: skip
_T0, _T1, _T2, _T3, _T4, _T5, _T6, _T7, _T8 = (
    _F(c * 2**0.5) for c in (
        -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3,
        9.43887047e-3, 1.00167406, 2.83297682,
    )
)  # fmt: skip


@njit(inline="always")
def exp32(x: Any) -> Any:
    """Exp of a float32, to the last digit or two (Cephes' expf).

    Below -87 it is exp(-87), above 88 exp(88).
    """
    x = min(max(x, _F(-87)), _F(88))
    whole = np.floor(x * _LOG2_E + _F(0.5))
    r = x - whole * _LN2_HIGH - whole * _LN2_LOW
    y = ((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5
    power = (np.int32(whole) + np.int32(127)) << np.int32(23)
    return (y * r * r + r + _F(1)) * np.int32(power).view(np.float32)


@njit(inline="always")
def log32(x: Any) -> Any:
    """Log of a positive, normal float32, to the last digit or two (Cephes' logf)."""
    bits = _F(x).view(np.int32)
    m = np.int32((bits & _MANTISSA) | _HALF).view(np.float32)
    small = m < _SQRT_HALF
    power = _F((bits >> np.int32(23)) - np.int32(126)) - _F(small)
    r = (m + m if small else m) - _F(1)
    y = (((((_L0 * r + _L1) * r + _L2) * r + _L3) * r + _L4) * r + _L5) * r + _L6
    y = ((y * r + _L7) * r + _L8) * r * r * r - _F(0.5) * r * r
    return y + power * _LN2_LOW + r + power * _LN2_HIGH


@njit(inline="always")
def normal32(p: Any) -> Any:
    """The standard normal's quantile at a float32 p in (0, 1) (Giles 2010, "Approximating the erfinv
    function"); `draws.normal` says the same in torch."""
    w = -log32(_F(4) * p * (_F(1) - p))
    r = w - _F(2.5)
    y = (((_C0 * r + _C1) * r + _C2) * r + _C3) * r + _C4
    y = (((y * r + _C5) * r + _C6) * r + _C7) * r + _C8
    r = np.sqrt(w) - _F(3)
    z = (((_T0 * r + _T1) * r + _T2) * r + _T3) * r + _T4
    z = (((z * r + _T5) * r + _T6) * r + _T7) * r + _T8
    return (y if w < _F(5) else z) * (_F(2) * p - _F(1))
