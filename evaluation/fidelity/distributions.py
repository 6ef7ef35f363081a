"""The eight distributions by which RetailSynth was calibrated (Xia et al. 2023), as KS-complements.

A KS-complement is 1 less the two-sample Kolmogorov-Smirnov distance, as in SDMetrics: 1 where real and
simulated are distributed alike. Each is RetailSynth's own, by shopper-weeks, but for the store visit: theirs
is the distribution over weeks of the share of shoppers who come, of which a held-out span holds too few weeks
to tell 0.95 from chance (two samples of 9 cannot come nearer than 0.89). Ours is the distribution over
shoppers of the share of weeks in which they come, which asks for more.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data import Dataset

#: RetailSynth's own figures, without a held-out split.
RETAILSYNTH = {
    "items_per_product_week": 0.991,
    "quantity": 0.944,
    "product_purchase": 0.893,
    "time_since_purchase": 0.869,
    "category_purchase": 0.845,
    "categories_per_basket": 0.692,
    "store_visit": 0.680,
    "items_per_customer_week": 0.486,
}
_ACQUIRED = 3  # weeks in which a shopper must have come for the time since purchase to count


def eight(
    panel: pd.DataFrame, dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray
) -> dict[str, np.ndarray]:
    """A sample of each of the eight quantities, in the order of `RETAILSYNTH`."""
    n_weeks = weeks[1] - weeks[0]
    week = panel["week"].to_numpy() - weeks[0]
    item, quantity = panel["item"].to_numpy(), panel["quantity"].to_numpy()
    category = pd.factorize(dataset.items["category"])[0]
    place = np.searchsorted(shoppers, panel["shopper"].to_numpy())
    customer_week = place * n_weeks + week
    cells = len(shoppers) * n_weeks

    by_line = panel.assign(quantity=quantity).groupby(["shopper", "week", "item"])["quantity"].sum()
    product_lines = np.bincount(by_line.index.get_level_values("item"), minlength=dataset.n_items)
    pairs = np.unique(customer_week * (category.max() + 1) + category[item])
    categories = np.bincount(pairs // (category.max() + 1), minlength=cells)
    came = np.zeros((len(shoppers), n_weeks), dtype=bool)
    came[place, week] = True
    customer_units = np.bincount(customer_week, weights=quantity, minlength=cells)
    return {
        "items_per_product_week": np.bincount(
            item * n_weeks + week, weights=quantity, minlength=dataset.n_items * n_weeks
        ),
        "quantity": by_line.to_numpy(),
        "product_purchase": product_lines / cells,
        "time_since_purchase": _weeks_since(came),
        "category_purchase": np.bincount(pairs % (category.max() + 1), minlength=category.max() + 1) / cells,
        "categories_per_basket": categories,
        "store_visit": came.mean(1),
        "items_per_customer_week": customer_units[customer_units > 0],
    }


def _weeks_since(came: np.ndarray) -> np.ndarray:
    """Weeks since each shopper last came, at every week after the first three, of those who came in them."""
    came = came[came[:, :_ACQUIRED].any(1)]
    column = np.arange(came.shape[1])
    latest = np.maximum.accumulate(np.where(came, column, -1), axis=1)
    return (column[_ACQUIRED:] - latest[:, _ACQUIRED - 1 : -1]).ravel()


def ks_complements(real: dict[str, np.ndarray], simulated: dict[str, np.ndarray]) -> dict[str, float]:
    """1 less the Kolmogorov-Smirnov distance, by quantity; 0 where nothing was simulated, and NaN where the
    real side has fewer than two values, as a log of one category has of categories."""
    return {name: _ks_complement(real[name], simulated[name]) for name in real}


def _ks_complement(real: np.ndarray, simulated: np.ndarray) -> float:
    if len(real) < 2:
        return float("nan")
    if not len(simulated):
        return 0.0
    from scipy.stats import ks_2samp  # takes long to import, and processes that only train need none of it

    with np.errstate(divide="ignore"):  # of the p-value, which is not asked for
        return float(1 - ks_2samp(real, simulated, method="asymp").statistic)
