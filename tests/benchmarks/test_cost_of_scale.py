"""`benchmarks/cost_of_scale.py`: the bill is that of its formula, from what `scale.py` has measured."""

from __future__ import annotations

import json
import math

import pytest

from benchmarks.cost_of_scale import Costs, Shop, bill, group_of, measured
from bundlegym.errors import UserError

COSTS = Costs(
    prepare_s=1e-3, market_s=2e-3, fit_s=1e-2, step_s=0.1, offer_s=0.5,
    prepare_gb=1e-5, market_gb=2e-5, fit_gb=1e-3, week_gb=1e-4, held_gb=0.5,
)  # fmt: skip
#: Half of the 4 GB that a core has is left for shoppers, of whom each takes 0.001 GB in a fit.
SHOP = Shop(
    shoppers=10_000, lines_a_shopper=10, items=100, weeks=150, agents=2, steps=1000, sample=500,
    cores=2, memory_gb=8, hours=5, idle=0.5, price=0.1,
)  # fmt: skip


def test_groups_are_as_large_as_memory_lets_them_be():
    assert group_of(SHOP, COSTS) == 2000
    with pytest.raises(UserError, match="--memory-gb 4: .* does not hold one shopper"):
        group_of(Shop(**{**vars(SHOP), "memory_gb": 4}), COSTS)


@pytest.mark.parametrize(("one_fit", "fit", "train"), [(False, 1000, 5 * 200), (True, 50, 200)])
def test_the_bill_is_that_of_the_formula(one_fit, fit, train):
    found = bill(SHOP, COSTS, one_fit=one_fit)
    seconds = {"prepare": 100, "market": 200, "fit": fit, "train": train, "offers": 5000}
    assert found.stages == pytest.approx({stage: each / 3600 for stage, each in seconds.items()})
    hours = sum(seconds.values()) * 1.5 / 3600
    assert found.core_hours == pytest.approx(hours) and found.money == pytest.approx(hours * 0.1)
    assert found.machines == 1 and found.hours == pytest.approx(hours / 2)
    many = bill(Shop(**{**vars(SHOP), "hours": 0.1}), COSTS, one_fit=one_fit)
    assert many.machines == math.ceil(hours / 0.2) and many.hours <= 0.1


def test_costs_are_those_of_the_largest_log_of_each_stage(tmp_path):
    shared = {"shoppers": 100, "items": 50, "fit_shoppers": 10, "steps": 40, "peak_gb": 3.0, "held_gb": 1.0}
    rows = [
        shared | {"stage": "prepare", "rows": 2000, "cpu_seconds": 4.0},
        shared | {"stage": "prepare", "rows": 1000, "cpu_seconds": 9.0},
        shared | {"stage": "fit", "rows": 2000, "cpu_seconds": 6.0},
        shared | {"stage": "ppo", "rows": 2000, "cpu_seconds": 8.0},
        shared | {"stage": "offers", "rows": 2000, "cpu_seconds": 5.0},
        {"stage": "market", "rows": 2000, "error": "not done"},
    ]
    (tmp_path / "costs.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    found = measured(tmp_path / "costs.json")
    assert (found.prepare_s, found.prepare_gb) == (4 / 2000, 2 / 2000)
    assert (found.fit_s, found.fit_gb) == (6 / 200, 2 / 100)
    assert (found.step_s, found.offer_s, found.market_s) == (8 / 40, 5 / 100, Costs().market_s)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "costs.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="costs.json: not what scale.py --json writes"):
        measured(tmp_path / "costs.json")
