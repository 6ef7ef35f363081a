"""What recommenders of pre-built bundles share: they need to know what is in them."""

from __future__ import annotations

from dataclasses import dataclass

from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender, State
from bundlegym.recommenders.bundles.log import BundleLog
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class BundleRanker(Recommender):
    """A recommender whose log is a `BundleLog`, also after `save` and `load`."""

    def _state(self) -> State:
        log = with_parts(self.log)
        return super()._state() | {"singles": log.singles, "parts": log.parts}

    def _restore(self, state: State) -> None:
        """The file of a log holds no tables of parts; they stand beside what was learned."""
        self.log = BundleLog.of(self.log, state.pop("singles"), state.pop("parts"))
        super()._restore(state)


def with_parts(log: Interactions) -> BundleLog:
    """The log itself.

    Raises:
        UserError: it says nothing of the parts of bundles.
    """
    if not isinstance(log, BundleLog):
        raise UserError("a ranker of bundles needs to know their parts; fit it on a BundleLog")
    return log
