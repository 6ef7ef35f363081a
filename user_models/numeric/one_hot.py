"""Which item is of which group, so that a product with it sums over the items of each."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix


def one_hot_csr(group: np.ndarray) -> csr_matrix:
    """(I, G) float32, 1 where an item is in a group; `group` (I,) codes."""
    ones = np.ones(len(group), dtype=np.float32)
    return csr_matrix((ones, (np.arange(len(group)), group)), (len(group), int(group.max()) + 1))
