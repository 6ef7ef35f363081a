"""The contract of `envs`: what an agent may do, what it sees, and what a visit is reported as."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from bundlegym.envs.features import (
    BLOCKS,
    CANDIDATE_FEATURES,
    CONTEXT_FEATURES,
    EMBEDDING_SIZE,
    FEATURE_LIMIT,
    LEAVE,
    LIFT,
    LOG_PRICE,
    SHOPPER_EMBEDDING,
    UNIT_MARGIN,
)
from bundlegym.user_models.base import CHERRY_PICK, TAKE, Offer, Response

__all__ = [
    "BLOCKS", "CANDIDATE_FEATURES", "COMPONENTS", "CONTEXT_FEATURES", "EMBEDDING_SIZE", "FEATURE_LIMIT",
    "FIGURES", "LEAVE", "LIFT", "LOG_PRICE", "METRICS", "OF_OFFERS", "SHOPPER_EMBEDDING", "UNIT_MARGIN",
    "Reward", "StepResult", "VisitRecord",
]  # fmt: skip

#: What a reward may be made of, (M,) each for the M visits that ended; money in the log's currency.
COMPONENTS = (
    "incremental_margin",
    "margin",
    "twin_margin",
    "revenue",
    "taken",
    "cherry_picked",
    "size",
    "discount",
)
#: `reward(components) -> (M,)`, from `COMPONENTS` by name.
Reward = Callable[[dict[str, Tensor]], Tensor]
#: The incremental margin a visit: what a policy is judged by.
GAIN = "incremental_margin_per_visit"
METRICS = (
    "acceptance_rate", "cherry_pick_rate", "size", "discount", "revenue_per_visit", "margin_per_visit",
    GAIN, "incremental_list_value_per_visit",
)  # fmt: skip

#: What is reckoned of each visit that ended, in this order.
FIGURES = (*METRICS, "twin_margin_per_visit")
#: The components that are figures -> their rows.
FIGURE_OF = {
    "incremental_margin": FIGURES.index(GAIN),
    "margin": FIGURES.index("margin_per_visit"),
    "twin_margin": FIGURES.index("twin_margin_per_visit"),
    "revenue": FIGURES.index("revenue_per_visit"),
}
#: Of the metrics those that are undefined where nothing was offered.
OF_OFFERS = METRICS[:4]


@dataclass(frozen=True)
class VisitRecord:
    """The M visits that ended in one step. (M,) each unless said otherwise; money in the log's currency.

    `whose` is (4, M) int64: `slot`, which of the N environments, `shopper`, `day`, and `size` of the bundle.
    `made` (2M rows) holds the M shoppers' offers, then the twins', which are empty, and `both` their
    responses. `figures` is (len(FIGURES), M) float, NaN where it speaks of an offer and there was none.
    `incremental_list_value` is what the pieces bought cost at list price, less the same of the twin. Margins
    are linear in costs: where each margin share is greater by s, the incremental margin is greater by
    s x incremental list value.
    """

    whose: Tensor
    made: Offer
    both: Response
    figures: Tensor

    def __len__(self) -> int:
        """M."""
        return self.whose.shape[1]

    @property
    def slot(self) -> Tensor:
        return self.whose[0]

    @property
    def shopper(self) -> Tensor:
        return self.whose[1]

    @property
    def day(self) -> Tensor:
        return self.whose[2]

    @property
    def size(self) -> Tensor:
        return self.whose[3]

    @property
    def offer(self) -> Offer:
        """Of the M shoppers."""
        return Offer(self.made.items[: len(self)], self.made.discount[: len(self)])

    @property
    def choice(self) -> Tensor:
        return self.both.choice[: len(self)]

    @property
    def left(self) -> Tensor:
        return self.both.left[: len(self)]

    @property
    def response(self) -> Response:
        return self.both.part(0, len(self))

    @property
    def twin(self) -> Response:
        return self.both.part(len(self), 2 * len(self))

    @property
    def revenue(self) -> Tensor:
        return self.figures[FIGURE_OF["revenue"]]

    @property
    def margin(self) -> Tensor:
        return self.figures[FIGURE_OF["margin"]]

    @property
    def twin_margin(self) -> Tensor:
        return self.figures[FIGURE_OF["twin_margin"]]

    @property
    def incremental_margin(self) -> Tensor:
        return self.figures[FIGURE_OF["incremental_margin"]]

    @property
    def incremental_list_value(self) -> Tensor:
        return self.figures[FIGURES.index("incremental_list_value_per_visit")]

    def components(self, names: Iterable[str] = COMPONENTS) -> dict[str, Tensor]:
        """(M,) float each, by the names in `COMPONENTS`, or by some of them."""
        return {name: _COMPONENT[name](self) for name in names}

    def metrics(self) -> dict[str, Tensor]:
        """(M,) float each, by the names in `METRICS`; what speaks of an offer is NaN where there was none."""
        return dict(zip(METRICS, self.figures, strict=False))


def _figure(record: VisitRecord, row: int) -> Tensor:
    return record.figures[row]


_COMPONENT: dict[str, Callable[[VisitRecord], Tensor]] = {
    **{name: partial(_figure, row=row) for name, row in FIGURE_OF.items()},
    "taken": lambda record: (record.choice == TAKE).float(),
    "cherry_picked": lambda record: (record.choice == CHERRY_PICK).float(),
    "size": lambda record: record.size.float(),
    "discount": lambda record: record.offer.discount,
}


@dataclass(frozen=True)
class StepResult:
    """(N,) reward, terminated, truncated, and the visits that ended (None if no visit did); read only."""

    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    record: VisitRecord | None
