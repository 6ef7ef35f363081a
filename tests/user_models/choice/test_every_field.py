"""Each parameter of a `ChoiceShopper`, changed by itself, changes both implementations of a visit alike.

The world they are compared in is neutral in nothing: a fault that only shows beside another mechanism, as a
shock multiplied by a promotion's effect, has nowhere to hide. What a parameter changes must be many times
what rounding may, so that no tolerance hides it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from bundlegym.user_models import ChoiceShopper, Draws, Offer
from bundlegym.user_models.base import State
from bundlegym.user_models.choice.estimation.tail_tables import memory_tables
from bundlegym.user_models.choice.parameters import ChoiceParameters
from tests.user_models.choice.test_reference_and_compiled import offers, with_every_part

N = 100  # shoppers, and as many twins
VISITS = 3
#: So many rows of a table may differ by rounding, and so many at least a parameter must change.
ROUNDING, EFFECT = 2, 15

#: Told to whoever asks, or read while fitting; a visit reads what was made of them.
ONLY_TOLD = {
    # Estimates and their standard errors, of which another field holds what is used.
    "synergy_share", "state_dependence_share", "coupon_effect",
    # By what preferences and units were counted, for a fit that goes on from this one.
    "chosen", "factor_component", "pair_lines",
    # Coefficients that are in `log_preference`, `memory_rate`, `tail_weight`, `trial_weight`, `trial_fading`,
    # `price_slope`, `price_sensitivity`, `promotion_effect` and `hazard_own`; and how likely the log is under
    # them.
    "preference", "memory", "trial", "trial_popularity", "trial_fade", "price",
    "price_by_deal_share", "competitor_discount", "display", "mailer_unsteady", "display_unsteady", "nll",
    "hazard_rate",
}  # fmt: skip
#: What a visit begins with: `reset` reads it, or `arrive`, and what follows is in the state.
ONLY_AT_THE_START = {"last_bought", "recent_trials", "first_trial_week", "last_visit", "last_size_class"}
#: Where subcategories begin in `tail_cdf`. An item is drawn by its share of what lies between, so that to
#: move the borders, and each item's place with them, changes nothing.
ONLY_A_SCALE = {"tail_start"}

LEAVES = {name: spec for _, name, spec in ChoiceParameters.specs()}


# --- a world that is neutral in nothing ---------------------------------------------------------------------


def random(seed: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(seed.encode()))


def cumulative(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Running sums over the last dimension of shares that differ much."""
    weight = torch.rand(shape, generator=generator).pow(4) + 1e-3
    return (weight.cumsum(-1) / weight.sum(-1, keepdim=True)).clamp(max=1.0)


def world_of(params: ChoiceParameters) -> ChoiceParameters:
    """With every mechanism at work, and no two numbers of a table alike."""
    p, generator = with_every_part(params), random("world")

    def noise(like: Tensor, spread: float, mean: float = 0.0) -> Tensor:
        return mean + spread * torch.randn(like.shape, generator=generator)

    def between(like: Tensor, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=generator)

    marketing, tail, missions, units, visits = p.marketing, p.long_tail, p.missions, p.quantity, p.incidence
    loading = torch.zeros(len(missions.mission_loading), 5)  # not as many as are gone through at once
    return p.changed(
        mailer=torch.tensor([0.5]),
        recency=noise(p.coefficients.recency, 0.5),
        recency_of_subcategory=noise(p.coefficients.recency_of_subcategory, 0.5),
        recency_of_new=noise(p.coefficients.recency_of_new, 0.4),
        price_slope=between(marketing.price_slope, 1.5, 3.0),
        price_sensitivity=between(marketing.price_sensitivity, 0.6, 1.5),
        price_effect=noise(marketing.price_effect, 0.4),
        promotion_effect=noise(marketing.promotion_effect, 0.4),
        mission_loading=noise(loading, 0.3),
        mission_spread=between(missions.mission_spread, 0.2, 0.6),
        mission_scale=torch.linspace(1.2, 0.4, len(missions.mission_scale)),
        category_level=noise(missions.category_level, 0.3),
        habit_prob=torch.tensor([0.2]),
        substitution=between(p.substitution.substitution, -2.0, -0.3),
        explore_level=torch.linspace(0.0, 1.0, len(p.exploration.explore_level)),
        explore_spread=torch.tensor([0.7]),
        follow_prob=between(p.variants.follow_prob, 0.2, 0.8),
        attribute_taste=noise(p.attribute_tastes.attribute_taste, 0.3),
        trial_weight=between(p.trials.trial_weight, 0.2, 0.8),
        memory_rate=tail.memory_rate * 2,
        tail_weight=torch.cat([tail.tail_weight[:, :-1], 2 * tail.tail_weight[:, -1:]], 1),
        visit_rate=visits.visit_rate * 2,
        same_day_prob=between(visits.same_day_prob, 0.05, 0.3),
        irregularity=noise(visits.irregularity, 0.5),
        hazard_weekday=torch.tensor([0.5]),
        hazard_level=torch.tensor([1.5]),
        frailty=torch.tensor([0.6]),
        log_gap_factor=noise(p.basket_size.log_gap_factor, 0.3),
        log_size_rate=p.basket_size.log_size_rate + noise(p.basket_size.log_size_rate, 0.2),
        log_units=between(units.log_units, 0.1, 2.0),
        log_units_factor=between(units.log_units_factor, 0.5, 2.0),
        log_units_slope=torch.tensor([2.0]),
        units_edges=torch.linspace(0.1, 3.0, len(units.units_edges)),
        units_support=units.units_support + 1,
        units_cdf=cumulative(units.units_cdf.shape, generator),
        regular_quantity=noise(units.regular_quantity, 0.4),
        quantity_by_size=noise(units.quantity_by_size, 0.3),
    )


# --- one parameter changed ----------------------------------------------------------------------------------


def changed(p: ChoiceParameters, name: str) -> ChoiceParameters:
    """With the parameter of a name changed by much in all its numbers, and still a valid one."""
    value, spec, generator = dict(p.leaves())[name], LEAVES[name], random(name)
    if name in _CHANGES:
        new = _CHANGES[name](p, generator)
        return p.changed(**new if isinstance(new, dict) else {name: new})
    assert not spec.ascending and not spec.rising, f"say in _CHANGES how {name} may change"
    if name in _POSITIVE:
        return p.changed(**{name: value * torch.exp(0.5 * torch.randn(value.shape, generator=generator))})
    if value.dtype.is_floating_point:
        return p.changed(**{name: value + 0.5 * torch.randn(value.shape, generator=generator)})
    order = torch.randperm(value.numel(), generator=generator)
    return p.changed(**{name: value.flatten()[order].reshape_as(value)})


_POSITIVE = {
    "shelf_price", "price_slope", "price_sensitivity", "purchase_interval", "mission_scale", "mission_spread",
    "explore_spread", "tail_weight", "memory_rate", "trial_weight", "trial_fading",
    "visit_rate", "frailty", "log_units", "log_units_factor", "log_units_slope", "campaign_week",
}  # fmt: skip


def _contrary(name: str) -> Callable[[ChoiceParameters, torch.Generator], Tensor]:
    """Of what may be or not, and of chances."""

    def change(p: ChoiceParameters, _: torch.Generator) -> Tensor:
        value = dict(p.leaves())[name]
        return ~value if value.dtype == torch.bool else 1 - value

    return change


def _shortlist(p: ChoiceParameters, generator: torch.Generator) -> Tensor:
    """Some of each replaced by what is neither on it nor remembered."""
    table = p.shortlists.shortlist.clone()
    for shopper, row in enumerate(table):
        free = torch.ones(len(p.catalogue.category), dtype=torch.bool)
        free[row] = free[_remembered_by(p, shopper)] = False
        others = free.nonzero()[:, 0]
        others = others[torch.randperm(len(others), generator=generator)][: len(row) // 4]
        kept = row[torch.randperm(len(row), generator=generator)][len(others) :]
        table[shopper] = torch.cat([kept, others]).sort().values
    return table


def _remembered_by(p: ChoiceParameters, shopper: int) -> Tensor:
    start, end = p.long_tail.memory_start[shopper : shopper + 2]
    return p.long_tail.memory_item[start:end]


def _memory_item(p: ChoiceParameters, generator: torch.Generator) -> Tensor:
    """As many others, in the order of their codes."""
    table, begin = p.long_tail.memory_item.clone(), p.long_tail.memory_start
    for shopper, row in enumerate(p.shortlists.shortlist):
        free = torch.ones(len(p.catalogue.category), dtype=torch.bool)
        free[row] = False
        others = free.nonzero()[:, 0]
        n = int(begin[shopper + 1] - begin[shopper])
        some = others[torch.randperm(len(others), generator=generator)][:n]
        table[begin[shopper] : begin[shopper + 1]] = some.sort().values
    return table


def _memory_shares(p: ChoiceParameters) -> np.ndarray:
    """(S, I) what of a shopper's memory each item is."""
    tail, share = p.long_tail, np.zeros((len(p.shortlists.shortlist), len(p.catalogue.category)))
    for shopper in range(len(share)):
        start, end = tail.memory_start[shopper : shopper + 2].tolist()
        part = np.diff(tail.memory_cdf[start:end].numpy(), prepend=shopper)
        share[shopper, tail.memory_item[start:end].numpy()] = part
    return share


def _memory_cdf(p: ChoiceParameters, generator: torch.Generator) -> Tensor:
    share = _memory_shares(p)
    share *= torch.rand(share.shape, generator=generator).numpy() ** 4 + 1e-3
    return torch.from_numpy(memory_tables(csr_matrix(share))["memory_cdf"])


def _memory_start(p: ChoiceParameters, generator: torch.Generator) -> dict[str, Tensor]:
    """Most of what is remembered forgotten, and the rest remembered as much more."""
    share = _memory_shares(p)
    first = share.argmax(1)
    share[torch.rand(share.shape, generator=generator).numpy() < 0.7] = 0
    share[np.arange(len(share)), first] += _memory_shares(p).any(1) * 1e-3
    tables = {name: torch.from_numpy(table) for name, table in memory_tables(csr_matrix(share)).items()}
    return tables | {"memory_rate": p.long_tail.memory_rate}


def _subcategory_of_places(p: ChoiceParameters) -> Tensor:
    """(I,) subcategories in the order of `tail_item`."""
    return p.catalogue.subcategory[p.long_tail.tail_item]


def _tail_cdf(p: ChoiceParameters, generator: torch.Generator) -> Tensor:
    """Other shares within subcategories, which begin where they did."""
    group, cdf = _subcategory_of_places(p), p.long_tail.tail_cdf
    share = torch.rand(cdf.shape, generator=generator).pow(4).double() + 1e-3
    whole = torch.zeros_like(p.long_tail.tail_start).index_add(1, group, share)
    size = p.long_tail.tail_start.diff(append=p.long_tail.tail_start[:, -1:])
    share = share / whole[:, group] * size[:, group]
    return torch.arange(len(cdf))[:, None] + share.cumsum(1)


def _tail_start(p: ChoiceParameters, generator: torch.Generator) -> dict[str, Tensor]:
    """Subcategories of other sizes in the table, which their items share as before."""
    group, row = _subcategory_of_places(p), torch.arange(len(p.long_tail.tail_cdf))[:, None]
    size = p.long_tail.tail_start.diff(append=p.long_tail.tail_start[:, -1:])
    factor = torch.rand(size.shape, generator=generator).double() + 0.5
    share = p.long_tail.tail_cdf.diff(dim=1, prepend=row.double()) * factor[:, group]
    cdf = share.cumsum(1) / share.sum(1, keepdim=True)
    start = torch.zeros_like(size)
    places = torch.searchsorted(group, torch.arange(1, size.shape[1]))
    start[:, 1:] = cdf[:, places - 1]
    return {"tail_cdf": row + cdf, "tail_start": row + start}


def _tail_attraction(p: ChoiceParameters, generator: torch.Generator) -> Tensor:
    """That of subcategories; that of memory is 1."""
    table = p.long_tail.tail_attraction.clone()
    table[:, :-1] *= torch.exp(torch.randn(table[:, :-1].shape, generator=generator))
    return table


def _tail_item(p: ChoiceParameters, generator: torch.Generator) -> Tensor:
    """Items of a product line in another order."""
    place = p.long_tail.tail_item
    order = torch.randperm(len(place), generator=generator)
    return place[order][p.variants.product_line[place[order]].argsort(stable=True)]


def _product_line(p: ChoiceParameters, generator: torch.Generator) -> dict[str, Tensor]:
    """Items of a subcategory change places, and with them product lines."""
    group, old = _subcategory_of_places(p), p.long_tail.tail_item
    order = torch.randperm(len(old), generator=generator)
    order = order[group[order].argsort(stable=True)]
    lines = torch.empty_like(old).scatter_(0, old[order], p.variants.product_line[old])
    return {"product_line": lines, "tail_item": old[order]}


def _product_line_start(p: ChoiceParameters, _: torch.Generator) -> dict[str, Tensor]:
    """The border between the two lines of a subcategory one place later, and the line of what is there."""
    start, lines = p.variants.product_line_start.clone(), p.variants.product_line.clone()
    moved = start[2::2] - start[1:-1:2] > 1
    lines[p.long_tail.tail_item[start[1:-1:2][moved]]] -= 1
    start[1:-1:2] += moved.long()
    return {"product_line": lines, "product_line_start": start}


def _recent_trials(p: ChoiceParameters, _: torch.Generator) -> Tensor:
    """Those of another shopper."""
    return p.trials.recent_trials.roll(1, 1)


def _category_of_subcategory(p: ChoiceParameters, generator: torch.Generator) -> Tensor:
    """That of what is remembered, last, is a code of its own."""
    table = p.catalogue.category_of_subcategory
    return torch.cat([table[torch.randperm(len(table) - 1, generator=generator)], table[-1:]])


_CHANGES: dict[str, Callable[[ChoiceParameters, torch.Generator], Tensor | dict[str, Tensor]]] = {
    "shortlist": _shortlist,
    "category_of_subcategory": _category_of_subcategory,
    "product_line": _product_line,
    "product_line_start": _product_line_start,
    "tail_attraction": _tail_attraction,
    "tail_cdf": _tail_cdf,
    "tail_start": _tail_start,
    "tail_item": _tail_item,
    "memory_item": _memory_item,
    "memory_cdf": _memory_cdf,
    "memory_start": _memory_start,
    "recent_trials": _recent_trials,
    "first_trial_week": lambda p, _: p.trials.first_trial_week + 1,
    "substitution": lambda p, _: p.substitution.substitution.flip(0) / 2,
    "size_cdf": lambda p, generator: cumulative(p.basket_size.size_cdf.shape, generator),
    "units_cdf": lambda p, generator: cumulative(p.quantity.units_cdf.shape, generator),
    "units_support": lambda p, _: p.quantity.units_support * 2,
    "units_edges": lambda p, _: p.quantity.units_edges * 1.5,
    **{name: _contrary(name) for name in ("follow_prob", "habit_prob", "same_day_prob", "campaign_member")},
}


# --- what it does -------------------------------------------------------------------------------------------


class Start(NamedTuple):
    """The world, and 2N shoppers at its door, the last N twins who are offered nothing."""

    world: ChoiceParameters
    state: State
    offer: Offer
    episode: Tensor


#: By name, what comes of some visits; `units`, `price` of each item, and `value`, `exposure` as appraised.
Outcome = dict[str, Tensor]


def model_of(params: ChoiceParameters) -> ChoiceShopper:
    return ChoiceShopper(params, offer_exposure=1.0, bundle_pull=0.5)


def outcomes(model: ChoiceShopper, start: Start) -> tuple[Outcome, Outcome]:
    """Of the visits in torch and of those that are compiled; both go on from where the compiled ones ended,
    so that a number rounded otherwise has no consequences."""
    n, n_items = 2 * N, len(model.params.catalogue.category)
    state = start.state
    found: tuple[Outcome, Outcome] = ({}, {})
    appraised = start.offer.items[:N].clamp(min=0)
    first = {name: value[:N] for name, value in state.items()}
    for outcome, appraise in zip(found, (model._appraise_reference, model._appraise_compiled), strict=True):
        tables = appraise(first, appraised, Draws(1, start.episode[:N], torch.zeros(N, dtype=torch.int64)))
        outcome.update(zip(("wanted", "quantity", "value", "exposure"), tables, strict=True))
    for visit in range(VISITS):
        draws = Draws(1, start.episode, torch.full((n,), visit))
        for outcome, respond in zip(found, (model._reference, model._compiled), strict=True):
            response, after = respond(state, start.offer, draws)
            place = response.row * n_items + response.item
            units, price = torch.zeros(n * n_items, dtype=torch.int64), torch.zeros(n * n_items)
            units[place], price[place] = response.quantity, response.price
            bought = {"units": units, "price": price, "choice": response.choice}
            came = {"wait": response.days, "left": response.left}
            for name, value in (bought | came | after).items():
                outcome[f"{name} {visit}"] = value
        state = after
    return found


def differences(one: Outcome, other: Outcome) -> dict[str, int]:
    """How many rows of each table differ, by more than rounding where they are real numbers."""
    assert one.keys() == other.keys()
    found = {}
    for name, value in one.items():
        real = value.dtype.is_floating_point
        same = torch.isclose(value, other[name], rtol=1e-4, atol=1e-4) if real else value == other[name]
        found[name] = int((~same).flatten(1).any(1).sum() if same.ndim > 1 else (~same).sum())
    return found


@pytest.fixture(scope="module")
def start(model_with_tail) -> Start:
    model = model_of(world_of(model_with_tail.params))
    assert not list(model.params.faults())
    shopper = (torch.arange(N) % len(model.params.shortlists.shortlist)).repeat(2)
    state = model.reset(shopper, (torch.arange(N) % 40 + 130).repeat(2))
    return Start(model.params, state, offers(model, shopper, N), torch.arange(N).repeat(2))


@pytest.fixture(scope="module")
def base(start) -> tuple[Outcome, Outcome]:
    return outcomes(model_of(start.world), start)


def test_the_world_is_neutral_in_nothing(start, base):
    for name, value in start.world.leaves():
        if name not in ONLY_TOLD:
            first = value.flatten()[0]
            assert (value != first).any() if value.numel() > 1 else first not in (0, 1), name
    reference, compiled = base
    assert max(differences(reference, compiled).values()) <= ROUNDING
    assert all(len(compiled[f"choice {visit}"][:N].unique()) == 3 for visit in range(VISITS))
    assert (compiled["shown_run 2"] == 3).any() and (compiled["recent_trials 0"] >= 0).any()


def test_lists_name_what_there_is():
    named = ONLY_TOLD | ONLY_AT_THE_START | ONLY_A_SCALE | _POSITIVE | _CHANGES.keys()
    assert not named - LEAVES.keys()


@pytest.mark.parametrize("name", LEAVES)
def test_a_parameter_changes_both_paths_alike(start, base, name):
    params = changed(start.world, name)
    assert not list(params.faults())
    found = outcomes(model_of(params), start)
    apart = {table: n for table, n in differences(*found).items() if n > ROUNDING}
    assert not apart, f"{name}: the paths differ in {apart}"
    effects = [differences(one, other) for one, other in zip(base, found, strict=True)]
    if name in ONLY_TOLD | ONLY_AT_THE_START | ONLY_A_SCALE:
        assert not any(n for effect in effects for n in effect.values()), f"{name} is said to do nothing"
    else:
        assert any(min(n) >= EFFECT for n in zip(*(effect.values() for effect in effects), strict=True)), name


@pytest.mark.parametrize("name", sorted(ONLY_AT_THE_START))
def test_what_a_visit_begins_with(start, name):
    """Said by `reset`, or by `arrive`."""

    def begin(params: ChoiceParameters) -> Outcome:
        model = model_of(params)
        shopper, day = start.state["shopper"], start.state["day"]
        draws = Draws(1, start.episode, torch.zeros_like(shopper))
        return model.reset(shopper, day) | {"arrival": model.arrive(shopper, day, draws)}

    found = differences(begin(start.world), begin(changed(start.world, name)))
    assert sum(found.values()) >= EFFECT, found
