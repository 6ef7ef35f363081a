"""Logs of a shop that times its discounts to demand, drawn by `benchmarks/price_timing.py`: of which timing
the price response is recovered, and how far off it is where it is not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "price_timing.py"


@pytest.fixture(scope="module")
def timing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_price_timing", BENCHMARK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_without_timing_the_price_response_comes_out(timing):
    slope, neighbours = timing.recovered(timing.draw("department", 0.0))
    assert slope == pytest.approx(1.0, abs=0.1)
    assert neighbours == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("link", [-0.6, 0.6])
def test_discounts_in_a_departments_season_do_not_pass_as_price_response(timing, link):
    log = timing.draw("department", link)
    (slope, neighbours), (without, far) = timing.recovered(log), timing.recovered(log, "none")
    assert slope == pytest.approx(1.0, abs=0.15)
    assert abs(neighbours) < 0.8
    # Effects of departments in each week are what recovers it.
    assert (without - 1) * link > 0 and abs(without - 1) > 0.15 and abs(far) > 2.0


@pytest.mark.parametrize("link", [-0.6, 0.6])
def test_discounts_in_an_items_own_good_weeks_bias_the_price_response_as_foretold(timing, link):
    """No log can tell such a shock from an answer to the price; how far off it is, is known."""
    log = timing.draw("item", link)
    slope, _ = timing.recovered(log)
    assert abs(log.foretold() - 1) > 0.35
    assert slope == pytest.approx(log.foretold(), abs=0.1)


@pytest.mark.parametrize("link", [-0.6, 0.6])
def test_discounts_in_a_categorys_season_bias_prices_of_neighbours_more_than_own(timing, link):
    """Half of the season passes as an effect of the neighbours' prices, which is none."""
    log = timing.draw("category", link)
    slope, neighbours = timing.recovered(log)
    assert 0.15 < (slope - 1) * (1 if link > 0 else -1) < 0.35 < abs(log.foretold() - 1)
    assert neighbours * link > 0 and 1.5 < abs(neighbours) < 3.5
