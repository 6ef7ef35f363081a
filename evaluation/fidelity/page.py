"""A page of plots, real against simulated: an HTML file with a PNG beside it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.evaluation.fidelity.distributions import RETAILSYNTH

_REAL, _SIMULATED = "#1b6ca8", "#e07a1f"


def write_page(
    folder: Path, content: dict[str, Any], samples: dict[str, tuple[np.ndarray, np.ndarray]], text: str
) -> Path:
    """Write `fidelity.html` and `fidelity.png` into `folder`; the page's path. `samples` are of known
    shoppers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    names = [*RETAILSYNTH, "basket_size", "basket_value", "days_between_visits", "days_between_purchases"]
    figure, axes = plt.subplots(4, 4, figsize=(18, 15), constrained_layout=True)
    for name, axis in zip(names, axes.flat, strict=False):
        ks = content["ks_complement"] | content["ks_complement_more"]
        _histograms(axis, *samples[name])
        shown = "-" if ks[name] is None else f"{ks[name]:.3f}"
        axis.set_title(f"{name.replace('_', ' ')}\nKS-complement {shown}", fontsize=11)
    for name, axis in zip(("lift_categories", "lift_items"), axes.flat[12:14], strict=True):
        real, simulated = samples[name]
        axis.loglog(real, simulated, ".", color=_SIMULATED, markersize=2, alpha=0.4)
        told = np.concatenate([real, simulated])
        told = told[~np.isnan(told)]
        ends = [told.min(), told.max()] if len(told) else []  # a small log has no frequent pairs
        axis.plot(ends, ends, color="black", linewidth=1)
        _plain_ticks(axis)
        axis.set_title(f"co-purchase {name.replace('_', ' of ')}", fontsize=11)
        axis.set_xlabel("real")
        axis.set_ylabel("simulated")
    axis = axes.flat[14]
    _histograms(axis, *samples["elasticity"])
    axis.set_title("own-price elasticity by category", fontsize=11)
    axis = axes.flat[15]
    predicted, observed = samples["calibration"]
    axis.loglog(predicted, observed, "o-", color=_SIMULATED)
    axis.plot(predicted, predicted, color="black", linewidth=1)
    _plain_ticks(axis)
    error = content["calibration_error"]
    axis.set_title(f"calibration, expected error {'-' if error is None else f'{error:.4f}'}", fontsize=11)
    axis.set_xlabel("predicted chance to buy from a category")
    axis.set_ylabel("observed rate")
    axes.flat[0].legend()
    figure.savefig(folder / "fidelity.png", dpi=80)
    plt.close(figure)
    page = folder / "fidelity.html"
    title = f"Fidelity of {content['user_model']} on {content['log']}"
    page.write_text(
        f"<!doctype html><meta charset='utf-8'><title>{html.escape(title)}</title>\n"
        f"<h1>{html.escape(title)}</h1>\n<img src='fidelity.png' style='max-width:100%'>\n"
        f"<pre style='white-space: pre-wrap'>{html.escape(text)}</pre>\n",
        encoding="utf-8",
    )
    return page


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
