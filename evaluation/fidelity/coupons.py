"""Who buys what a shop's coupons are for, in a log and in a simulation of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data import Dataset


def coupon_lines(panel: pd.DataFrame, dataset: Dataset) -> dict[str, float]:
    """Lines of items that a running campaign has coupons for, as a share of all lines: of `holders`, who got
    its coupons, and of `others`, who tell what the time alone brought. Only campaigns that sent all of their
    coupons to each member count; NaN without one."""
    shares = {"holders": float("nan"), "others": float("nan")}
    if (campaigns := dataset.campaigns) is None:
        return shares
    item, shopper, week = (panel[name].to_numpy() for name in ("item", "shopper", "week"))
    counts = np.zeros((2, 2))  # lines of the campaign's items, all lines; of holders, of others
    running = campaigns.running(dataset.n_weeks)
    for r in np.flatnonzero(campaigns.reached_all() & running[:, np.unique(week)].any(1)):
        weight, theirs = running[r][week], campaigns.members[r][shopper]
        for place, mask in enumerate((theirs, ~theirs)):
            counts[:, place] += (weight * (mask & campaigns.items[r][item])).sum(), (weight * mask).sum()
    if counts[1].all():
        shares = dict(zip(shares, (counts[0] / counts[1]).tolist(), strict=True))
    return shares
