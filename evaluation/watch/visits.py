"""An episode lived again up to a visit, and what is asked there: who stands at the door, what an offer does.

Nothing is remembered between two questions: each brings the shopper and the offers that were made before, and
the same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bundlegym.agents.base import Policy
from bundlegym.data import Dataset
from bundlegym.envs import BundleCore, VisitRecord
from bundlegym.envs.base import CANDIDATE_FEATURES
from bundlegym.envs.rendering.scene import RESPONSES, outcome_of
from bundlegym.errors import UserError
from bundlegym.evaluation.decomposition import decompose_offer
from bundlegym.evaluation.planner_gains import with_fresh_luck
from bundlegym.evaluation.watch.explain import explained
from bundlegym.evaluation.watch.history import date_of, history_of, name_of
from bundlegym.user_models.base import Response

#: Of the episodes that are watched: neither of training nor of the tables.
_SEED = 8_000_009
#: Draws of luck behind what an offer is expected to do, and visits after it that are looked at.
_DRAWS, _LATER = 256, 3
_FIGURES = ("taken", "cherry_picked", "sold_new", "given_away", "pulled", "pushed", "gain", "later")


@dataclass(frozen=True)
class OfferAsked:
    """Item codes in the order of picking, none for no offer, and the level of the discount."""

    items: tuple[int, ...]
    level: int


@dataclass(frozen=True)
class Asked:
    """A visit: the number of the shopper, from 0, and the offers made to them before."""

    shopper: int
    offers: tuple[OfferAsked, ...]


class Watch:
    """Answers in JSON's own types.

    Args:
        core: a simulator of one shopper.
        policy: whose offers are shown.
        pseudonym: of a shopper, by the id of the log.
        shoppers: how many can be watched.
    """

    def __init__(
        self,
        core: BundleCore,
        dataset: Dataset,
        policy: Policy,
        pseudonym: Callable[[str], str],
        shoppers: int,
    ) -> None:
        self._core, self._dataset, self._policy, self._shoppers = core, dataset, policy, shoppers
        self._pseudonym = pseudonym

    def visit(self, ask: Any) -> dict[str, Any]:
        """Who stands at the door, what lies on the shelf, and what the policy would offer.

        Raises:
            UserError: the question is malformed, or there is no such visit.
        """
        asked = self._read(ask, ("shopper", "offers"))
        past, first_day, ended = self._live(asked)
        core, dataset = self._core, self._dataset
        shopper, day = int(core.records.shopper[0]), int(core.records.day[0])
        scene = {
            "number": asked.shopper,
            "shopper": self._pseudonym(str(dataset.shoppers["shopper"].iloc[shopper])),
            "visit": len(asked.offers),
            "visits": core.config.visits,
            "date": date_of(dataset, day),
            "history": history_of(dataset, shopper, first_day),
            "past": past,
            "ended": ended,
        }
        return scene | ({} if ended else {"candidates": self._candidates(), "agent": self._agent()})

    def offer(self, ask: Any) -> dict[str, Any]:
        """What shopper and twin do with an offer, and why.

        Raises:
            UserError: the question is malformed, there is no such visit, or the offer is none that an agent
                may make.
        """
        asked = self._read(ask, ("shopper", "offers", "items", "level"))
        made = _offer(ask, "the offer")
        _, _, ended = self._live(asked)
        if ended:
            raise UserError(f"{ended} No offer can be made")
        self._check(made)
        core, discount = self._core, self._core.config.discounts[made.level]
        told = self._why(made, discount) if made.items else {"why": None, "expected": None}
        record = self._make(made)
        choice = int(record.choice[0])
        return told | {
            "response": RESPONSES[choice] if made.items else "was offered nothing",
            "taken": bool(made.items) and choice == len(RESPONSES) - 1,
            "margin": float(record.margin[0]),
            "twin_margin": float(record.twin_margin[0]),
            "gain": float(record.incremental_margin[0]),
            "days": int(record.both.days[0]),
            "left": bool(record.left[0]),
            "last": int(core.visit[0]) >= core.config.visits,
            "basket": self._baskets(record, made),
        }

    # --- what is asked ------------------------------------------------------------------------------------

    def _read(self, ask: Any, known: Sequence[str]) -> Asked:
        if not isinstance(ask, dict) or set(ask) != set(known):
            raise UserError(f"the question must be an object of {', '.join(known)}")
        shopper, offers = ask["shopper"], ask["offers"]
        if not _whole(shopper) or not 0 <= shopper < self._shoppers:
            raise UserError(f"shopper: must be a whole number in 0..{self._shoppers - 1}")
        most = self._core.config.visits
        if not isinstance(offers, list) or len(offers) > most:
            raise UserError(f"offers: must be a list of {most} at most, one a visit")
        return Asked(shopper, tuple(_offer(o, f"offer {i + 1}") for i, o in enumerate(offers)))

    def _check(self, made: OfferAsked) -> None:
        """Raise `UserError` where no agent may make that offer."""
        core, config = self._core, self._core.config
        if made.level >= core.levels:
            raise UserError(f"level: must be a whole number in 0..{core.levels - 1}")
        candidates = core.candidates[0].tolist()
        if any(item not in candidates for item in made.items):
            raise UserError("items: one of them is no candidate at this visit")
        if len(set(made.items)) < len(made.items):
            raise UserError("items: one of them stands there twice")
        if made.items and not config.min_size <= len(made.items) <= config.max_size:
            raise UserError(
                f"items: an offer holds {config.min_size} to {config.max_size} of them, or none; "
                f"{len(made.items)} are given"
            )
        if not made.items and made.level:
            raise UserError("level: there is no discount on nothing; must be 0")

    # --- what happens -------------------------------------------------------------------------------------

    def _live(self, asked: Asked) -> tuple[list[dict[str, Any]], int, str]:
        """Begin the shopper's episode and make the offers asked for: what happened in words, the first day,
        and why no visit follows, or ''."""
        core, past, ended = self._core, [], ""
        core.reseed([_SEED + asked.shopper])
        core.reset()
        first_day = int(core.records.day[0])
        for made in asked.offers:
            if ended:
                raise UserError(f"offers: {ended} They hold more visits than that")
            self._check(made)
            day = int(core.records.day[0])
            record = self._make(made)
            outcome = outcome_of(core, record, 0)
            past.append({"date": date_of(self._dataset, day), "words": outcome.words, "gain": outcome.gain})
            if bool(record.left[0]):
                ended = "The shopper does not come back."
            elif len(past) == core.config.visits:
                ended = f"The episode has ended after {core.config.visits} visits."
        return past, first_day, ended

    def _make(self, made: OfferAsked) -> VisitRecord:
        core = self._core
        candidates = core.candidates[0].tolist()
        for action in (*map(candidates.index, made.items), core.k + made.level):
            result = core.step(torch.tensor([action], device=core.device))
        assert result.record is not None
        return result.record

    def _agent(self) -> dict[str, Any]:
        """The policy's offer; the visit stays open."""
        core = self._core
        while (action := int(self._policy(core)[0])) < core.k:
            core.step(torch.tensor([action], device=core.device))
        items = core.picks[0, : int(core.n_picks[0])].tolist()
        core.take_back()
        return {"items": items, "level": action - core.k}

    def _candidates(self) -> list[dict[str, Any]]:
        """On the shelf, the item that this shopper buys most first."""
        core, market = self._core, self._core.market
        week = market.week(core.records.day)[0]
        often = core.features[0, :, CANDIDATE_FEATURES.index("log_share")]
        items = core.candidates[0, often.argsort(descending=True, stable=True)]
        return [
            {
                "item": item,
                "name": name_of(self._dataset, item),
                "category": str(self._dataset.items["category"].iloc[item]),
                "price": float(market.shelf_price[week, item]),
                "list_price": float(market.list_price[week, item]),
                "margin": float(market.shelf_price[week, item] - market.unit_cost[week, item]),
            }
            for item in items.tolist()
        ]

    def _why(self, made: OfferAsked, discount: float) -> dict[str, Any]:
        """What the offered items are worth to the shopper under the luck of this visit, and what the offer is
        expected to do under fresh luck."""
        core = self._core
        items = torch.tensor(made.items, device=core.device)
        state = {name: value[:1] for name, value in core.state.items()}
        appraisal = core.user_model.appraise(state, items[None], core.draws(core.rows))
        price = core.market.shelf_price[core.market.week(core.records.day)[0], items]
        why = None if appraisal is None else explained(appraisal, price, discount)
        if why is not None:
            for line, item in zip(why["items"], made.items, strict=True):
                line["name"] = name_of(self._dataset, item)
        found = decompose_offer(
            with_fresh_luck(core, core.rows), items, discount, range(1, _DRAWS + 1), later=_LATER
        )
        expected = {name: found[name] for name in _FIGURES}
        return {"why": why, "expected": expected | {"draws": _DRAWS, "later_visits": _LATER}}

    def _baskets(self, record: VisitRecord, made: OfferAsked) -> list[dict[str, Any]]:
        """A row an item that shopper or twin bought: pieces and what was paid by each. First what was
        offered, then what differs."""
        mine, twin = (_bought(response) for response in (record.response, record.twin))
        rows = [
            {
                "name": name_of(self._dataset, item),
                "offered": item in made.items,
                "pieces": mine.get(item, (0, 0.0))[0],
                "paid": mine.get(item, (0, 0.0))[1],
                "twin_pieces": twin.get(item, (0, 0.0))[0],
                "twin_paid": twin.get(item, (0, 0.0))[1],
            }
            for item in sorted({*mine, *twin, *made.items})
        ]
        return sorted(rows, key=lambda row: (not row["offered"], _alike(row)))


def _alike(row: dict[str, Any]) -> bool:
    return row["pieces"] == row["twin_pieces"] and abs(row["paid"] - row["twin_paid"]) < 0.005


def _bought(response: Response) -> dict[int, tuple[int, float]]:
    """Pieces and money paid by item, of one shopper."""
    found: dict[int, tuple[int, float]] = {}
    columns = (response.item.tolist(), response.quantity.tolist(), response.price.tolist())
    for item, quantity, price in zip(*columns, strict=True):
        pieces, paid = found.get(item, (0, 0.0))
        found[item] = (pieces + int(quantity), paid + quantity * price)
    return found


def _offer(given: Any, what: str) -> OfferAsked:
    items = given.get("items") if isinstance(given, dict) else None
    if not isinstance(items, list) or len(items) > 100 or not all(_whole(item) for item in items):
        raise UserError(f"{what}: items must be a list of item codes")
    if not _whole(level := given.get("level")) or level < 0:
        raise UserError(f"{what}: level must be the place of a discount in the list, from 0")
    return OfferAsked(tuple(items), level)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
