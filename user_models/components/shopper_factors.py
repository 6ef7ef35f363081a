"""Low-rank shares of subcategories: what is new to a shopper is of the kinds that shoppers alike buy.

Lines by shopper and subcategory are factorised into numbers of at least 0, by the Kullback-Leibler distance
(Lee and Seung 1999).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from bundlegym.user_models.numeric.row_blocks import row_blocks


@dataclass(frozen=True)
class ShopperFactors:
    """The model; a shopper's lines by subcategory are `weight @ component`.

    Attributes:
        weight, component: (S, R), (R, G) float32, whose product is a shopper's lines by subcategory.
        usual: (G,) float32 lines of the mean shopper.
    """

    weight: np.ndarray
    component: np.ndarray
    usual: np.ndarray

    @staticmethod
    def fit(lines: csr_matrix, shoppers: np.ndarray, *, rank: int, steps: int) -> ShopperFactors:
        """Of `lines` (S, G), learned from the rows in the mask `shoppers`, with `rank` factors, or a quarter
        as many as there are shoppers or subcategories."""
        from sklearn.decomposition import NMF  # takes long to import, and only a fit needs it
        from sklearn.exceptions import ConvergenceWarning

        known = lines[shoppers].toarray()
        rank = min(rank, *(n // 4 for n in known.shape))
        model = NMF(
            max(rank, 1), init="nndsvda", solver="mu", beta_loss="kullback-leibler",
            max_iter=steps, random_state=0,
        )  # fmt: skip
        # Of a single subcategory no distance is left at once.
        with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
            warnings.simplefilter("ignore", ConvergenceWarning)  # further steps hardly change the shares
            model.fit(known)
            # A table without gaps is factorised in a third of the time.
            blocks = row_blocks(np.arange(lines.shape[0]), lines.shape[1])
            weight = np.concatenate([model.transform(lines[rows].toarray()) for rows in blocks])
        return ShopperFactors(weight, model.components_, known.mean(0))

    def shares(self, shoppers: np.ndarray) -> np.ndarray:
        """(n, G) float32 shares of subcategories, of `shoppers` (n,) codes."""
        rate = self.weight[shoppers] @ self.component + 1e-3 * self.usual
        return (rate / rate.sum(1, keepdims=True)).astype(np.float32)
