"""The contract of `envs`: what an agent may do, what it sees, and what a visit is reported as."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bundlegym.errors import UserError
from bundlegym.user_models.base import CHERRY_PICK, TAKE, Offer, Response

CANDIDATE_FEATURES = (
    "log_share", "log_price", "rebate", "unit_margin", "margin_share", "display", "mailer", "bought_before",
    "overdue", "log_popularity", "lift", *(f"embedding_{i}" for i in range(8)),
)  # fmt: skip
#: The one candidate feature that a pick changes: log lift after taste with the bundle so far.
LIFT = CANDIDATE_FEATURES.index("lift")
#: Observations are clamped to plus and minus this, so that their space is bounded.
FEATURE_LIMIT = 20.0
CONTEXT_FEATURES = ("time_left", "bundle_size", "bundle_price", "bundle_margin", "bundle_lift")
METRICS = (
    "acceptance_rate", "cherry_pick_rate", "size", "discount", "revenue_per_visit", "margin_per_visit",
    "incremental_margin_per_visit",
)  # fmt: skip


@dataclass(frozen=True)
class EnvConfig:
    """The offers an agent may make, and to whom."""

    candidates: int = 32
    """Items put before the agent at a visit."""

    visits: int = 8
    """Visits in an episode; the end is a truncation."""

    min_size: int = 2
    """Least number of items in an offer; offering nothing is always allowed."""

    max_size: int = 4
    """Greatest number of items in an offer."""

    discounts: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3)
    """Discount levels off the shelf price of the whole bundle; the first should be 0."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_size <= self.max_size <= self.candidates:
            raise UserError(
                f"min_size {self.min_size}, max_size {self.max_size}, candidates {self.candidates}: "
                "must hold 1 <= min_size <= max_size <= candidates"
            )
        if not self.discounts or any(not 0 <= d < 1 for d in self.discounts):
            raise UserError(f"discounts {self.discounts}: give at least one, each in [0, 1)")
        if self.visits < 1:
            raise UserError(f"visits {self.visits}: must be at least 1")


@dataclass(frozen=True)
class VisitRecord:
    """The visits that ended in one step. (M,) each unless said otherwise; money in the log's currency.

    `slot` says which of the N environments; `response` and `offer` hold the details, row by row.
    """

    slot: Tensor
    shopper: Tensor
    day: Tensor
    offer: Offer
    response: Response
    twin: Response
    size: Tensor
    revenue: Tensor
    margin: Tensor
    incremental_margin: Tensor

    def metrics(self) -> dict[str, Tensor]:
        """(M,) float each, by the names in `METRICS`; size and discount are NaN where nothing was offered."""
        offered = self.size > 0
        nan = torch.full_like(self.margin, torch.nan)
        return {
            "acceptance_rate": torch.where(offered, (self.response.choice == TAKE).float(), nan),
            "cherry_pick_rate": torch.where(offered, (self.response.choice == CHERRY_PICK).float(), nan),
            "size": torch.where(offered, self.size.float(), nan),
            "discount": torch.where(offered, self.offer.discount, nan),
            "revenue_per_visit": self.revenue,
            "margin_per_visit": self.margin,
            "incremental_margin_per_visit": self.incremental_margin,
        }


@dataclass(frozen=True)
class StepResult:
    """(N,) reward, terminated, truncated, and the visits that ended (None if no visit did)."""

    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    record: VisitRecord | None
