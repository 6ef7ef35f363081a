"""The planner against brute force, on a toy shop whose every answer is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from bundlegym.agents.heuristics import fill_by
from bundlegym.agents.planner import OpenVisits, Planner, items_of, policy
from bundlegym.agents.planner.direct_gains import best_direct
from bundlegym.agents.planner.simulated_gains import Gains, simulated_gains, simulated_parts
from bundlegym.envs import BundleCore, EnvConfig
from bundlegym.envs.open_visits import worths
from bundlegym.evaluation.decomposition import decompose_offer
from bundlegym.user_models import LookalikeShopper
from bundlegym.user_models.base import State
from bundlegym.user_models.direct_gains import add_gains, worth_of
from bundlegym.user_models.rng.counter import Draws
from tests.agents.toy import Toy, a_toy, toy_core

LEVELS = np.array([0.0, 0.05, 0.1, 0.2, 0.3])


def some_draws(n: int, seed: int = 5) -> Draws:
    return Draws(seed, torch.arange(n), torch.zeros(n, dtype=torch.int64))


def gains(toy: Toy, core, bundles: list[tuple[int, ...]], discount: float, n: int = 4000) -> torch.Tensor:
    """(T, n) gain of each bundle by simulation of one visit."""
    size = max(map(len, bundles))
    items = torch.tensor([list(b) + [-1] * (size - len(b)) for b in bundles])[None]
    state = at_door(toy, 1)
    cuts = torch.full(items.shape[:2], discount)
    visits = OpenVisits(toy, core.market, state, state["day"], some_draws(1))
    return simulated_gains(visits, items, cuts, range(50_000, 50_000 + n))[0]


def at_door(toy: Toy, n: int) -> State:
    nobody = torch.zeros(n, dtype=torch.int64)
    return toy.reset(nobody, nobody)


@pytest.mark.parametrize("exposure, synergy", [(0.0, 0.0), (0.8, 0.0), (0.0, 0.6), (0.5, -0.4)])
def test_the_direct_effect_is_what_a_simulation_of_the_offered_items_finds(market, exposure, synergy):
    k, n_draws = 5, 300
    toy = a_toy(k, exposure=exposure)
    cost = toy.price * torch.tensor([0.5, 0.6, 0.7, 0.4, 0.9])
    core = toy_core(market, toy, cost, n_candidates=k)
    inside = torch.tensor([0, 2, 3])  # synergy among the offered items alone: there is no spill-over
    toy.synergy[inside[:, None], inside] = synergy * (1 - torch.eye(3))
    draws = some_draws(1).others(range(1, n_draws + 1))
    appraisal = toy.appraise(at_door(toy, n_draws), torch.arange(k).expand(n_draws, k), draws)
    worth = worth_of(appraisal, 0, n_draws, toy.price.numpy(), (toy.price - cost).numpy(), 3)  # type: ignore[arg-type]
    state = at_door(toy, 1)
    for bundle in [(0,), (0, 2), (2, 3), (0, 2, 3)]:
        total = np.zeros(len(LEVELS))
        add_gains(worth, np.array(bundle), len(bundle), LEVELS, total)
        for level, discount in enumerate(LEVELS):
            visits = OpenVisits(toy, core.market, state, state["day"], some_draws(1))
            cut = torch.tensor([[float(discount)]])
            mean = simulated_gains(visits, torch.tensor([[bundle]]), cut, range(1, n_draws + 1)).mean()
            if synergy == 0 or len(bundle) == 3:
                assert total[level] / n_draws == pytest.approx(float(mean), abs=2e-5)


def test_the_search_finds_the_best_of_all_pairs(market):
    k, n_draws = 7, 50
    toy = a_toy(k, exposure=0.3, seed=3)
    draws = some_draws(1).others(range(1, n_draws + 1))
    appraisal = toy.appraise(at_door(toy, n_draws), torch.arange(k).expand(n_draws, k), draws)
    worth = worth_of(appraisal, 0, n_draws, toy.price.numpy(), (0.6 * toy.price).numpy(), 2)  # type: ignore[arg-type]
    every: dict[tuple[tuple[int, ...], int], float] = {}
    for size in (1, 2):
        for bundle in itertools.combinations(range(k), size):
            total = np.zeros(len(LEVELS))
            add_gains(worth, np.array(bundle), size, LEVELS, total)
            every |= {(bundle, level): total[level] / n_draws for level in range(len(LEVELS))}
    for least in (1, 2):
        known = {offer: gain for offer, gain in every.items() if len(offer[0]) >= least}
        picks, level, gain = best_direct(worth, LEVELS, least, 2, 3)
        top = sorted(known.values(), reverse=True)[:3]
        assert gain == pytest.approx(np.array(top))
        first = tuple(i for i in picks[0] if i >= 0)
        assert known[first, level[0]] == pytest.approx(top[0])


def test_it_offers_nothing_where_nothing_pays(market):
    toy = a_toy(8, slope=torch.full((8,), 0.3))  # hardly anybody is moved by a price
    core = toy_core(market, toy, 0.75 * toy.price, n=64)
    plan = Planner(toy).plan(core, core.rows)
    assert (plan.picks < 0).float().mean() > 0.95
    shown = (plan.picks >= 0).any(1)
    assert (plan.gain[~shown] == 0).all()


def with_one_good_pair() -> tuple[Toy, torch.Tensor]:
    """Items 2 and 5 are almost bought and cheap to the shop; the others are bought anyway or by nobody."""
    utility = torch.tensor([4.0, -9, -1.2, 4, -9, -1.0, 4, -9])
    toy = a_toy(8, utility=utility, slope=torch.full((8,), 4.0), price=torch.full((8,), 2.0))
    return toy, torch.full((8,), 0.4)


@pytest.mark.parametrize("knows", [True, False])
def test_it_offers_the_pair_that_pays(market, knows):
    toy, cost = with_one_good_pair()
    toy.knows = knows
    core = toy_core(market, toy, cost, n=16, n_candidates=8, max_size=2)
    plan = Planner(toy).plan(core, core.rows)
    items = items_of(core.candidates, plan.picks).sort(1).values
    assert (items == torch.tensor([2, 5])).all(1).float().mean() > (0.9 if knows else 0.6)
    bundles: list[tuple[int, ...]] = list(itertools.combinations(range(8), 2))
    known = {level: gains(toy, core, bundles, level).mean(1) for level in core.config.discounts}
    best = max(float(mean.max()) for mean in known.values())
    offered = [
        float(known[round(d, 2)][bundles.index(tuple(pair))])
        for pair, d in zip(items.tolist(), core.discounts[plan.level].tolist(), strict=True)
        if pair[0] >= 0
    ]
    assert len(offered) > 12 and np.mean(offered) > (0.9 if knows else 0.7) * best
    shown = (plan.picks >= 0).any(1)
    assert float(plan.gain[shown].mean()) == pytest.approx(np.mean(offered), rel=0.2)


def test_the_rest_of_the_basket_decides_between_finalists(market):
    toy, cost = with_one_good_pair()
    toy.utility = torch.tensor([4.0, -9, -2.0, -1.0, -9, -1.0, 4, -9])
    core = toy_core(market, toy, cost, n=16, n_candidates=8, max_size=2)
    before = Planner(toy, finalists=40).plan(core, core.rows)
    toy.synergy[7, 2] = 12.0  # who gets 2 because of an offer buys 7, too, which nobody is offered
    after = Planner(toy, finalists=40).plan(core, core.rows)
    with_two = [(items_of(core.candidates, p.picks) == 2).any(1).float().mean() for p in (before, after)]
    assert with_two[0] < 0.7 and with_two[1] > 0.9


@pytest.mark.parametrize(
    "direct, rest, offered",
    [
        ([3.0], [], False),  # one draw of many says that it pays
        ([3.0, 3.0], [], True),
        ([3.0, 3.0], [9.0, -8.0, 9.0, -12.0], True),  # luck moves the rest of the basket
        ([3.0, 3.0], [-9.0, -9.0, -9.0], False),  # it pushes out more than it sells
        ([-1.0, -1.0], [9.0, 9.0, 9.0], False),
        ([], [], False),
    ],
)
def test_what_offered_items_earn_decides_unless_the_whole_visit_speaks_against_it(
    market, monkeypatch, direct, rest, offered
):
    def told(values: list[float], shape: torch.Size) -> torch.Tensor:
        gains = torch.zeros(shape)
        gains[..., : len(values)] = torch.tensor(values)
        return gains

    def parts(visits, items, discount, numbers) -> Gains:
        shape = torch.Size([*items.shape[:2], len(numbers)])
        own = told(direct, shape)
        return Gains(own + told(rest, shape), own)

    monkeypatch.setattr(policy, "simulated_parts", parts)
    toy, cost = with_one_good_pair()
    core = toy_core(market, toy, cost, n=4)
    assert ((Planner(toy).plan(core, core.rows).picks >= 0).any(1) == offered).all()


def test_the_offered_items_of_each_offer_are_counted_apart(market):
    toy = a_toy(8, exposure=0.5)
    toy.synergy[:] = 0.8 * (1 - torch.eye(8))
    core = toy_core(market, toy, 0.5 * toy.price, n=3)
    core.reset()
    visits, numbers = Planner(toy).open_visits(core, core.rows), range(1, 65)
    items = torch.tensor([[[0, 1, 2], [3, 4, -1]], [[5, 6, 7], [0, 3, 5]], [[2, -1, -1], [4, 6, -1]]])
    discount = torch.tensor([[0.0, 0.1], [0.2, 0.3], [0.1, 0.0]])
    parts = simulated_parts(visits, items, discount, numbers)
    for n, t in itertools.product(range(3), range(2)):
        bundle, one = items[n, t][items[n, t] >= 0], visits.some(torch.tensor([n]))
        found = decompose_offer(one, bundle, float(discount[n, t]), numbers)
        direct = found["sold_new"]["mean"] + found["given_away"]["mean"]
        assert float(parts.direct[n, t].mean()) == pytest.approx(direct, abs=1e-5)
        assert float(parts.visit[n, t].mean()) == pytest.approx(found["gain"]["mean"], abs=1e-5)
    assert not torch.allclose(parts.direct, parts.visit)
    assert simulated_parts(visits.some(torch.arange(0)), items[:0], discount[:0], numbers).direct.shape == (
        0,
        2,
        64,
    )


@pytest.mark.parametrize("n", [1, 3])
def test_offers_that_are_simulated_beside_each_other_earn_what_each_does_alone(
    dataset, user_model, market, n
):
    core = BundleCore(
        market, user_model, EnvConfig(), n=n, shoppers=np.flatnonzero(dataset.split.held_out),
        weeks=dataset.split.test_weeks,
    )  # fmt: skip
    core.reset()
    visits, numbers = Planner(user_model).open_visits(core, core.rows), range(1, 34)
    items = torch.stack([core.candidates[:, :2], core.candidates[:, 2:4], core.candidates[:, 1:3]], 1)
    discount = torch.tensor([0.3, 0.0, 0.3]).expand(n, 3)
    beside = simulated_parts(visits, items, discount, numbers)
    for t in range(3):
        alone = simulated_parts(visits, items[:, [t]], discount[:, [t]], numbers)
        assert torch.equal(beside.visit[:, [t]], alone.visit)
        assert torch.equal(beside.direct[:, [t]], alone.direct)
    for row in range(n):
        one = visits.some(torch.tensor([row]))
        alone = simulated_parts(one, items[[row]], discount[[row]], numbers)
        assert torch.equal(beside.visit[[row]], alone.visit)
    assert beside.visit.any()


def test_each_offer_is_legal_and_episodes_run_through(market):
    toy = a_toy(8, exposure=1.0)
    for least, most in ((1, 1), (1, 2), (2, 4), (3, 4)):
        core = toy_core(market, toy, 0.5 * toy.price, n=8, min_size=least, max_size=most, visits=2)
        planner, sizes, done = Planner(toy, draws=16), [], torch.zeros(8, dtype=torch.bool)
        while not done.all():
            result = core.step(planner(core))  # raises where an action is masked
            if result.record is not None:
                sizes += result.record.size.tolist()
                done |= result.truncated.new_tensor(core.visit.numpy() >= 2)
        assert set(sizes) <= {0, *range(least, most + 1)} and max(sizes) > 0


def test_it_is_deterministic_and_does_not_know_the_luck_of_the_visit(market):
    toy = a_toy(8, exposure=0.5)
    core = toy_core(market, toy, 0.5 * toy.price)
    one, two = (Planner(toy).plan(core, core.rows) for _ in range(2))
    assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in vars(one))
    alone = Planner(toy).plan(core, core.rows[3:4])
    assert torch.equal(alone.picks, one.picks[3:4]) and torch.equal(alone.gain, one.gain[3:4])
    toy.seeds.clear()
    Planner(toy).plan(core, core.rows)
    assert core.seed not in toy.seeds and len(set(toy.seeds)) == 1
    core.seed += 1  # another luck of the visit, of the same shoppers with the same candidates
    other = Planner(toy).plan(core, core.rows)
    assert all(torch.equal(getattr(one, name), getattr(other, name)) for name in vars(one))
    assert not torch.equal(Planner(toy, seed=1).plan(core, core.rows).gain, one.gain)


def test_another_model_reacts_than_the_one_that_plans(market):
    good, cost = with_one_good_pair()
    core = toy_core(market, good, cost, reacts=a_toy(8))
    plan = Planner(good).plan(core, core.rows)
    same = Planner(good).plan(toy_core(market, good, cost), core.rows)
    assert torch.equal(plan.picks, same.picks) and bool((plan.picks >= 0).any())


def test_planning_changes_nothing(market):
    toy = a_toy(8)
    core, untouched = (toy_core(market, toy, 0.5 * toy.price) for _ in range(2))
    Planner(toy).plan(core, core.rows)
    policy = fill_by(lambda core: core.features[:, :, 0], 2)
    for _ in range(4):
        a, b = core.step(policy(core)), untouched.step(policy(untouched))
    assert torch.equal(a.record.margin, b.record.margin)


@pytest.mark.parametrize("family", ["choice", "lookalike"])
def test_the_direct_effect_is_what_a_fitted_model_does_with_the_offered_items(
    dataset, user_model, market, family, few_steps
):
    model = user_model if family == "choice" else LookalikeShopper.fit(dataset, progress=lambda _: None)
    core = BundleCore(
        market, model, EnvConfig(), n=4, shoppers=np.flatnonzero(dataset.split.held_out),
        weeks=dataset.split.test_weeks,
    )  # fmt: skip
    core.reset()
    visits, numbers = Planner(model).open_visits(core, core.rows), range(1, 129)
    for n, worth in enumerate(worths(visits, core.candidates, numbers, 4)):  # type: ignore[arg-type]
        one = visits.some(torch.tensor([n]))
        for size, discount in ((1, 0.1), (2, 0.0), (2, 0.2), (4, 0.3)):
            picks = np.random.default_rng(n).choice(core.k, size, replace=False)
            total = np.zeros(1)
            add_gains(worth, picks, size, np.array([discount]), total)
            items = core.candidates[n][torch.from_numpy(picks)]
            found = decompose_offer(one, items, discount, numbers)
            direct = found["sold_new"]["mean"] + found["given_away"]["mean"]
            assert direct == pytest.approx(total[0] / len(numbers), abs=1e-5)


def test_others_are_the_other_lucks_one_by_one():
    draws = Draws(7, torch.tensor([0, 5, 9]), torch.tensor([1, 0, 3]))
    many = draws.others(range(2, 6))
    got = many.uniform(3, torch.arange(4)).reshape(3, 4, 4)
    for d, number in enumerate(range(2, 6)):
        assert torch.equal(got[:, d], draws.other(number).uniform(3, torch.arange(4)))
