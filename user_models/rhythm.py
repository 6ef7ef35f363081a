"""How often shoppers come, how much a visit holds, how many units a line: read off the training weeks."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset

QUANTILES = 17
_SILENT_WEEKS = 8  # without a visit for so long before the training weeks end, a shopper has left


def extra_units(dataset: Dataset) -> np.ndarray:
    """(n_items,) float32, mean units beyond the first, of a geometric law fitted on the training weeks."""
    visit = dataset.purchases["visit"].to_numpy()
    week = dataset.visits["week"].to_numpy()[visit]
    held = dataset.split.held_out[dataset.visits["shopper"].to_numpy()[visit]]
    keep = (week >= dataset.split.train_weeks[0]) & (week < dataset.split.train_weeks[1]) & ~held
    item = dataset.purchases["item"].to_numpy()[keep]
    extra = dataset.purchases["quantity"].to_numpy()[keep] - 1.0
    lines = np.bincount(item, minlength=dataset.n_items)
    units = np.bincount(item, weights=extra, minlength=dataset.n_items)
    return ((units + 5 * extra.mean()) / (lines + 5) + 1e-4).astype(np.float32)


def visit_pattern(dataset: Dataset) -> dict[str, np.ndarray]:
    """How often and how much: `visit_gap` (n_shoppers, 17) quantiles of days between visits, `mean_size`
    (n_shoppers,) lines a visit, `trip_sigma` () spread of log size, `leave_rate` () chance that a visit
    is the last."""
    first, end = dataset.split.train_weeks
    visits = dataset.visits.assign(
        lines=np.bincount(dataset.purchases["visit"], minlength=len(dataset.visits))
    )
    visits = visits[visits["week"].between(first, end - 1)]
    known = visits[~dataset.split.held_out[visits["shopper"].to_numpy()]]
    grouped = visits.groupby("shopper")["lines"]
    overall = known["lines"].mean()
    count = grouped.size().reindex(range(dataset.n_shoppers), fill_value=0).to_numpy()
    total = grouped.sum().reindex(range(dataset.n_shoppers), fill_value=0).to_numpy()
    mean_size = (total + 5 * overall) / (count + 5)
    own = known.groupby("shopper")["lines"].transform("mean")
    excess = ((known["lines"] - own) ** 2 - own).mean() / (own**2).mean()
    days = visits.groupby("shopper")["day"].diff()
    days = days.where(days > 0)
    levels = np.linspace(0, 1, QUANTILES)
    everybody = np.quantile(days[known.index].dropna(), levels)
    gaps = np.tile(everybody, (dataset.n_shoppers, 1))
    for shopper, own_days in days.dropna().groupby(visits["shopper"]):
        weight = len(own_days) / (len(own_days) + 5)
        gaps[shopper] = weight * np.quantile(own_days, levels) + (1 - weight) * everybody
    silent = known.groupby("shopper")["week"].max() < end - _SILENT_WEEKS
    return {
        "visit_gap": np.concatenate([gaps, gaps[:, -1:]], 1).astype(np.float32),
        "mean_size": mean_size.astype(np.float32),
        "trip_sigma": np.array([np.sqrt(np.log1p(max(excess, 0.0)))], dtype=np.float32),
        "leave_rate": np.array([silent.sum() / len(known)], dtype=np.float32),
    }
