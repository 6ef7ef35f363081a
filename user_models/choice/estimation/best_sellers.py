"""The part of a large catalogue that coefficients are estimated on.

The likelihood of a choice among some of the items, given that it is one of these, has the same coefficients
as that among all: a multinomial logit does not depend on irrelevant alternatives (McFadden 1978). So where a
table of shoppers by items would be large, coefficients come from the items that are bought most.
"""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset, lines_of, visit_rows

#: Shoppers times items at most: 128 MB of float32.
_ENTRIES = 2**25


def best_sellers(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> np.ndarray:
    """Codes, ascending, of the items of which `shoppers` (mask) bought most lines in `weeks`, so many that a
    table of these shoppers by items is small, and of each department's best; all where there are fewer."""
    most = max(_ENTRIES // max(int(shoppers.sum()), 1), 1)
    if most >= dataset.n_items:
        return np.arange(dataset.n_items)
    lines = lines_of(dataset, visit_rows(dataset, weeks, shoppers))[0]
    sold = np.bincount(dataset.purchases["item"].to_numpy()[lines], minlength=dataset.n_items)
    order = np.argsort(-sold, kind="stable")
    best = order[np.unique(dataset.department_code[order], return_index=True)[1]]
    return np.union1d(order[:most], best)
