"""Base rates: means that a simulator must get right before anything else, and how sure they are.

Whoever shops in a few weeks is a small sample, real and simulated. So the simulated side is a mean of several
simulations, and what is left of luck is told by resampling shoppers, each with its real and its simulated
purchases (the bootstrap of Efron 1979). What befell all shoppers at once, such as a holiday, is not in it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.recommenders.likeliest import values_at

_TOTALS = ("weeks", "visits", "lines", "units", "value", "lines_on_deal", "lines_bought_before")
#: Each rate is one total over another.
RATES = {
    "visits_per_shopper_week": ("visits", "weeks"),
    "lines_per_visit": ("lines", "visits"),
    "units_per_line": ("units", "lines"),
    "value_per_visit": ("value", "visits"),
    "price_per_unit": ("value", "units"),
    "deal_share": ("lines_on_deal", "lines"),
    "repeat_share": ("lines_bought_before", "lines"),
}
_RESAMPLES = 2000


def totals(panel: pd.DataFrame, dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> np.ndarray:
    """(S, 7) what each of `shoppers` (codes) has on the panel: weeks, visits, lines, units, value, lines
    below list price and lines of items that the shopper bought in the log before `weeks`."""
    item, week = panel["item"], panel["week"]
    bought = line_counts(dataset, (0, weeks[0]))
    columns = {
        "shopper": panel["shopper"],
        "weeks": 0,
        "visits": ~panel["visit"].duplicated(),
        "lines": 1,
        "units": panel["quantity"],
        "value": panel["quantity"] * panel["price"],
        "lines_on_deal": dataset.shelf_price[item, week] < 0.99 * dataset.list_price[item, week],
        "lines_bought_before": values_at(bought, panel["shopper"].to_numpy(), item.to_numpy()) > 0,
    }
    by_shopper = pd.DataFrame(columns).groupby("shopper").sum().reindex(shoppers, fill_value=0)
    by_shopper["weeks"] = weeks[1] - weeks[0]
    return by_shopper[list(_TOTALS)].to_numpy(np.float64)


def base_rates(real: np.ndarray, simulated: np.ndarray, seed: int = 0) -> dict[str, dict[str, float]]:
    """By name of `RATES`: `real`, `simulated`, their `ratio` and its 95 % interval, `low` and `high`, from
    the totals (S, 7) of the same shoppers; NaN where the log has none."""
    n = len(real)
    weight = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    found = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, (above, below) in RATES.items():
            pick = [_TOTALS.index(above), _TOTALS.index(below)]
            sides = [np.divide(*side[:, pick].sum(0)) for side in (real, simulated)]
            drawn = [np.divide(*(weight @ side[:, pick]).T) for side in (real, simulated)]
            low, high = np.percentile(drawn[1] / drawn[0], [2.5, 97.5])
            values = (*sides, sides[1] / sides[0], low, high)
            found[name] = dict(zip(("real", "simulated", "ratio", "low", "high"), values, strict=True))
    return found
