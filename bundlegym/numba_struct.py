"""A tuple of arrays as one numba struct, which compiled code that is given it many times looks at once.

At each call numba looks at each array of a tuple that it is given, a tenth of a microsecond each and more:
for one shopper that takes as long as a visit. A struct is one thing, in which the tuple lies unpacked.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from numba.core import types
from numba.core.dispatcher import Dispatcher
from numba.experimental import structref

from bundlegym.compiling import njit


@structref.register
class _StructType(types.StructRef):
    """`_Struct` to the compiler."""


class _Struct(structref.StructRefProxy):
    """See `as_struct`."""


structref.define_proxy(_Struct, _StructType, ["parts"])


@njit()
def _make_struct(parts: tuple[Any, ...]) -> Any:
    return _Struct(parts)


def as_struct(parts: tuple[Any, ...]) -> Any:
    """Something of which compiled code reads `.parts`, the tuple (also a `NamedTuple`) of arrays."""
    compiles = isinstance(_make_struct, Dispatcher)  # not where NUMBA_DISABLE_JIT is set
    return _make_struct(parts) if compiles else SimpleNamespace(parts=parts)
