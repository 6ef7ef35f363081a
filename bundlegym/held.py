"""Arrays that compiled code is given many times, looked at by numba once.

At each call numba looks at each array of a tuple that it is given, a tenth of a microsecond each and more:
for one shopper that takes as long as a visit. What is `held` is one thing, in which the tuple lies unpacked.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numba
from numba.core import types
from numba.experimental import structref

from bundlegym.compiling import njit


@structref.register
class _HeldType(types.StructRef):
    """`_Held` to the compiler."""


class _Held(structref.StructRefProxy):
    """See `held`."""


structref.define_proxy(_Held, _HeldType, ["parts"])


@njit()
def _hold(parts: tuple[Any, ...]) -> Any:
    return _Held(parts)


def held(parts: tuple[Any, ...]) -> Any:
    """Something of which compiled code reads `.parts`, the tuple (also a `NamedTuple`) of arrays."""
    off = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
    return SimpleNamespace(parts=parts) if off else _hold(parts)
