"""A log whose items are pre-built bundles, with what is in them and what shoppers buy singly."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bundlegym.errors import UserError
from bundlegym.recommenders.interactions import Interactions


@dataclass(frozen=True, kw_only=True)
class BundleLog(Interactions):
    """The three tables that bundles are ranked from: shopper-bundle, shopper-part and bundle-part.

    As `Interactions`, where an item is a bundle; what a bundle consists of is called parts.

    Attributes:
        singles: (n_shoppers, n_parts) CSR float32 of 0 and 1, parts that shoppers bought by themselves.
        parts: (n_items, n_parts) CSR float32 of 0 and 1, what each bundle consists of.
    """

    singles: sparse.csr_matrix
    parts: sparse.csr_matrix

    @staticmethod
    def from_tables(
        bundles: np.ndarray,
        singles: np.ndarray,
        parts: np.ndarray,
        *,
        n_shoppers: int,
        n_bundles: int,
        n_parts: int,
        held_out: np.ndarray | None = None,
    ) -> BundleLog:
        """From pairs of codes, (rows, 2) each: shopper and bundle, shopper and part, bundle and part.

        The tables have no times, so that each shopper's bundles count as one visit.

        Raises:
            UserError: a code lies outside 0..n-1.
        """
        log = Interactions.from_columns(
            bundles[:, 0], bundles[:, 1], np.zeros(len(bundles)),
            n_shoppers=n_shoppers, n_items=n_bundles, held_out=held_out,
        )  # fmt: skip
        return BundleLog.of(
            log,
            _table(singles, ("shopper", n_shoppers), ("part", n_parts)),
            _table(parts, ("bundle", n_bundles), ("part", n_parts)),
        )

    @staticmethod
    def of(log: Interactions, singles: sparse.csr_matrix, parts: sparse.csr_matrix) -> BundleLog:
        """A log of bundles with the tables that it lacks."""
        columns = {f.name: getattr(log, f.name) for f in dataclasses.fields(Interactions)}
        return BundleLog(**columns, singles=singles, parts=parts)

    def training(self) -> BundleLog:
        """Without the rows of held-out shoppers in either table."""
        known = sparse.diags((~self.held_out).astype(np.float32))
        rows = self.where(~self.held_out[self.shopper])
        return BundleLog.of(rows, sparse.csr_matrix(known @ self.singles), self.parts)

    def join(self, later: Interactions) -> BundleLog:
        """As `Interactions.join`; a part bought singly in either log counts."""
        log = super().join(later)
        singles = self.singles
        if isinstance(later, BundleLog):
            singles = singles.maximum(later.singles).tocsr()
        return BundleLog.of(log, singles, self.parts)


def _table(pairs: np.ndarray, rows: tuple[str, int], columns: tuple[str, int]) -> sparse.csr_matrix:
    for codes, (name, n) in zip(pairs.T, (rows, columns), strict=True):
        if len(codes) and not 0 <= codes.min() <= codes.max() < n:
            raise UserError(f"{name} codes run from {codes.min()} to {codes.max()}; must be 0..{n - 1}")
    ones = np.ones(len(pairs), np.float32)
    return sparse.csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), (rows[1], columns[1])).sign()
