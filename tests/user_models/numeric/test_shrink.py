"""Estimates are drawn toward no effect by their standard errors."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.user_models.numeric.shrink import shrink


def test_an_exact_estimate_stands_and_one_of_which_nothing_is_known_is_neutral() -> None:
    estimate, error = np.array([0.4, 0.4, 0.4, np.nan, 9.0]), np.array([0.0, 0.5, np.inf, np.inf, np.inf])
    assert shrink(estimate, error, 0.5).tolist() == pytest.approx([0.4, 0.2, 0.0, 0.0, 0.0])
    assert shrink(estimate, error, 0.5, neutral=1.0).tolist() == pytest.approx([0.4, 0.7, 1.0, 1.0, 1.0])
    assert float(shrink(0.0, float("inf"), 0.25)) == 0.0


@pytest.mark.parametrize("error", [0.1, 0.25, 0.6])
def test_it_is_nearer_to_the_truth_than_a_cut_at_two_standard_errors_and_than_the_estimate(error) -> None:
    rng = np.random.default_rng(0)
    for spread in (0.15, 0.25, 0.4):  # the prior need not be right
        true = rng.normal(0, spread, 40_000)
        estimate = true + rng.normal(0, error, true.shape)
        cut = np.where(abs(estimate) > 2 * error, estimate, 0.0)
        far = {
            name: np.square(rule - true).mean()
            for name, rule in (
                ("as it is", estimate),
                ("cut", cut),
                ("shrunk", shrink(estimate, error, 0.25)),
            )
        }
        assert far["shrunk"] < 1.05 * min(far["as it is"], far["cut"]), (spread, far)
