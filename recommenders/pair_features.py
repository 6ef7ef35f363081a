"""What a log says about a shopper and an item together, as numbers for a learned ranker."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from bundlegym.recommenders.interactions import Interactions

PAIR_FEATURES = (
    "visits", "share", "decayed_share", "in_last_visit", "visits_since_last", "visits_since_first", "overdue",
    "popularity", "recent_popularity", "repeat_rate", "shopper_visits", "basket_size", "new_share",
)  # fmt: skip
#: What a purchase counts for less with each visit that follows it, in `decayed_share`.
_DECAY = 0.8
#: Last visits of each shopper that count in `recent_popularity`.
_RECENT = 2


class PairFeatures:
    """Reads a log once and gives `PAIR_FEATURES` of any pairs of shopper and item.

    visits: those of the shopper with the item; share: by all visits; decayed_share: with decay by visits ago;
    visits_since_last and visits_since_first: to the visit to come, 0 where never bought; overdue: visits
    since the last by the usual gap, which is visits since the first by visits; popularity: visits of anyone
    with the item; recent_popularity: of anyone's last two; repeat_rate: share of those visits whose shopper
    had bought it before; shopper_visits; basket_size: items a visit; new_share: share of the shopper's lines
    that were first purchases. Counts are log(1 + x).
    """

    def __init__(self, log: Interactions) -> None:
        counts = log.counts
        decayed = _DECAY**log.visits_ago
        self._counts = counts
        self._decayed = log.matrix(decayed)
        self._last = log.matrix(log.visits_ago == 0)
        key = log.shopper * log.n_items + log.item
        self._since_first = _by_pair(log, key, np.unique(key, return_index=True)[1])
        self._since_last = _by_pair(log, key, len(key) - 1 - np.unique(key[::-1], return_index=True)[1])
        lines = np.asarray(counts.sum(1)).ravel()
        visits = np.maximum(log.n_visits, 1)
        self._decayed_visits = np.maximum((1 - _DECAY**visits) / (1 - _DECAY), 1)
        self._visits = visits
        known = log.training()
        buyers = np.bincount(known.counts.indices, minlength=log.n_items)
        recent = np.bincount(known.item[known.visits_ago < _RECENT], minlength=log.n_items)
        repeat_rate = (log.popularity - buyers + 0.5) / (log.popularity + 5)
        self._of_item = np.stack([np.log1p(log.popularity), np.log1p(recent), repeat_rate], 1)
        new_share = np.diff(counts.indptr) / np.maximum(lines, 1)
        self._of_shopper = np.stack([np.log1p(visits), np.log1p(lines / visits), new_share], 1)

    def __call__(self, shopper: np.ndarray, item: np.ndarray) -> np.ndarray:
        """(P, len(PAIR_FEATURES)) float32 of P pairs."""
        count, decayed, last, since_last, since_first = (
            np.asarray(matrix[shopper, item], dtype=np.float32).ravel()
            for matrix in (self._counts, self._decayed, self._last, self._since_last, self._since_first)
        )
        gap = since_first / np.maximum(count, 1)
        of_pair = [
            np.log1p(count), count / self._visits[shopper], decayed / self._decayed_visits[shopper], last,
            np.log1p(since_last), np.log1p(since_first), np.log1p(since_last / np.maximum(gap, 1)),
        ]  # fmt: skip
        parts = [np.stack(of_pair, 1), self._of_item[item], self._of_shopper[shopper]]
        return np.concatenate(parts, axis=1, dtype=np.float32)


def _by_pair(log: Interactions, key: np.ndarray, rows: np.ndarray) -> sparse.csr_matrix:
    """(n_shoppers, n_items) visits between each row in `rows` and the visit to come."""
    where = (log.shopper[rows], log.item[rows])
    return sparse.csr_matrix((log.visits_ago[rows] + 1.0, where), (log.n_shoppers, log.n_items))
