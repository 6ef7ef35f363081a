"""Functions compiled for the CPU, kept from one process to the next as long as nothing in them changes."""

from __future__ import annotations

import hashlib
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.core.registry import CPUDispatcher

_CONSTANTS = (int, float, str, tuple, np.generic, np.ndarray)


def njit(*, inner: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(**options)`, whose result is kept beside the source file.

    An `inner` function is called by compiled ones alone. To let Python call it, too, would take longer to
    compile than most of them do: numba takes each argument apart, array by array. No function is called by
    C, or given to a compiled one as an argument, so what that takes is left out for all.

    numba's own `cache=True` looks at that file alone (numba issue 1833): what was compiled goes on being used
    when a function of another file that went into it has changed, or a constant. Here it is then compiled
    anew. Where neither the source's folder nor a home folder can be written, nothing is kept.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            dispatcher: Any = numba.njit(cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            _tell_that_nothing_is_kept()
            dispatcher = numba.njit(**options)(function)
        else:
            if dispatcher is not function:  # as it is where NUMBA_DISABLE_JIT is set
                dispatcher._cache = _Kept(dispatcher)
        if inner and dispatcher is not function:
            dispatcher.__class__ = _Inner
        return dispatcher

    options |= {"no_cpython_wrapper": inner, "no_cfunc_wrapper": True}
    return compiled


@cache
def _tell_that_nothing_is_kept() -> None:
    """Once a process."""
    warnings.warn(
        "compiled code cannot be kept, since neither the installation nor a home folder can be written: each "
        "start compiles anew, which takes a minute or two. Set the environment variable NUMBA_CACHE_DIR to a "
        "folder that can be written",
        RuntimeWarning,
        stacklevel=3,
    )


class _Inner(CPUDispatcher):
    """Without a way in from Python."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self.py_func.__qualname__} is called by compiled functions alone")


class _Kept(FunctionCache):
    def __init__(self, dispatcher: Any) -> None:
        super().__init__(dispatcher.py_func)
        self._dispatcher = dispatcher

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return *super()._index_key(sig, codegen), fingerprint(self._dispatcher)


def fingerprint(dispatcher: Any) -> str:
    """Hash of what a compiled function is made of: its options, its source, the constants that it names, and
    the same of each compiled function that it calls."""
    found: dict[Any, str] = {dispatcher: ""}
    todo = [dispatcher]
    while todo:
        caller = todo.pop()
        parts = [inspect.getsource(caller.py_func), _said(caller.targetoptions)]
        for name, value in _named(caller.py_func):
            if isinstance(value, Dispatcher):
                if value not in found:
                    found[value] = ""
                    todo.append(value)
            elif isinstance(value, _CONSTANTS):
                parts.append(f"{name} {_said(value)}")
            elif str(getattr(value, "__module__", "")).startswith("bundlegym."):
                # Neither compiled nor a constant, as an intrinsic is: its file says what it is.
                parts.append(inspect.getsource(sys.modules[value.__module__]))
        found[caller] = "\0".join(parts)
    return hashlib.sha256("\0".join(sorted(found.values())).encode()).hexdigest()


def _named(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Names of a function's module that it uses, with their values; of another module's, as in
    `streams.UNITS`, all that may be meant."""
    names, known = function.__code__.co_names, function.__globals__
    for name in names:
        value = known.get(name)
        if isinstance(value, ModuleType):
            yield from ((f"{name}.{of}", getattr(value, of)) for of in names if hasattr(value, of))
        else:
            yield name, value


def _said(value: Any) -> str:
    """A constant in words that are the same in every process."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.tolist()}"
    if isinstance(value, set):
        return repr(sorted(value))
    if isinstance(value, dict):
        return repr({key: _said(value[key]) for key in sorted(value)})
    return repr(value)
