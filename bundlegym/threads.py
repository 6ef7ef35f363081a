"""One thread for whatever must come out the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside; also a decorator, `@one_thread()`.

    Several threads split a sum into as many parts as there are, so last digits would follow the number of
    cores, and a purchase or a trained network soon follows the last digit. Small networks and batches are no
    slower for it.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
