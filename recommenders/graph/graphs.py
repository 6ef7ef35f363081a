"""The two graphs that graph networks run on."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from bundlegym.recommenders.interactions import Interactions


def shopper_item_graph(log: Interactions) -> Tensor:
    """(n_shoppers + n_items)^2 sparse: A_ab = 1 / sqrt(degree a, degree b), a taking from b.

    Shoppers come first, then items. Held-out shoppers take from their items but give them nothing, and an
    item's degree counts shoppers who are not held out, so that nobody else's vectors depend on them.
    """
    take = log.counts.sign().tocoo()
    known = ~log.held_out[take.row]
    shopper_degree = np.maximum(np.bincount(take.row, minlength=log.n_shoppers), 1)
    item_degree = np.maximum(np.bincount(take.col[known], minlength=log.n_items), 1)
    weight = 1 / np.sqrt(shopper_degree[take.row] * item_degree[take.col])
    item = take.col + log.n_shoppers
    rows, columns = np.r_[take.row, item[known]], np.r_[item, take.row[known]]
    n = log.n_shoppers + log.n_items
    return _as_tensor(sparse.csr_matrix((np.r_[weight, weight[known]], (rows, columns)), (n, n)))


def copurchase_graph(log: Interactions, neighbours: int) -> Tensor:
    """(2, edges) int64, from and to: each item takes from itself and the nearest by shared visits."""
    baskets = log.baskets
    together = (baskets.T @ baskets).tocsr()
    together.setdiag(0)
    together.eliminate_zeros()
    scale = sparse.diags(1 / np.sqrt(np.maximum(log.popularity, 1)))
    cosine = (scale @ together @ scale).tocsr()
    row = np.repeat(np.arange(log.n_items), np.diff(cosine.indptr))
    order = np.lexsort((cosine.indices, -cosine.data, row))
    rank = np.arange(len(order)) - cosine.indptr[row[order]]
    near = order[rank < neighbours]
    every = np.arange(log.n_items)
    edges = np.stack([np.r_[cosine.indices[near], every], np.r_[row[near], every]])
    return torch.from_numpy(edges.astype(np.int64))


def _as_tensor(matrix: sparse.csr_matrix) -> Tensor:
    start, column = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    weight = torch.from_numpy(matrix.data.astype(np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(start, column, weight, size=matrix.shape, check_invariants=True)
