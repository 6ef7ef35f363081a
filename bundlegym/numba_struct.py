"""A tuple of arrays as one numba struct, which compiled code that is given it many times looks at once.

At each call numba looks at each array of a tuple that it is given, a tenth of a microsecond each and more:
for one shopper that takes as long as a visit. A struct is one thing, in which the tuple lies unpacked.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from numba.core import types
from numba.core.dispatcher import Dispatcher
from numba.experimental import structref


@structref.register
class _StructType(types.StructRef):
    """`Struct` to the compiler."""


class Struct(structref.StructRefProxy):
    """Made in compiled code, by `Struct(parts)`; see `as_struct`."""


structref.define_proxy(Struct, _StructType, ["parts"])


def as_struct(parts: tuple[Any, ...], make: Callable[[Any], Any]) -> Any:
    """Something of which compiled code reads `.parts`, the tuple (also a `NamedTuple`) of arrays.

    Args:
        make: a compiled function of the caller's own that gives `Struct(parts)`. Numba keeps what it compiled
            of one function in one file, and whoever reads it imports the classes of all tuples that it was
            given, and what these need: an exported agent has no torch.
    """
    compiles = isinstance(make, Dispatcher)  # not where NUMBA_DISABLE_JIT is set
    return make(parts) if compiles else SimpleNamespace(parts=parts)
