"""An interrupt that waits for the end of a step.

Raised inside compiled code, a `KeyboardInterrupt` turns into another error, and a second one would cut short
the checkpoint that the first asks for.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_noted() -> Iterator[Callable[[], bool]]:
    """Inside, SIGINT and SIGTERM are noted and do nothing else; what is given says whether one has come.

    Off the main thread signals cannot be had, and none is noted.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    before = {kind: signal.signal(kind, lambda *_: came.set()) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came.is_set
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
