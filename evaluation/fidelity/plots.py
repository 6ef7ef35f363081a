"""Plots of fidelity, one an axis: what shoppers did, and what simulated ones did instead."""

from __future__ import annotations

from typing import Any

import numpy as np

from bundlegym.evaluation.fidelity.distributions import RETAILSYNTH
from bundlegym.evaluation.fidelity.samples import Samples

_REAL, _SIMULATED = "#1b6ca8", "#e07a1f"
_HISTOGRAMS = (*RETAILSYNTH, "basket_size", "basket_value", "days_between_visits", "days_between_purchases")
_LIFTS = ("lift_categories", "lift_items")
#: What `draw` knows.
PLOTS = (*_HISTOGRAMS, *_LIFTS, "elasticity", "calibration")


def draw(axis: Any, name: str, content: dict[str, Any], samples: Samples) -> None:
    """One of `PLOTS` on a matplotlib axis.

    Args:
        content: the figures of `report.as_json`.
        samples: of known shoppers, as `measure` gives them.
    """
    if name in _LIFTS:
        _lift(axis, name, *samples[name])
    elif name == "calibration":
        _calibration(axis, content["calibration_error"], *samples[name])
    else:
        _histograms(axis, *samples[name])
        ks = content["ks_complement"] | content["ks_complement_more"]
        if name == "elasticity":
            title = "own-price elasticity by category"
        else:
            shown = "-" if ks[name] is None else f"{ks[name]:.3f}"
            title = f"{name.replace('_', ' ')}\nKS-complement {shown}"
        axis.set_title(title, fontsize=11)


def _lift(axis: Any, name: str, real: np.ndarray, simulated: np.ndarray) -> None:
    axis.loglog(real, simulated, ".", color=_SIMULATED, markersize=2, alpha=0.4, rasterized=True)
    told = np.concatenate([real, simulated])
    told = told[~np.isnan(told)]
    ends = [told.min(), told.max()] if len(told) else []  # a small log has no frequent pairs
    axis.plot(ends, ends, color="black", linewidth=1)
    _plain_ticks(axis)
    axis.set_title(f"co-purchase {name.replace('_', ' of ')}", fontsize=11)
    axis.set_xlabel("real")
    axis.set_ylabel("simulated")


def _calibration(axis: Any, error: float | None, predicted: np.ndarray, observed: np.ndarray) -> None:
    axis.loglog(predicted, observed, "o-", color=_SIMULATED)
    axis.plot(predicted, predicted, color="black", linewidth=1)
    _plain_ticks(axis)
    axis.set_title(f"calibration, expected error {'-' if error is None else f'{error:.4f}'}", fontsize=11)
    axis.set_xlabel("predicted chance to buy from a category")
    axis.set_ylabel("observed rate")


def _histograms(axis: Any, real: np.ndarray, simulated: np.ndarray) -> None:
    """Both samples in the same bins, up to the 99.5th percentile; values get a bin each where they are few.
    Heights are on a log scale where they differ much."""
    both = np.concatenate([real, simulated])
    if len(both) == 0:
        axis.text(0.5, 0.5, "nothing of it in this log", ha="center", transform=axis.transAxes)
        return
    low, high = both.min(), np.percentile(both, 99.5)
    values = np.unique(both[both <= high])
    bins = np.linspace(low, high, 40)
    if 1 < len(values) <= 60:
        middles = (values[1:] + values[:-1]) / 2
        bins = np.r_[2 * values[0] - middles[0], middles, 2 * values[-1] - middles[-1]]
    heights = []
    for sample, label, colour in ((real, "real", _REAL), (simulated, "simulated", _SIMULATED)):
        weight = np.full(len(sample), 1 / max(len(sample), 1))
        style = {"histtype": "step", "label": label, "color": colour, "linewidth": 1.8}
        heights.append(axis.hist(sample, bins, weights=weight, **style)[0])
    seen = np.concatenate(heights)[np.concatenate(heights) > 0]
    if len(seen) and seen.max() > 20 * seen.min():
        axis.set_yscale("log")


def _plain_ticks(axis: Any) -> None:
    """Numbers at 1, 2 and 5 of each decade: in less than two decades a log scale's own labels overlap."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
        scale.set_major_formatter(FormatStrFormatter("%g"))
        scale.set_minor_formatter(NullFormatter())
