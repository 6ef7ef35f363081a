"""What there is to show of one environment: the visit at hand and the one before, in names and money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bundlegym.envs.base import CANDIDATE_FEATURES, VisitRecord
from bundlegym.envs.core import BundleCore
from bundlegym.user_models.base import IGNORE

RESPONSES = ("ignored it", "cherry-picked", "took it whole")
_OFTEN = CANDIDATE_FEATURES.index("log_share")
_LIFT = CANDIDATE_FEATURES.index("lift")


@dataclass(frozen=True)
class Line:
    """A candidate: what it is called, its shelf price, how often it is bought by this shopper (0..1 within
    the candidates), its log lift with the bundle, and its place in the bundle, from 0, or -1."""

    name: str
    price: float
    often: float
    lift: float
    place: int


@dataclass(frozen=True)
class Outcome:
    """How the last visit ended, and what the episode has earned so far."""

    offer: tuple[str, ...]
    discount: float
    choice: int
    margin: float
    twin_margin: float
    basket: int

    @property
    def gain(self) -> float:
        return self.margin - self.twin_margin

    @property
    def words(self) -> str:
        """One sentence."""
        if not self.offer:
            return f"Nothing was offered; {self.basket} items bought."
        what = " + ".join(self.offer)
        return f"{what} at {self.discount:.0%} off: {RESPONSES[self.choice]}; {self.basket} items bought."


@dataclass(frozen=True)
class Scene:
    """One environment between two actions; `candidates` from the most often bought down."""

    shopper: str
    visit: int
    visits: int
    week: int
    candidates: tuple[Line, ...]
    last: Outcome | None
    gains: tuple[float, ...]

    @property
    def bundle(self) -> tuple[Line, ...]:
        """The candidates picked, in the order of picking."""
        return tuple(
            sorted((line for line in self.candidates if line.place >= 0), key=lambda line: line.place)
        )


def scene_of(core: BundleCore, slot: int, past: Sequence[Outcome]) -> Scene:
    """The scene of one slot, given the outcomes of its episode's visits so far."""
    features, items = core.features[slot].cpu(), core.candidates[slot].tolist()
    week = int(core.market.week(core.records.day[slot]))
    often = features[:, _OFTEN]
    often = (often - often.min()) / (often.max() - often.min()).clamp(min=1e-6)
    picks = core.picks[slot].tolist()
    lines = [
        Line(
            name=core.market.names[item],
            price=float(core.market.shelf_price[week, item]),
            often=float(often[i]),
            lift=float(features[i, _LIFT]),
            place=picks.index(item) if item in picks else -1,
        )
        for i, item in enumerate(items)
    ]
    return Scene(
        shopper=str(int(core.records.shopper[slot])),
        visit=min(int(core.visit[slot]) + 1, core.config.visits),
        visits=core.config.visits,
        week=week,
        candidates=tuple(sorted(lines, key=lambda line: -line.often)),
        last=past[-1] if past else None,
        gains=tuple(outcome.gain for outcome in past),
    )


def outcome_of(core: BundleCore, record: VisitRecord, row: int) -> Outcome:
    """How the visit in one row of a record ended."""
    offer = tuple(core.market.names[i] for i in record.offer.items[row].tolist() if i >= 0)
    return Outcome(
        offer=offer,
        discount=float(record.offer.discount[row]),
        choice=int(record.choice[row]) if offer else IGNORE,
        margin=float(record.margin[row]),
        twin_margin=float(record.twin_margin[row]),
        basket=int((record.both.row == row).sum()),
    )
