"""What a basket looks like: size, value, days between visits, and what is bought together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

DECILES = tuple(range(10, 100, 10))


def samples(panel: pd.DataFrame) -> dict[str, np.ndarray]:
    """Samples of basket size (lines), value, days between visits and days between purchases of an item."""
    by_visit = panel.groupby("visit")
    visits = by_visit[["shopper", "day"]].first()
    item_days = panel.sort_values(["shopper", "item", "day"], kind="stable")
    gaps = item_days.groupby(["shopper", "item"])["day"].diff().dropna()
    return {
        "basket_size": by_visit.size().to_numpy(),
        "basket_value": (panel["quantity"] * panel["price"]).groupby(panel["visit"]).sum().to_numpy(),
        "days_between_visits": visits.groupby("shopper")["day"].diff().dropna().to_numpy(),
        "days_between_purchases": gaps.to_numpy(),
    }


def lifts(panel: pd.DataFrame, group: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(P,) lift n_ab n / (n_a n_b) over visits of the pairs (P, 2) of groups; `group` (n_items,). NaN where
    the two would meet less than once by chance."""
    visit, _ = pd.factorize(panel["visit"])
    n = int(visit.max(initial=-1)) + 1
    held = csr_matrix((np.ones(len(panel)), (visit, group[panel["item"]])), (n, int(group.max()) + 1))
    held.data[:] = 1.0
    together = np.asarray((held.T @ held).todense())
    a, b = pairs.T
    both = together[a, b] + 0.5  # half a visit, so that a pair never seen together has a logarithm
    by_chance = together[a, a] * together[b, b] / max(n, 1)
    return both / np.where(by_chance >= 1, by_chance, np.nan)


def frequent_pairs(panel: pd.DataFrame, group: np.ndarray, least: float) -> np.ndarray:
    """(P, 2) pairs of groups that would meet in at least `least` visits by chance."""
    visits = panel["visit"].nunique()
    seen = pd.DataFrame({"visit": panel["visit"], "group": group[panel["item"]]}).drop_duplicates()
    count = np.bincount(seen["group"], minlength=int(group.max()) + 1)
    a, b = np.triu_indices(len(count), 1)
    keep = count[a] * count[b] / visits >= least
    return np.stack([a[keep], b[keep]], 1)


def lift_summary(real: np.ndarray, simulated: np.ndarray) -> dict[str, float | list[float]]:
    """Median and deciles of lift over pairs known from both, and the greatest deviation of a decile as a
    ratio less 1; NaN where there is no such pair."""
    known = ~np.isnan(real) & ~np.isnan(simulated)
    real, simulated = (lift[known] if known.any() else np.array([np.nan]) for lift in (real, simulated))
    r, s = np.percentile(real, DECILES), np.percentile(simulated, DECILES)
    return {
        "real_median": float(np.median(real)),
        "simulated_median": float(np.median(simulated)),
        "real_deciles": r.round(3).tolist(),
        "simulated_deciles": s.round(3).tolist(),
        "worst_decile": float(np.abs(s / r - 1).max()),
        "correlation": _correlation(np.log(real), np.log(simulated)),
        "pairs": int(known.sum()),
    }


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    """NaN where there are not two different values of each."""
    if not (np.ptp(one) > 0 and np.ptp(two) > 0):
        return float("nan")
    return float(np.corrcoef(one, two)[0, 1])
