"""Sums over shoppers with Gaussian noise: (epsilon, delta)-differential privacy, the shopper as the unit.

Two logs are neighbours where one has a shopper more, with all of their purchases. A shopper's row is scaled
down to a length of at most `norm`, so that no shopper moves a sum by more than `norm`, and a Gram matrix X'X
by more than `norm` squared (the length of x x' is that of x, squared). Noise of standard deviation
sensitivity / mu is Gaussian differential privacy mu (Dong, Roth and Su 2022): it is (epsilon, delta) where

    delta = Phi(mu / 2 - epsilon / mu) - e^epsilon Phi(-mu / 2 - epsilon / mu)

(Balle and Wang 2018), and several sums, of mu_1, mu_2 and so on, are together one whose mu squared is the
sum of theirs squared.

The noise is of double precision and by numpy's generator, which is not made for secrets: the guarantee is
that of real numbers (Mironov 2012 says what the last bits of such numbers can tell).
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, sparse, special


def delta_of(epsilon: float, mu: float) -> float:
    """The least delta that goes with epsilon under Gaussian differential privacy mu."""
    left, right = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
    return float(special.ndtr(left) - np.exp(epsilon + special.log_ndtr(right)))


def mu_of(epsilon: float, delta: float) -> float:
    """The greatest mu, so the least noise, that is (epsilon, delta)-differentially private.

    Args:
        epsilon: above 0 and finite.
        delta: between 0 and 1, both excluded.
    """
    low, high = 1e-12, 1.0
    while delta_of(epsilon, high) < delta:
        high *= 2
    found = optimize.brentq(lambda mu: delta_of(epsilon, mu) - delta, low, high, xtol=1e-12)
    return float(found) * (1 - 1e-9)  # on the safe side of the root


def clip_rows(table: sparse.csr_matrix, norm: float) -> sparse.csr_matrix:
    """Each row of (n, n_items) scaled down to a Euclidean length of at most `norm`, float64."""
    length = sparse.linalg.norm(table.astype(np.float64), axis=1)
    return sparse.csr_matrix(sparse.diags(norm / np.maximum(length, norm)) @ table.astype(np.float64))


def noisy_sum(table: sparse.csr_matrix, norm: float, mu: float, rng: np.random.Generator) -> np.ndarray:
    """(n_items,) float64: the sum of the clipped rows of (n, n_items), and noise."""
    total = np.asarray(clip_rows(table, norm).sum(0)).ravel()
    return total + rng.normal(scale=norm / mu, size=len(total))


def noisy_gram(table: sparse.csr_matrix, norm: float, mu: float, rng: np.random.Generator) -> np.ndarray:
    """(n_items, n_items) float64, symmetric: X'X of the clipped rows X of (n, n_items), and noise.

    Entries off the diagonal stand twice in the matrix, and count twice in its length: they need only noise
    that is smaller by a factor of the root of 2.
    """
    rows = clip_rows(table, norm)
    n_items = rows.shape[1]
    noise = rng.normal(scale=gram_noise(norm, mu), size=(n_items, n_items))
    upper = np.triu(noise, 1)
    diagonal = np.diag(np.sqrt(2) * np.diag(noise))
    return (rows.T @ rows).toarray() + upper + upper.T + diagonal


def gram_noise(norm: float, mu: float) -> float:
    """Standard deviation of the noise of an entry of `noisy_gram` off the diagonal."""
    return norm**2 / mu / np.sqrt(2)
