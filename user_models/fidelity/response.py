"""How sales answer to price and promotion, estimated alike on a real and a simulated tape.

Poisson regression of an item's weekly units on log price, display and mailer with an effect for each item and
the shop's weekly total as exposure; the item effects are conditioned out, which leaves a multinomial over
weeks (Hausman, Hall and Griliches 1984). One regression a category, over its items sold in nearly every week
before, since of others the log knows the price only when they sell.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.user_models.choice_fit import steadily_sold

_LEAST_UNITS = 200  # units in a category before its regression says anything
_RIDGE = 1.0  # a weak normal prior on each coefficient, so that no coefficient runs away


def conditional_poisson(units: np.ndarray, x: np.ndarray, log_exposure: np.ndarray) -> np.ndarray:
    """(F,) coefficients; units (n_items, T), x (n_items, T, F), log_exposure (T,). By Newton's method."""
    beta = np.zeros(x.shape[2])
    total = units.sum(1)
    for _ in range(25):
        score = x @ beta + log_exposure
        share = np.exp(score - score.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        mean = np.einsum("it,itf->if", share, x)
        centred = x - mean[:, None]
        gradient = np.einsum("it,itf->f", units, centred) - _RIDGE * beta
        weighted = (total[:, None] * share)[:, :, None] * centred
        hessian = np.einsum("itf,itg->fg", weighted, centred) + _RIDGE * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    return beta


def promotion_response(tape: pd.DataFrame, dataset: Dataset, weeks: tuple[int, int]) -> pd.DataFrame:
    """A row a category with sales enough: `elasticity`, `display` and `mailer` (multipliers of units),
    `units`."""
    span = slice(*weeks)
    shape = (dataset.n_items, weeks[1] - weeks[0])
    units = np.bincount(
        tape["item"] * shape[1] + tape["week"] - weeks[0], tape["quantity"], minlength=shape[0] * shape[1]
    ).reshape(shape)
    x = np.stack(
        [np.log(dataset.shelf_price[:, span]), dataset.display[:, span], dataset.mailer[:, span]], 2
    ).astype(np.float64)
    exposure = np.log(np.maximum(units.sum(0), 1.0))
    category = pd.factorize(dataset.items["category"])[0]
    steady = steadily_sold(dataset, (0, weeks[0]))
    rows = []
    for code in range(category.max() + 1):
        mine = (category == code) & steady
        moves = (np.ptp(x[mine, :, 0], axis=1) > 0.05).any()
        if units[mine].sum() >= _LEAST_UNITS and moves:
            beta = conditional_poisson(units[mine], x[mine], exposure)
            rows.append((code, beta[0], np.exp(beta[1]), np.exp(beta[2]), units[mine].sum()))
    return pd.DataFrame(rows, columns=["category", "elasticity", "display", "mailer", "units"])


def response_summary(table: pd.DataFrame) -> dict[str, float]:
    """Medians over categories, weighted by units."""
    return {name: _median(table[name], table["units"]) for name in ("elasticity", "display", "mailer")}


def _median(value: pd.Series, weight: pd.Series) -> float:
    order = np.argsort(value.to_numpy())
    total = np.cumsum(weight.to_numpy()[order])
    return (
        float(value.to_numpy()[order][np.searchsorted(total, total[-1] / 2)]) if len(order) else float("nan")
    )
