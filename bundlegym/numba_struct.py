"""A tuple of arrays as one numba struct, which compiled code that is given it many times looks at once.

At each call numba looks at each array of a tuple that it is given, a tenth of a microsecond each and more:
for one shopper that takes as long as a visit. What is `held` is one thing, in which the tuple lies unpacked.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from numba.core import types
from numba.core.dispatcher import Dispatcher
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
    compiles = isinstance(_hold, Dispatcher)  # not where NUMBA_DISABLE_JIT is set
    return _hold(parts) if compiles else SimpleNamespace(parts=parts)
