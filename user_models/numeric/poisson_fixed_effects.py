"""Poisson regression of a panel with effects of rows and of groups in each period.

y_it ~ Poisson(e_it exp(x_it b + a_i + c_gt)), with e the exposure, a_i an effect of row i and c_gt one of its
group g in period t. Given b, the effects are those with which every margin of the mean is the one observed;
b is found by Newton's method on what is left of x after both effects are taken out of it, weighted by the
mean (Correia, Guimaraes and Zylkin 2020). Maximum likelihood for b needs only that the mean is right, not
that counts are Poisson; errors are clustered.
"""

from __future__ import annotations

import numpy as np

from bundlegym.user_models.numeric.one_hot import one_hot_csr

_STEPS, _MARGINS, _TINY = 40, 60, 1e-12
_CLOSE = 1e-8  # of two passes over the margins, relative
_RIDGE = 1.0  # a weak normal prior on each coefficient, so that no coefficient runs away


def poisson_fixed_effects(
    count: np.ndarray,
    x: np.ndarray,
    exposure: np.ndarray,
    group: np.ndarray,
    cluster: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(F,) coefficients and (F, F) their covariance.

    Args:
        count: (N, T), 0 or more.
        x: (N, T, F).
        exposure: (N, T); a cell with none is no part of the fit.
        group: (N,) codes; each group has an effect in each period.
        cluster: (N,) codes of rows whose errors go together; by default each row by itself.
    """
    count = np.where(exposure > 0, count, 0.0)
    x = np.where((exposure > 0)[:, :, None], x, 0.0)
    cluster = np.arange(len(count)) if cluster is None else cluster
    of_group = one_hot_csr(group).astype(np.float64)
    beta = np.zeros(x.shape[2])
    effects = np.ones_like(count)
    for _ in range(_STEPS):
        mean = exposure * np.exp(x @ beta) * effects
        fitted = _with_margins(mean, count, of_group)
        effects = np.where(mean > 0, effects * fitted / np.maximum(mean, _TINY), 0.0)
        own = _less_margins(x, fitted, of_group)
        score = np.einsum("nt,ntf->nf", count - fitted, own)
        hessian = np.einsum("ntf,ntg->fg", fitted[:, :, None] * own, own) + _RIDGE * np.eye(len(beta))
        step = np.linalg.solve(hessian, score.sum(0) - _RIDGE * beta)
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    bread = np.linalg.inv(hessian)
    by_cluster = one_hot_csr(cluster).astype(np.float64).T @ score
    return beta, bread @ (by_cluster.T @ by_cluster) @ bread


def _with_margins(mean: np.ndarray, count: np.ndarray, of_group: np.ndarray) -> np.ndarray:
    """(N, T) `mean` times effects of rows and of groups by period, so that their totals are those of
    `count`."""
    rows, groups = count.sum(1, keepdims=True), of_group.T @ count
    for _ in range(_MARGINS):
        mean = mean * (rows / np.maximum(mean.sum(1, keepdims=True), _TINY))
        factor = groups / np.maximum(of_group.T @ mean, _TINY)
        mean = mean * (of_group @ factor)
        if np.abs(mean.sum(1, keepdims=True) - rows).max() <= _CLOSE * max(rows.max(), 1.0):
            break
    return mean


def _less_margins(x: np.ndarray, weight: np.ndarray, of_group: np.ndarray) -> np.ndarray:
    """(N, T, F) `x` less effects of rows and of groups by period, by weighted least squares."""
    of_row, of_cell = weight.sum(1), np.maximum(of_group.T @ weight, _TINY)
    left = np.empty_like(x)
    for f in range(x.shape[2]):
        column = x[:, :, f]
        size = max(float(np.abs(column).max()), _TINY)
        for _ in range(_MARGINS):
            mean = (weight * column).sum(1) / np.maximum(of_row, _TINY)
            column = column - mean[:, None]
            column = column - of_group @ ((of_group.T @ (weight * column)) / of_cell)
            if np.abs(mean).max() <= _CLOSE * size:
                break
        left[:, :, f] = column
    return left
