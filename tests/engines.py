"""An engine for tests: in this process, last job first."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

from bundlegym.evaluation.parallel import Place, Work


class Backwards:
    """Does the last job first, each as it comes out of a pickle; counts them."""

    def __init__(self, at_once: int = 2) -> None:
        self.at_once, self.done = at_once, 0

    def run(self, work: Work[Any], place: Place[Any], jobs: Sequence[Any]) -> list[Any]:
        """As in `parallel.Engine`."""
        found = [work(place.again(), pickle.loads(pickle.dumps(job)), 0) for job in reversed(jobs)]
        self.done += len(jobs)
        return found[::-1]
