"""The compiled parts whose answers the comparison with torch does not settle."""

from __future__ import annotations

import dataclasses
import inspect

import numpy as np
import pytest
import torch

from bundlegym.envs import compiled as compiled_parts
from bundlegym.envs import reference
from bundlegym.envs.arrays import History
from bundlegym.envs.base import FIGURES, GAIN, METRICS, OF_OFFERS
from bundlegym.envs.views import figures_of
from bundlegym.recommenders.recency import last_bought_by_week
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Offer


@pytest.mark.parametrize("levels", [3, 40, 1 << 22])
def test_least_are_those_of_a_stable_sort_however_many_are_alike(levels):
    rng, slots = np.random.default_rng(levels), np.empty(12, dtype=np.int64)
    for length in (12, 13, 50, 160):
        rank = rng.integers(0, levels, length).astype(np.float32) * np.float32(1e30)
        compiled_parts._k_least(rank, np.empty(length + 1, dtype=np.int64), slots)
        assert slots.tolist() == np.argsort(rank, kind="stable")[:12].tolist()


@pytest.mark.parametrize("compiled", [True, False])
def test_money_is_at_the_cost_and_list_price_of_the_visits_week(compiled):
    unit_cost = np.array([[1.0, 2.0], [1.5, 4.0], [0.5, 8.0]], dtype=np.float32)  # 3 weeks, 2 items
    list_price = np.array([[2.0, 3.0], [2.5, 6.0], [4.0, 9.0]], dtype=np.float32)
    day = np.array([8, -3, 30, 20])  # weeks 1, 0, 2 (the last one) and 2
    row = np.array([0, 0, 1, 2, 4, 6, 6])  # four shoppers, then their twins
    item, quantity = np.array([0, 1, 1, 0, 1, 0, 1]), np.array([2, 1, 3, 1, 1, 1, 2])
    price = np.array([2.0, 5.0, 2.5, 3.0, 6.0, 4.0, 9.0], dtype=np.float32)
    nothing = np.zeros(4, dtype=np.int64), np.zeros(8, dtype=np.float32), np.zeros(8, dtype=np.int64)
    given = (day, *nothing, row, item, quantity, price, unit_cost, list_price)
    if compiled:
        found = compiled_parts.figures(*given)
    else:
        found = reference.figures(*map(torch.from_numpy, given)).numpy()
    figures = dict(zip(FIGURES, found.tolist(), strict=True))
    margin, twin_margin = [2 * 0.5 + 1.0, 3 * 0.5, 2.5, 0.0], [2.0, 0.0, 3.5 + 2 * 1.0, 0.0]
    assert figures["revenue_per_visit"] == [9.0, 7.5, 3.0, 0.0]
    assert figures["margin_per_visit"] == margin and figures["twin_margin_per_visit"] == twin_margin
    assert figures[GAIN] == [own - other for own, other in zip(margin, twin_margin, strict=True)]
    list_value = [2 * 2.5 + 6.0 - 6.0, 3 * 3.0, 4.0 - 4.0 - 2 * 9.0, 0.0]
    assert figures["incremental_list_value_per_visit"] == list_value
    assert np.isnan(found[: len(OF_OFFERS)]).all()


@pytest.mark.parametrize("compiled", [True, False])
def test_what_speaks_of_an_offer_is_unknown_where_there_was_none(compiled):
    size, choice = np.array([2, 0, 3]), np.array([TAKE, IGNORE, CHERRY_PICK] + 3 * [IGNORE])
    discount = np.array([0.25, 0.0, 0.5, 0.0, 0.0, 0.0], dtype=np.float32)
    none, money = np.empty(0, dtype=np.int64), np.ones((1, 1), dtype=np.float32)
    given = (
        np.zeros(3, dtype=np.int64),
        size,
        discount,
        choice,
        none,
        none,
        none,
        money[0, :0],
        money,
        money,
    )
    if compiled:
        found = compiled_parts.figures(*given)
    else:
        found = reference.figures(*map(torch.from_numpy, given)).numpy()
    expected = [[1, np.nan, 0], [0, np.nan, 1], [2, np.nan, 3], [0.25, np.nan, 0.5]]
    np.testing.assert_array_equal(found[: len(OF_OFFERS)], expected)
    assert not found[len(OF_OFFERS) :].any()


def test_figures_are_the_metrics_of_the_visits_that_ended(make_core):
    core = make_core(n=40)
    for step in range(3):
        action = core.masks().float().argmax(1)
        action[::3] = -1
        action[1::3] = core.k if step != 1 else -1
        result = core.step(action)
        if step == 1:
            assert result.record is None and not figures_of(result.record, core.n)[1].any()
    result = core.step(torch.full((core.n,), core.k + 1).where(core.masks()[:, core.k + 1], core.k))
    record = result.record
    figures, known = figures_of(record, core.n)
    assert known.nonzero()[0].tolist() == record.slot.tolist() and not figures[:, ~known].any()
    for name, row in zip(METRICS, figures, strict=True):
        np.testing.assert_array_equal(row[known], record.metrics()[name].numpy(), err_msg=name)


def test_history_is_that_of_the_weeks_before(dataset, market):
    by_week = last_bought_by_week(dataset, market.shortlist.numpy())
    everybody = torch.arange(dataset.n_shoppers)
    history = [getattr(market, name) for name in History._fields]
    for week in (0, 1, 7, dataset.n_weeks - 1):
        before = torch.full_like(everybody, 7 * week)
        plain = reference.last_bought(everybody, before, History(*history), by_week.shape[2])
        arrays = everybody.numpy(), before.numpy(), History(*(value.numpy() for value in history))
        found = compiled_parts.last_bought(*arrays, by_week.shape[2])
        np.testing.assert_array_equal(plain.numpy(), by_week[week])
        np.testing.assert_array_equal(found, by_week[week])
    assert (by_week[7] >= 0).any()


def test_both_implementations_have_the_same_functions():
    def functions(module) -> dict[str, list[str]]:
        found = {name: getattr(value, "py_func", value) for name, value in vars(module).items()}
        return {
            name: list(inspect.signature(function).parameters)
            for name, function in found.items()
            if inspect.isfunction(function) and function.__module__ == module.__name__ and name[0] != "_"
        }

    assert functions(reference) == functions(compiled_parts) and "open_visits" in functions(reference)


@pytest.mark.parametrize("compiled", [True, False])
def test_step_is_act_in_tensors(make_core, compiled):
    stepped, acted = make_core(n=6), make_core(n=6)
    for core in (stepped, acted):
        core._views(compiled)
        core.reset()
    for action in (torch.zeros(6, dtype=torch.int64), torch.ones(6, dtype=torch.int64)):
        assert stepped.step(action).record is acted.act(acted.as_given(action)).record is None
    action = torch.tensor([acted.k + 1, -1] * 3)
    told, found = stepped.step(action), acted.act(acted.as_given(action))
    for one, other in zip((told.reward, told.terminated, told.truncated), found[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    record = acted.record_of(found.record)
    assert told.record.slot.tolist() == record.slot.tolist() == [0, 2, 4]
    assert torch.equal(told.record.figures, record.figures)
    assert told.record.size.tolist() == [2, 2, 2] and len(record) == 3


def test_arrays_of_an_answer_are_its_tensors_memory_and_not_another_answers(user_model, make_core):
    core = make_core(n=4)
    offer, draws = Offer.nothing(8, 4, core.device), core.draws(torch.arange(4).repeat(2))
    response, _ = user_model.respond(core.state, offer, draws)
    for array, tensor in zip(response.arrays, response.tensors, strict=True):
        assert array.ctypes.data == tensor.data_ptr() or not len(array)
    changed = dataclasses.replace(response, days=response.days + 1)
    assert changed.arrays[5].tolist() == [days + 1 for days in response.days.tolist()]
