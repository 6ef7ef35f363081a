"""The best offers of a run, read one by one: is each a sale that a shopkeeper would believe?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from bundlegym.agents.planner import Planner
from bundlegym.agents.planner.simulated_gains import simulated_gains
from bundlegym.data import Dataset
from bundlegym.envs import BundleCore
from bundlegym.evaluation.decomposition import decompose_offer
from bundlegym.evaluation.planner_gains import (
    Planned,
    plan_first_visits,
    summary_of,
    summary_words,
    with_fresh_luck,
)
from bundlegym.terminal import say, shown

#: The best offers are chosen among so many times as many, by draws of their own: the best by the planner's
#: own estimate are also the luckiest.
_WIDER = 4
#: Draws on which they are chosen, then taken apart; those of the summary come before.
_DRAWS = 1024
_CHOOSE, _APART = range(100_001, 100_001 + _DRAWS), range(200_001, 200_001 + _DRAWS)
LATER = 3


def best_offers(
    core: BundleCore,
    planner: Planner,
    dataset: Dataset,
    count: int,
    pseudonym: Callable[[str], str] = str,
    progress: Callable[[str], None] = say,
) -> dict[str, Any]:
    """In JSON's own types: `summary` of the plans for the first visit in each slot, and `offers`.

    These are the `count` of greatest expected gain, each taken apart on fresh draws and put in order by what
    it earns on these.
    """
    progress(f"planning {core.n} visits")
    planned = plan_first_visits(core, planner)
    best = _best(core, planned, count)
    progress(f"taking {len(best)} offers apart")
    offers = [
        _told(core, dataset, int(slot), planned.items[slot], float(planned.discount[slot]), pseudonym)
        | {"planned": {name: float(getattr(planned.plan, name)[slot]) for name in ("gain", "error")}}
        for slot in best
    ]
    return {
        "log": dataset.name,
        "later_visits": LATER,
        "draws": _DRAWS,
        "summary": summary_of(planned),
        "offers": sorted(offers, key=lambda offer: -offer["gain"]["mean"]),
    }


def _best(core: BundleCore, planned: Planned, count: int) -> Tensor:
    """Slots of the offers that earn most."""
    made = int((planned.items[:, 0] >= 0).sum())
    slots = planned.plan.gain.argsort(descending=True, stable=True)[: min(_WIDER * count, made)]
    offered = planned.items[slots][:, None], planned.discount[slots][:, None]
    gain = simulated_gains(with_fresh_luck(core, slots), *offered, _CHOOSE)
    return slots[gain.mean(2).flatten().argsort(descending=True, stable=True)[:count]]


def _told(
    core: BundleCore,
    dataset: Dataset,
    slot: int,
    offered: Tensor,
    discount: float,
    pseudonym: Callable[[str], str],
) -> dict[str, Any]:
    items, market, row = offered[offered >= 0], core.market, core.rows[slot : slot + 1]
    day = core.records.day[row]
    week = market.week(day).expand_as(items)
    price, cost = market.shelf_price[week, items], market.unit_cost[week, items]
    found = decompose_offer(with_fresh_luck(core, row), items, discount, _APART, LATER)
    without, with_offer = found.pop("without"), found.pop("with")
    lines = [
        {"name": shown(market.names[i]), "price": p, "unit_cost": c, "chance_without": a, "chance_with": b}
        for i, p, c, a, b in zip(
            items.tolist(), price.tolist(), cost.tolist(), without, with_offer, strict=True
        )
    ]
    shopper = pseudonym(str(dataset.shoppers["shopper"].iloc[int(core.records.shopper[slot])]))
    return {"shopper": shopper, "week": int(week[0]), "discount": round(discount, 4), "items": lines, **found}


def as_text(content: dict[str, Any]) -> str:
    """For people."""
    parts = [f"{content['log']}, the planner: {summary_words(content['summary'])}"]
    later = content["later_visits"]
    for number, offer in enumerate(content["offers"], 1):
        items = " + ".join(
            f"{line['name']} ({line['price']:.2f}, cost {line['unit_cost']:.2f})" for line in offer["items"]
        )
        cut = f"{offer['discount']:.0%} off" if offer["discount"] else "full price"
        chances = ", ".join(
            f"{line['name']} {line['chance_without']['mean']:.3f} -> {line['chance_with']['mean']:.3f}"
            for line in offer["items"]
        )
        parts.append(
            f"{number}. Shopper {offer['shopper']}, week {offer['week']}: {items}, {cut}\n"
            f"   gain of the visit {_figure(offer['gain'])} (planned {offer['planned']['gain']:+.3f}); "
            f"taken {offer['taken']['mean']:.3f}, cherry-picked {offer['cherry_picked']['mean']:.3f}\n"
            f"   sold new {_figure(offer['sold_new'])}; given to what is bought anyway "
            f"{_figure(offer['given_away'])}; rest of the basket {_figure(offer['rest'])} "
            f"(pulled {offer['pulled']['mean']:+.3f}, pushed {offer['pushed']['mean']:+.3f}); "
            f"{later} later visits {_figure(offer['later'])}\n"
            f"   chance to be bought without -> with: {chances}"
        )
    if not content["offers"]:
        parts.append("At no visit does any offer pay: the planner offers nothing.")
    return "\n\n".join(parts)


def _figure(figure: dict[str, float]) -> str:
    return f"{figure['mean']:+.3f} +-{figure['error']:.3f}"
