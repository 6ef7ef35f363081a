"""What offers do at each discount level: the interval carries the fit, what is beyond the log is marked."""

from __future__ import annotations

import pytest

from bundlegym.evaluation.discount_levels import _with_fit, as_text
from bundlegym.evaluation.rollout import t_factor


def figure(mean: float, half: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - half, "high": mean + half}


def test_the_interval_is_of_episodes_and_fit() -> None:
    whole, error = figure(1.0, 1.96 * 0.3), 0.3
    found = _with_fit([whole, figure(1.4, 9.0), figure(0.6, 9.0), figure(1.4, 9.0)])
    assert found["mean"] == 1.0 and found["fit_share"] == pytest.approx(0.16 / (0.16 + error**2))
    width = t_factor(4) * (0.16 + error**2) ** 0.5
    assert (found["low"], found["high"]) == pytest.approx((1 - width, 1 + width))
    same = _with_fit([whole, whole, whole])
    assert same["fit_share"] == 0 and same["high"] == pytest.approx(1 + t_factor(3) * error)


def test_what_is_beyond_the_log_is_marked() -> None:
    gain = figure(-0.1, 0.02) | {"fit_share": 0.4}
    row = {"offer_exposure": 0.0, "offers": "most_bought", "acceptance_rate": figure(0.99, 0.02)}
    row |= {"incremental_margin_per_visit": gain}
    row |= {f"incremental_margin_at_{side}_margins": -0.2 for side in ("lower", "higher")}
    rows = [row | {"discount": 0.1, "beyond_support": False}, row | {"discount": 0.3, "beyond_support": True}]
    text = as_text(rows)
    assert "10% off  " in text and "30% off* " in text and "*: deeper than any promotion" in text
    assert "[0.970, 1.000]" in text  # a share is at most 1
    assert "*" not in as_text(rows[:1])
