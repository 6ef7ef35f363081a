"""What the shop itself knows, as tensors: the source of candidates and observations.

Everything here is computed from the training weeks of the log, never from a user model; prices and promotions
are the shop's own plan for the week at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.recommenders import PersonalFrequency, category_synergy, synergy_embeddings
from bundlegym.recommenders.history import last_bought_by_week
from bundlegym.recommenders.profile import deal_share, own_intervals


@dataclass(frozen=True)
class Market:
    """Attributes (S shoppers, I items, W weeks, L shortlisted items a shopper):

    shortlist: (S, L) int64, ascending item codes; only these become candidates.
    log_share: (S, L) log of the shopper's share of purchase lines, shrunk to the shop's.
    count: (S, L) lines bought in the training weeks.
    interval: (S, L) days between purchases.
    last: (W, S, L) int16 day last bought before each week, -1 for never.
    shelf_price, list_price, display, mailer: (W, I).
    unit_cost: (I,). embedding: (I, E). synergy: (C, C). category: (I,).
    popularity: (I,) share of purchase lines.
    shopper_features: (S, F) standardised; names in `SHOPPER_FEATURES`.
    """

    shortlist: Tensor
    log_share: Tensor
    count: Tensor
    interval: Tensor
    last: Tensor
    shelf_price: Tensor
    list_price: Tensor
    display: Tensor
    mailer: Tensor
    unit_cost: Tensor
    embedding: Tensor
    synergy: Tensor
    category: Tensor
    popularity: Tensor
    shopper_features: Tensor


SHOPPER_FEATURES = ("visits", "lines_per_visit", "deal_share")


def build_market(dataset: Dataset, shortlist_size: int = 160, device: torch.device | str = "cpu") -> Market:
    """Read a `Market` off the training weeks of a data set."""
    weeks = dataset.split.train_weeks
    taste = PersonalFrequency.fit(dataset, weeks)
    shortlist = taste.shortlist(shortlist_size)
    synergy = category_synergy(dataset, taste, weeks)
    take = np.take_along_axis
    visits = dataset.visits
    in_train = visits["week"].between(weeks[0], weeks[1] - 1)
    n_visits = np.bincount(visits["shopper"][in_train], minlength=dataset.n_shoppers)
    lines = taste.counts.sum(1)
    columns = [
        np.log1p(n_visits),
        np.log((lines + 40) / (n_visits + 5)),
        deal_share(dataset, weeks),
    ]
    features = np.stack([(c - c.mean()) / max(c.std(), 1e-6) for c in columns], 1)
    arrays = {
        "shortlist": shortlist,
        "log_share": take(taste.log_share, shortlist, 1),
        "count": take(taste.counts, shortlist, 1),
        "interval": take(own_intervals(taste.counts, weeks), shortlist, 1),
        "last": last_bought_by_week(dataset, shortlist),
        "shelf_price": dataset.shelf_price.T.copy(),
        "list_price": dataset.list_price.T.copy(),
        "display": dataset.display.T.copy(),
        "mailer": dataset.mailer.T.copy(),
        "unit_cost": dataset.items["unit_cost"].to_numpy(np.float32),
        "embedding": synergy_embeddings(synergy, taste.category),
        "synergy": synergy,
        "category": taste.category,
        "popularity": taste.popularity,
        "shopper_features": features.astype(np.float32),
    }
    return Market(**{name: torch.as_tensor(value.copy()).to(device) for name, value in arrays.items()})
