"""Bundles that hold what the shopper buys singly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bundlegym.recommenders.bundles.base import BundleRanker, with_parts
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class BundleContent(BundleRanker):
    """Content-based filtering (Lops, de Gemmis and Semeraro 2011) where a bundle's content is its parts.

    score(s, b) = |S n B| / sqrt(|S| |B|), the cosine of the sets of parts that s bought singly and that b
    holds. Weak alone, since most bundles share nothing with a shopper, but it knows what the others do not.
    """

    name: ClassVar[str] = "bundle-content"

    def _learn(self, log: Interactions) -> None:
        """Nothing: the tables say it all."""

    def _read(self, log: Interactions) -> None:
        known = with_parts(log)
        self._singles, self._parts = _unit(known.singles), _unit(known.parts).T.tocsr()

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return (self._singles[shoppers] @ self._parts).toarray()


def _unit(table: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows of 0 and 1 at length 1; rows of 0 stay."""
    size = np.maximum(np.diff(table.indptr), 1).astype(np.float32)
    return sparse.csr_matrix(sparse.diags(size**-0.5) @ table)
