"""How many units a line holds: one, and a geometric number of further ones.

Their mean is the item's own, shrunk to its category's and the shop's, times the shopper's, times
(price / usual price)^-g: whoever buys on a deal buys more. Whoever takes two of one yogurt takes two of the
other: with the chance `units_alike` a line's luck is that of its subcategory at the visit, else its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models import streams
from bundlegym.user_models.draws import Draws
from bundlegym.user_models.taste import subcategories

_ITEM_LINES, _SHOPPER_LINES = 20.0, 40.0  # weight of the averages


def fit_units(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, rebate: np.ndarray
) -> dict[str, np.ndarray]:
    """`extra_units` (I,) and `extra_factor` (S,) float32, `extra_slope` () = g, `units_alike` (); `rebate`
    (n_weeks, I) is log(usual price / price)."""
    rows = visit_rows(dataset, weeks)
    lines, place = lines_of(dataset, rows)
    visits = dataset.visits.iloc[rows]
    shopper, week = (visits[name].to_numpy()[place] for name in ("shopper", "week"))
    item = dataset.purchases["item"].to_numpy()[lines]
    extra = dataset.purchases["quantity"].to_numpy()[lines] - 1.0
    known = shoppers[shopper]
    category = pd.factorize(dataset.items["category"])[0]

    def shrunk(code: np.ndarray, of: np.ndarray, prior: np.ndarray | float) -> np.ndarray:
        count = np.bincount(code[known], minlength=len(of))
        total = np.bincount(code[known], weights=extra[known], minlength=len(of))
        return (total + _ITEM_LINES * prior) / (count + _ITEM_LINES)

    by_category = shrunk(category[item], np.arange(category.max() + 1), extra[known].mean())
    mean = shrunk(item, category, by_category[category]) + 1e-4
    slope = 0.0
    factor = np.ones(dataset.n_shoppers)
    for _ in range(10):  # alternate between the shoppers' factors, the items' means and the slope
        expected = mean[item] * np.exp(slope * rebate[week, item])
        totals = [np.bincount(shopper, weights=w, minlength=len(factor)) for w in (extra, expected)]
        pseudo = _SHOPPER_LINES * extra[known].mean()
        factor = (totals[0] + pseudo) / (totals[1] + pseudo)
        expected = expected * factor[shopper]
        x = rebate[week, item][known]
        residual = (extra - expected)[known] / (1 + expected[known])
        curvature = (expected[known] / (1 + expected[known]) * x**2).sum() + 1.0
        slope += float((residual * x).sum() / curvature)
        ratio = [np.bincount(item[known], weights=w[known], minlength=len(mean)) for w in (extra, expected)]
        mean *= (ratio[0] + _ITEM_LINES * mean) / (ratio[1] + _ITEM_LINES * mean)
    expected = mean[item] * np.exp(max(slope, 0.0) * rebate[week, item]) * factor[shopper]
    group = place * (subcategories(dataset).max() + 1) + subcategories(dataset)[item]
    alike = _likeness(extra[known] > 0, expected[known] / (1 + expected[known]), group[known])
    return {
        "units_alike": np.array(np.sqrt(alike), dtype=np.float32),
        "extra_units": mean.astype(np.float32),
        "extra_factor": factor.astype(np.float32),
        "extra_slope": np.array(max(slope, 0.0), dtype=np.float32),
    }


def draw_units(t: dict[str, Tensor], shopper: Tensor, item: Tensor, week: Tensor, luck: Draws) -> Tensor:
    """(P,) int64 units of lines of `shopper`, `item` and `week` (P,) each, with the luck of each one's visit.
    Of `t`, what `fit_units` gives, the `rebate` that it was given, and each item's subcategory, `group`."""
    extra = t["extra_units"][item] * t["extra_factor"][shopper]
    extra = extra * torch.exp(t["extra_slope"] * t["rebate"][week, item])
    alike = luck.uniform(streams.ALIKE, item[:, None])[:, 0] < t["units_alike"]
    own = luck.uniform(streams.UNITS, item[:, None])[:, 0]
    common = luck.uniform(streams.GROUP_UNITS, t["group"][item][:, None])[:, 0]
    more = torch.log(torch.where(alike, common, own)) / torch.log(extra / (1 + extra))
    return 1 + torch.floor(more).long()


def _likeness(happened: np.ndarray, chance: np.ndarray, group: np.ndarray) -> float:
    """Correlation of events of the given chances within groups, in 0..1."""
    spread = np.sqrt(chance * (1 - chance))

    def pairs(value: np.ndarray) -> float:
        """Sum of products over pairs of one group."""
        _, code = np.unique(group, return_inverse=True)
        return float((np.bincount(code, value) ** 2 - np.bincount(code, value**2)).sum())

    return float(np.clip(pairs(happened - chance) / max(pairs(spread), 1e-9), 0.0, 1.0))
