"""Pre-built bundles ranked from three graphs at once (CrossCBR and MultiCBR kind)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from bundlegym.recommenders.bundles.base import BundleRanker, with_parts
from bundlegym.recommenders.bundles.log import BundleLog
from bundlegym.recommenders.interactions import Interactions

#: Deviation of the vectors that training begins with.
_START = 0.02


class Edges(NamedTuple):
    """Two sides of a bipartite graph: what rows take from columns, and columns from rows (sparse).

    In training, where nobody is held out, each is the other's transpose, which gradients rely on.
    """

    take: Tensor
    give: Tensor


class Graphs(NamedTuple):
    """Who bought which bundles and which parts singly, what bundles consist of; and means over parts."""

    bundles: Edges
    singles: Edges
    parts: Edges
    mean_of_singles: Edges
    mean_of_parts: Edges


@dataclass(eq=False)
class BundleViews(BundleRanker):
    """Ma et al. (2024), MultiCBR: Multi-view Contrastive Learning for Bundle Recommendation, which fuses
    three views early, after Ma et al. (2022), CrossCBR, which has two. The loss is not theirs.

    A view is a graph that LightGCN runs on: shopper-bundle, shopper-part, bundle-part. With x_l the vectors
    after l rounds of taking from neighbours (A_ab = 1 / sqrt(degree a, degree b)), a view's vectors are
    w_0 x_0 + sum_l w_l x_l / |x_l|; a bundle is the mean of its parts in the view that lacks bundles, a
    shopper the mean of the single parts in the view that lacks shoppers. With u and v the views' weighted
    sums, score(s, b) = cos(u_s, v_b) / temperature + bias_b + sum_c W_cb over the other bundles c that s has
    bought, where the links W hold what vectors of this size cannot: that just these two go together.

    In place of one drawn negative (BPR) and a contrastive term, one loss contrasts each bundle that a shopper
    bought with all others (InfoNCE over the whole catalogue): -log softmax, where a shopper with n bundles
    weighs n^(1 - evenness). Vectors and biases learn by Adam, and what scores is their mean over the last
    steps, which decays by `averaging`. Links learn from 0 by plain gradient descent, so that those of rare
    pairs stay near 0. They take 4 n_bundles^2 bytes.

    Attributes:
        size: length of the vectors.
        view_weights: of the graphs shopper-bundle, shopper-part and bundle-part.
        bundle_layers, single_layers, part_layers: w_0, w_1, ... of each of the three.
        temperature: the smaller, the sharper the softmax.
        evenness: 0 where each purchase weighs the same, 1 where each shopper does.
        averaging: share of the mean that is kept at a step.
        epochs, batch (shoppers), learning_rate: of Adam.
        link_rate: of the links' gradient descent on the sum over a batch; 0 leaves them out.
        seed: of the first vectors and of the batches.
    """

    name: ClassVar[str] = "bundle-views"
    learned: ClassVar[tuple[str, ...]] = ("shopper_table", "bundle_table", "part_table", "bias", "links")
    size: int = 128
    view_weights: tuple[float, ...] = (0.35, 0.15, 0.5)
    bundle_layers: tuple[float, ...] = (0.7, 0.2, 0.1)
    single_layers: tuple[float, ...] = (0.6, 0.2, 0.2)
    part_layers: tuple[float, ...] = (0.6, 0.1, 0.3)
    temperature: float = 0.22
    evenness: float = 0.5
    averaging: float = 0.95
    epochs: int = 7
    batch: int = 512
    learning_rate: float = 3e-3
    link_rate: float = 0.01
    seed: int = 0

    def _learn(self, log: Interactions) -> None:
        graphs = make_graphs(with_parts(log))
        n = (log.n_shoppers, log.n_items, graphs.parts.take.shape[1])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            tables = [torch.randn(rows, self.size) * _START for rows in n]
        tables[0][torch.from_numpy(log.held_out)] = 0.0
        current = [table.requires_grad_() for table in (*tables, torch.zeros(log.n_items))]
        mean = [table.detach().clone() for table in current]
        optimizer = torch.optim.Adam(current, lr=self.learning_rate)
        links = torch.zeros(log.n_items, log.n_items)
        for shoppers, bought in self._batches(log):
            optimizer.zero_grad()
            linked = (bought.to_sparse_csr() @ links).requires_grad_()
            self._loss(graphs, current, linked, shoppers, bought).backward()
            optimizer.step()
            assert linked.grad is not None
            links -= self.link_rate * (bought.T.to_sparse_csr() @ linked.grad)
            links.fill_diagonal_(0.0)
            for kept, table in zip(mean, current, strict=True):
                kept.lerp_(table.detach(), 1 - self.averaging)
        self.shopper_table, self.bundle_table, self.part_table, self.bias = (table.numpy() for table in mean)
        self.links = links.numpy()

    def _batches(self, log: Interactions) -> Iterator[tuple[Tensor, Tensor]]:
        """(N,) shoppers and (N, n_items) of 0 and 1, what they bought; each shopper once an epoch."""
        rng, bought = np.random.default_rng(self.seed), log.counts.sign()
        warm = np.flatnonzero(log.n_visits)
        for _ in range(self.epochs):
            for shoppers in np.array_split(rng.permutation(warm), -(-len(warm) // self.batch)):
                yield torch.from_numpy(shoppers), torch.from_numpy(bought[shoppers].toarray())

    def _loss(
        self, graphs: Graphs, tables: list[Tensor], linked: Tensor, shoppers: Tensor, bought: Tensor
    ) -> Tensor:
        u, v = self._vectors(graphs, tables[:3])
        share = (u[shoppers] @ v.T / self.temperature + tables[3] + linked).log_softmax(1)
        return -(bought.sum(1) ** -self.evenness * (share * bought).sum(1)).sum()

    def _vectors(self, graphs: Graphs, tables: list[Tensor]) -> tuple[Tensor, Tensor]:
        """(n_shoppers, size) and (n_items, size) of unit length, the views fused."""
        shoppers, bundles, parts = tables
        first = _convolve(graphs.bundles, shoppers, bundles, self.bundle_layers)
        u, p = _convolve(graphs.singles, shoppers, parts, self.single_layers)
        second = u, _multiply(graphs.mean_of_parts, p)
        v, p = _convolve(graphs.parts, bundles, parts, self.part_layers)
        third = _multiply(graphs.mean_of_singles, p), v
        views = list(zip(self.view_weights, (first, second, third), strict=True))
        fused = [torch.stack([weight * view[side] for weight, view in views]).sum(0) for side in (0, 1)]
        return functional.normalize(fused[0], dim=1), functional.normalize(fused[1], dim=1)

    @torch.no_grad()
    def _read(self, log: Interactions) -> None:
        tables = [torch.from_numpy(t) for t in (self.shopper_table, self.bundle_table, self.part_table)]
        u, v = self._vectors(make_graphs(with_parts(log)), tables)
        u[torch.from_numpy(log.n_visits == 0)] = 0.0
        self._shoppers, self._bundles = u.numpy(), v.numpy()
        self._bought = log.counts.sign()

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        vectors = self._shoppers[shoppers] @ self._bundles.T / np.float32(self.temperature)
        return vectors + self.bias + self._bought[shoppers] @ self.links

    @property
    def item_embeddings(self) -> np.ndarray:
        return self._bundles

    @property
    def shopper_embeddings(self) -> np.ndarray:
        return self._shoppers


class _Multiply(torch.autograd.Function):
    """A x, with the transpose at hand for the way back (torch would make it anew at each step)."""

    @staticmethod
    def forward(context: Any, matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
        context.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        return None, None, context.transposed @ gradient.contiguous()


def _multiply(edges: Edges, x: Tensor) -> Tensor:
    return _Multiply.apply(edges.take, edges.give, x)


def _convolve(
    edges: Edges, rows: Tensor, columns: Tensor, weights: tuple[float, ...]
) -> tuple[Tensor, Tensor]:
    """LightGCN on a bipartite graph: the weighted sum of its layers, those after the first of unit length."""
    row_sum, column_sum = weights[0] * rows, weights[0] * columns
    back = Edges(edges.give, edges.take)
    for weight in weights[1:]:
        rows, columns = _multiply(edges, columns), _multiply(back, rows)
        row_sum = row_sum + weight * functional.normalize(rows, dim=1)
        column_sum = column_sum + weight * functional.normalize(columns, dim=1)
    return row_sum, column_sum


def make_graphs(log: BundleLog) -> Graphs:
    """Held-out shoppers take from bundles and parts but give them nothing."""
    bought, known = log.counts.sign(), ~log.held_out
    everything = np.ones(log.n_items, bool)
    return Graphs(
        _edges(bought, known), _edges(log.singles, known), _edges(log.parts, everything),
        _means(log.singles), _means(log.parts),
    )  # fmt: skip


def _edges(table: sparse.csr_matrix, giving: np.ndarray) -> Edges:
    """Weights 1 / sqrt(degree of row, degree of column), where a column's degree counts giving rows only."""
    given = sparse.diags(giving.astype(np.float32)) @ table
    row, column = (
        np.maximum(np.asarray(m.sum(axis)).ravel(), 1) ** -0.5 for m, axis in ((table, 1), (given, 0))
    )
    take, give = (sparse.diags(row) @ m @ sparse.diags(column) for m in (table, given))
    return Edges(_as_tensor(take), _as_tensor(give.T))


def _means(table: sparse.csr_matrix) -> Edges:
    """Each row the mean of its columns; `give` is the plain transpose, for gradients."""
    mean = sparse.diags(1 / np.maximum(np.asarray(table.sum(1)).ravel(), 1)) @ table
    return Edges(_as_tensor(mean), _as_tensor(mean.T))


def _as_tensor(matrix: sparse.spmatrix) -> Tensor:
    csr = sparse.csr_matrix(matrix, dtype=np.float32)
    csr.sort_indices()
    start, column = (torch.from_numpy(part.astype(np.int32)) for part in (csr.indptr, csr.indices))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(
            start, column, torch.from_numpy(csr.data), size=csr.shape, check_invariants=True
        )
