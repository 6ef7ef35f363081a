"""Low-rank shares of subcategories: what is new to a shopper is of the kinds that shoppers alike buy.

Lines by shopper and subcategory are factorised into numbers of at least 0, by the Kullback-Leibler distance
(Lee and Seung 1999).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from torch import Tensor

from bundlegym.user_models.numeric.row_blocks import row_blocks
from bundlegym.user_models.parameters import Parameters, parameter


@dataclass(frozen=True)
class SubcategoryFactors(Parameters):
    """Which subcategories are bought by the same shoppers (Lee and Seung 1999), for a fit that goes on from
    this one; no factors where they are left out."""

    factor_component: Tensor = parameter("J G", "lines of each subcategory that come with a unit of a factor")


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
    def of(lines: csr_matrix, shoppers: np.ndarray, component: np.ndarray, *, steps: int) -> ShopperFactors:
        """Of `lines` (S, G), with components (R, G) as they are; the mean shopper is that of the mask
        `shoppers`."""
        # A table without gaps is factorised in a third of the time.
        tables = (lines[rows].toarray() for rows in row_blocks(np.arange(lines.shape[0]), lines.shape[1]))
        weight = [_factorised(table, steps, H=component, update_H=False)[0] for table in tables]
        return ShopperFactors(np.concatenate(weight), component, lines[shoppers].toarray().mean(0))

    def shares(self, shoppers: np.ndarray) -> np.ndarray:
        """(n, G) float32 shares of subcategories, of `shoppers` (n,) codes."""
        rate = self.weight[shoppers] @ self.component + 1e-3 * self.usual
        return (rate / rate.sum(1, keepdims=True)).astype(np.float32)


def fit_components(lines: csr_matrix, shoppers: np.ndarray, *, rank: int, steps: int) -> np.ndarray:
    """(R, G) float32 components of `lines` (S, G), learned from the rows in the mask `shoppers`: `rank` of
    them, or a quarter as many as there are shoppers or subcategories."""
    known = lines[shoppers].toarray()
    rank = max(min(rank, *(n // 4 for n in known.shape)), 1)
    return _factorised(known, steps, n_components=rank, init="nndsvda", random_state=0)[1]


def _factorised(table: np.ndarray, steps: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """(n, R) weights and (R, G) components of a `table` (n, G), by so many `steps` at most."""
    from sklearn.decomposition import non_negative_factorization  # takes long to import
    from sklearn.exceptions import ConvergenceWarning

    # Of a single subcategory no distance is left at once.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # further steps hardly change the shares
        weight, component, _ = non_negative_factorization(
            table, solver="mu", beta_loss="kullback-leibler", max_iter=steps, **options
        )
    return weight, component
