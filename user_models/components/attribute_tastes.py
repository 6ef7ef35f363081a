"""Attribute tastes: how much a shopper likes what is dear or cheap, a brand, or what all others buy, in every
subcategory.

Of the items of a subcategory that the shop sells in shares p(i | g), a shopper's new ones come in shares

    p(i | s, g) = p(i | g) exp(theta_s . x_i) / Z_sg,

a logit with random coefficients (Revelt and Train 1998) on attributes x of items. theta_s has a normal prior
of mean 0 and a variance by attribute, which is found together with it by expectation and maximisation; where
shoppers do not differ, the variance goes to 0. What tells an attribute taste is which items a shopper has
bought at all: to buy one of them again is a habit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from bundlegym.data import Dataset
from bundlegym.user_models.config import Config, Count, Positive, Share
from bundlegym.user_models.numeric.group_sums import exp_sums
from bundlegym.user_models.numeric.one_hot import one_hot_csr
from bundlegym.user_models.numeric.row_blocks import row_blocks


@dataclass(frozen=True)
class AttributeTastesConfig(Config):
    """Hyper-parameters of `shopper_tastes`, and of `attributes`."""

    most: Positive = 3.0
    """Standard deviations of an attribute at most, so that no odd item decides."""

    least_brand: Share = 0.1
    """Share of the shop's lines from which on a brand is an attribute."""

    variance: Positive = 0.02
    """Variance of tastes with which the fit begins."""

    steps: Count = 8
    """Steps of Newton's method, each with one of the variance."""


def attributes(
    dataset: Dataset,
    weeks: tuple[int, int],
    group: np.ndarray,
    popularity: np.ndarray,
    config: AttributeTastesConfig = AttributeTastesConfig(),
) -> np.ndarray:
    """(I, K) float32 log list price in `weeks`, log popularity and brands of items, each less its mean in the
    subcategory and scaled; `group` (I,) codes of subcategories, `popularity` (I,) > 0 shares of the shop's
    lines."""
    brand = pd.factorize(dataset.items["brand"].astype(str), sort=True)[0]
    share = np.bincount(brand, popularity)
    # Beside all others, the greatest brand would say nothing new.
    brands = np.flatnonzero((share >= config.least_brand) & (np.arange(len(share)) != share.argmax()))
    price = np.log(dataset.list_price[:, slice(*weeks)]).mean(1)
    raw = np.column_stack([price, np.log(popularity), brand[:, None] == brands])
    one_hot = one_hot_csr(group)
    mean = (one_hot.T @ (popularity[:, None] * raw)) / (one_hot.T @ popularity)[:, None]
    apart = raw - mean[group]
    deviation = np.sqrt(popularity @ apart**2 / popularity.sum())
    return (apart / np.maximum(deviation, 1e-6)).clip(-config.most, config.most).astype(np.float32)


class _Bought(NamedTuple):
    """Of a subcategory's n items: p(i | g) (n,), attributes (n, K) and their products (n, K * K); of the N
    shoppers who have bought any: who they are (N,), how many items (N, 1), the sum of their attributes (N,
    K)."""

    within: np.ndarray
    attribute: np.ndarray
    squares: np.ndarray
    who: np.ndarray
    number: np.ndarray
    total: np.ndarray


def shopper_tastes(
    attribute: np.ndarray,
    bought: csr_matrix,
    group: np.ndarray,
    within: np.ndarray,
    known: np.ndarray,
    config: AttributeTastesConfig = AttributeTastesConfig(),
) -> np.ndarray:
    """(S, K) float32, the mode of theta of each shopper by what they have `bought` (S, I), lines and no
    zeros; the variance of tastes comes from the shoppers in the mask `known` (S,). `attribute` (I, K),
    `group` (I,), `within` (I,), p(i | g)."""
    theta = np.zeros((bought.shape[0], attribute.shape[1]))
    variance = np.full(theta.shape[1], config.variance)
    parts = _by_subcategory(attribute, bought, group, within.astype(np.float32))
    for _ in range(config.steps):
        theta, curvature = _step(theta, variance, parts)
        variance = (theta**2 + curvature.diagonal(axis1=1, axis2=2))[known].mean(0)
    return theta.astype(np.float32)


def _step(theta: np.ndarray, variance: np.ndarray, parts: list[_Bought]) -> tuple[np.ndarray, np.ndarray]:
    """(n, K) theta after a step of Newton's method, and (n, K, K) its curvature."""
    score, information = _derivatives(theta, parts)
    curvature = np.linalg.inv(information + np.diag(1 / variance))
    return theta + np.einsum("sij,sj->si", curvature, score - theta / variance), curvature


def _by_subcategory(
    attribute: np.ndarray, bought: csr_matrix, group: np.ndarray, within: np.ndarray
) -> list[_Bought]:
    order = np.argsort(group, kind="stable")
    by_item = bought.tocsc()[:, order]
    bounds = np.flatnonzero(np.diff(group[order])) + 1
    parts = []
    for start, end in zip([0, *bounds], [*bounds, len(order)], strict=True):
        items, x = order[start:end], attribute[order[start:end]]
        first = by_item.indptr[start : end + 1]
        who, row = np.unique(by_item.indices[first[0] : first[-1]], return_inverse=True)
        item = np.repeat(np.arange(len(items)), np.diff(first))
        held = csr_matrix((np.ones(len(row), dtype=np.float32), (row, item)), (len(who), len(items)))
        squares = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
        number = np.bincount(row, minlength=len(who)).astype(np.float32)[:, None]
        parts.append(_Bought(within[items], x, squares, who, number, held @ x))
    return parts


def _derivatives(theta: np.ndarray, parts: list[_Bought]) -> tuple[np.ndarray, np.ndarray]:
    """(S, K) gradient and (S, K, K) negative Hessian of the log likelihood of what each shopper has
    bought."""
    score, information = np.zeros_like(theta), np.zeros((*theta.shape, theta.shape[1]))
    theta = theta.astype(np.float32)
    for part in parts:
        for rows in row_blocks(np.arange(len(part.who)), len(part.within)):
            who, number = part.who[rows], part.number[rows]
            chance = part.within * np.exp(theta[who] @ part.attribute.T)
            chance /= chance.sum(1, keepdims=True)
            mean = chance @ part.attribute
            second = (chance @ part.squares).reshape(len(mean), *information.shape[1:])
            score[who] += part.total[rows] - number * mean
            information[who] += number[:, :, None] * (second - mean[:, :, None] * mean[:, None, :])
    return score, information


def log_total(
    theta: np.ndarray, attribute: np.ndarray, group: np.ndarray, log_within: np.ndarray
) -> np.ndarray:
    """(S, G) float32, log of the sum of exp(log_within + theta . x) over a subcategory's items."""
    return np.log(exp_sums(theta, attribute, log_within, group))


def attribute_range(attribute: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(G, 2, K) least and greatest of each attribute among a subcategory's items."""
    table = pd.DataFrame(attribute).groupby(group)
    return np.stack([table.min().to_numpy(), table.max().to_numpy()], 1)
