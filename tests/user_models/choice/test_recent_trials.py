"""What was bought off the shortlist since preferences were counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bundlegym.user_models import ChoiceShopper, Draws, Offer
from bundlegym.user_models.choice.estimation.trial_tables import trials_at_visits, trials_by_week
from bundlegym.user_models.choice.parameters import Trials
from bundlegym.user_models.choice.reference.recent_trials import (
    NONE,
    TRIALS,
    by_item_of,
    fading,
    of_item,
    try_more,
)
from tests.user_models.some import all_but, some

N, DAY = 6_000, 60


@pytest.fixture(scope="module")
def model(dataset) -> ChoiceShopper:
    """With a shortlist that leaves most of the items to the tail."""
    options: dict[str, Any] = {"epochs": 1, "shortlist_size": 20, "without": all_but("recent_trials")}
    return ChoiceShopper.fit(dataset, progress=lambda _: None, **options)


def test_a_history_is_of_earlier_visits_off_the_shortlist(dataset, model):
    shortlist, week = model.params.shortlists.shortlist.numpy(), 10
    visits, purchases = dataset.visits, dataset.purchases
    rows = np.flatnonzero(visits["week"] >= 12)[::97]
    found = trials_at_visits(dataset, shortlist, rows, week)
    assert found.shape == (len(rows), TRIALS) and (found >= 0).any()
    for row, items in zip(rows, found, strict=True):
        shopper = visits["shopper"].iloc[row]
        earlier = np.flatnonzero((visits["shopper"] == shopper) & (visits["week"] >= week))
        held = [
            np.sort(purchases["item"].to_numpy()[purchases["visit"] == visit])
            for visit in earlier[earlier < row][::-1]
        ]
        wanted = [item for basket in held for item in basket if item not in shortlist[shopper]]
        assert items[items >= 0].tolist() == wanted[:TRIALS]
    of_week = trials_by_week(dataset, shortlist, week)
    assert (of_week[:2] == NONE).all()  # in no week, and before anything was bought
    later = visits.iloc[rows].reset_index(drop=True)
    first = later.index[~visits.duplicated(["shopper", "week"]).to_numpy()[rows]]
    assert len(first)
    for i in first:  # at the first visit of a week, history is as when the week began
        assert (of_week[1 + later["week"][i] - week, later["shopper"][i]] == found[i]).all()


def test_the_latest_purchases_push_out_the_first():
    trials = torch.full((3, TRIALS), NONE, dtype=torch.int32)
    trials[1] = torch.arange(TRIALS)
    after = try_more(trials, torch.tensor([0, 0, 1]), torch.tensor([5, 9, 7]))
    assert after[0, :3].tolist() == [5, 9, NONE]
    assert after[1].tolist() == [7, *range(TRIALS - 1)]
    assert (after[2] == NONE).all()


def test_the_latest_purchases_weigh_most_and_those_of_one_item_add_up():
    trials = torch.full((2, TRIALS), NONE, dtype=torch.int32)
    trials[1, :3] = torch.tensor([4, 2, 4])
    weight = torch.tensor([1.0, 1.0, 10.0, 1.0, 2.0])
    fitted = some(Trials, trial_weight=weight, trial_fading=fading(1.0))
    row, item, rate = by_item_of(fitted, trials)
    assert (row.tolist(), item.tolist()) == ([1, 1], [2, 4])
    wanted = [10 * np.exp(-1), 2 + 2 * np.exp(-2)]
    assert rate.tolist() == pytest.approx(wanted)
    asked = torch.tensor([[4, 0], [4, 0]])
    assert of_item(fitted, trials, asked).flatten().tolist() == pytest.approx([0, 0, wanted[1], 0])


def bought_share(model: ChoiceShopper, state: dict, item: int, *, offered: bool = False) -> float:
    draws = Draws(0, torch.arange(N), torch.zeros(N, dtype=torch.int64))
    offer = Offer(torch.full((N, 1), item if offered else NONE), torch.zeros(N))
    response, _ = model.respond(state, offer, draws)
    return float(torch.unique(response.row[response.item == item]).numel() / N)


@pytest.fixture(scope="module")
def shopper_and_item(model) -> tuple[int, int]:
    """Somebody, and an item off the shortlist that they never bought."""
    p = model.params
    start = p.long_tail.memory_start
    for shopper in range(len(p.shortlists.shortlist)):
        remembered = p.long_tail.memory_item[start[shopper] : start[shopper + 1]]
        known = torch.cat([p.shortlists.shortlist[shopper], remembered])
        unknown = np.setdiff1d(np.arange(len(p.catalogue.subcategory)), known.numpy())
        if len(unknown):
            return shopper, int(unknown[0])
    raise AssertionError("everybody knows everything")


def test_what_was_tried_comes_back_and_an_offer_does_not_keep_it_away(model, shopper_and_item):
    shopper, item = shopper_and_item
    # A price or display of that week would be in an offer's rate in full, and in the tail's up to a bound.
    none = torch.zeros_like(model.params.marketing.price_effect)
    model = model.with_parameters(model.params.changed(price_effect=none, promotion_effect=none))
    state = model.reset(torch.full((N,), shopper), torch.full((N,), DAY))
    trials = state["recent_trials"].clone()
    trials[:, :3] = item
    after = state | {"recent_trials": trials}
    never, often = (bought_share(model, one, item) for one in (state, after))
    assert often > 2 * never
    offered = bought_share(model, after, item, offered=True)
    assert offered == pytest.approx(often, rel=0.25)


def test_what_is_bought_off_the_shortlist_is_known_at_the_next_visit(model):
    shopper = torch.arange(len(model.params.shortlists.shortlist))
    state = model.reset(shopper, torch.full_like(shopper, DAY))
    assert (state["recent_trials"] == NONE).all()
    draws = Draws(3, shopper, torch.zeros_like(shopper))
    response, after = model.respond(state, Offer.nothing(len(shopper), 1, model.device), draws)
    key = model.params.shortlists.shortlist + shopper[:, None] * 10_000
    off = ~torch.isin(response.row * 10_000 + response.item, key)
    row, slot = (after["recent_trials"] >= 0).nonzero(as_tuple=True)
    found = sorted(zip(row.tolist(), after["recent_trials"][row, slot].tolist(), strict=True))
    assert found == sorted(zip(response.row[off].tolist(), response.item[off].tolist(), strict=True))
    assert off.any()


def test_a_history_makes_its_items_likelier(model, shopper_and_item):
    shopper, item = shopper_and_item
    state = model.reset(torch.tensor([shopper]), torch.tensor([DAY]))
    trials = state["recent_trials"].clone()
    trials[0, 0] = item
    before, after = (model.log_share(one)[0] for one in (state, state | {"recent_trials": trials}))
    assert after[item] > before[item] and float(after.exp().sum()) == pytest.approx(1, abs=1e-4)
