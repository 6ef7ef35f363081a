"""What no log tells of offers: named assumptions, neutral by default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Assumptions:
    """Assumptions on offers; neither reaches the twin, who is offered nothing.

    Attributes:
        offer_exposure: the share of the log's own mailer effect that being offered has on an item (1: an
            offer is a mailer to one shopper), which wears out from week to week.
        bundle_pull: utility of taking a bundle as such.
    """

    offer_exposure: float = 0.0
    bundle_pull: float = 0.0

    @property
    def neutral(self) -> bool:
        """An offer does nothing but lower prices."""
        return self.offer_exposure == 0 and self.bundle_pull == 0
