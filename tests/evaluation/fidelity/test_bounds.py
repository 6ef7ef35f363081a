"""Which measures miss their bounds, and where luck or the log excuses them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bundlegym.evaluation.fidelity.bounds import failures
from bundlegym.evaluation.fidelity.distributions import RETAILSYNTH

GOOD: dict[str, Any] = {
    "ks_complement": dict.fromkeys(RETAILSYNTH, 0.96),
    "ks_complement_of_luck": dict.fromkeys(RETAILSYNTH, 0.99),
    "base_rates": {"lines_per_visit": {"ratio": 1.01, "low": 1.0, "high": 1.02}},
    "co_purchase_lift": {"worst_decile": 0.09, "worst_decile_of_luck": 0.02},
    "co_purchase_lift_items": {"worst_decile": 0.09, "worst_decile_of_luck": 0.02},
    "calibration_error": 0.009,
    "two_sample": {"baskets": {"auc": 0.59, "low": 0.57, "high": 0.61}},
    "response": {
        "real": {"elasticity": -1.0, "elasticity_error": 0.1},
        "simulated": {"elasticity": -2.0, "elasticity_error": 0.1},
    },
}


def missed(where: tuple[str, ...], **values: Any) -> list[str]:
    """What a user model misses that is good but for `values` in one place."""
    part = copy.deepcopy(GOOD)
    place = part
    for name in where:
        place = place[name]
    place.update(values)
    return failures({**copy.deepcopy(GOOD), "held_out": part})


def test_a_good_one_misses_nothing() -> None:
    assert missed(()) == []


@pytest.mark.parametrize(
    ("where", "bad", "sentence", "excused"),
    [
        (("ks_complement",), {"quantity": 0.94}, "KS-complement of quantity is 0.940, below 0.95", None),
        (
            ("base_rates", "lines_per_visit"),
            {"ratio": 1.05, "low": 1.03, "high": 1.07},
            "base rate lines_per_visit is 1.050 of the real one",
            {"ratio": 1.05, "low": 1.01, "high": 1.09},
        ),
        (
            ("co_purchase_lift_items",),
            {"worst_decile": 0.2},
            "co-purchase lift of items is off by 0.200",
            {"worst_decile": 0.2, "worst_decile_of_luck": 0.21},
        ),
        ((), {"calibration_error": 0.011}, "calibration error is 0.0110", {"calibration_error": None}),
        (
            (),
            {"calibration_error": 0.03, "calibration_error_of_luck": 0.02},
            "calibration error is 0.0300",
            {"calibration_error": 0.03, "calibration_error_of_luck": 0.031},
        ),
        (
            ("two_sample", "baskets"),
            {"auc": 0.7, "low": 0.65},
            "two-sample AUC of baskets is 0.700, above 0.60",
            {"auc": 0.62, "low": 0.59},
        ),
        (
            ("response", "simulated"),
            {"elasticity": -0.5},
            "elasticity is -0.50, not within -1.5 to -3.5, and that of the log is -1.00",
            {"elasticity": -0.8},
        ),
    ],
)
def test_what_misses_its_bound_is_named(
    where: tuple[str, ...], bad: dict[str, Any], sentence: str, excused: dict[str, Any] | None
) -> None:
    (found,) = missed(where, **bad)
    assert found.startswith("held-out shoppers: ") and sentence in found
    if excused is not None:
        assert missed(where, **excused) == []


def test_the_weeks_before_excuse_what_no_fit_on_them_could_know() -> None:
    rate = {"ratio": 0.7, "low": 0.65, "high": 0.75}
    assert missed(("base_rates", "lines_per_visit"), **rate, ratio_of_drift=0.69) == []
    assert missed(("base_rates", "lines_per_visit"), **rate, ratio_of_drift=0.8)
    assert missed(("two_sample", "baskets"), auc=0.7, low=0.68, auc_of_drift=0.69) == []
    assert missed(("two_sample", "baskets"), auc=0.7, low=0.68, auc_of_drift=0.65)
    part = copy.deepcopy(GOOD)
    part["ks_complement"]["quantity"] = 0.9
    assert failures({**part, "ks_complement_of_drift": {"quantity": 0.89}, "held_out": GOOD}) == []
    assert failures({**part, "ks_complement_of_drift": {"quantity": 0.91}, "held_out": GOOD})


def test_luck_excuses_a_distribution() -> None:
    assert missed(("ks_complement_of_luck",), quantity=0.9) == []
    part = copy.deepcopy(GOOD)
    part["ks_complement"]["quantity"] = 0.91
    part["ks_complement_of_luck"]["quantity"] = 0.9
    assert failures({**part, "held_out": GOOD}) == []
    part["ks_complement"]["quantity"] = None
    assert failures({**part, "held_out": GOOD}) == []
