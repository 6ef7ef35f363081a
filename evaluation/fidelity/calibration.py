"""Do purchases happen as often as the model says? Each held-out visit is simulated several times unoffered.

Expected calibration error is the mean distance between predicted and observed rates over bins of equal mass.
A prediction is the mean of simulations; one half of them sets the bins and the other is the prediction, so
that the noise of simulating does not look like overconfidence.
"""

from __future__ import annotations

import numpy as np
import torch

from bundlegym.data import Dataset, lines_of
from bundlegym.user_models.base import Offer, UserModel
from bundlegym.user_models.rng.counter import Draws

_REPEATS, _BINS, _BATCH = 16, 15, 512


def purchase_rates(
    model: UserModel, dataset: Dataset, rows: np.ndarray, group: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(V, G) each: two halves of simulations' mean, and 0 or 1 observed, of buying from a group at a visit.

    `group` (n_items,) is the code of each item's group, such as its category.
    """
    shape = (len(rows), int(group.max()) + 1)
    predicted = np.zeros((2, *shape), dtype=np.float32)
    for begin in range(0, len(rows), _BATCH):
        batch = rows[begin : begin + _BATCH]
        state = model.at_visits(dataset, batch)
        visit = torch.as_tensor(batch, device=model.device)
        for repeat in range(_REPEATS):
            draws = Draws(seed, visit, torch.full_like(visit, repeat))
            response, _ = model.respond(state, Offer.nothing(len(batch), 1, model.device), draws)
            held = np.zeros((len(batch), shape[1]), dtype=bool)
            held[response.row.cpu(), group[response.item.cpu()]] = True
            predicted[repeat % 2, begin : begin + len(batch)] += held * (2 / _REPEATS)
    observed = np.zeros(shape, dtype=np.float32)
    lines, place = lines_of(dataset, rows)
    observed[place, group[dataset.purchases["item"].to_numpy()[lines]]] = 1.0
    return predicted[0], predicted[1], observed


def calibration_curve(binned_by: np.ndarray, predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """(B, 3): predicted rate, observed rate and share of cases, in bins of equal expected purchases."""
    order = np.argsort(binned_by, axis=None, kind="stable")
    mass = np.cumsum(binned_by.ravel()[order])
    edges = np.searchsorted(mass, np.linspace(0, mass[-1], _BINS + 1)[1:-1])
    parts = [part for part in np.split(order, edges) if len(part)]
    p, o = predicted.ravel(), observed.ravel()
    return np.array([(p[part].mean(), o[part].mean(), len(part) / len(order)) for part in parts])


def calibration_error_of_luck(curve: np.ndarray, cases: int) -> float:
    """What a perfect model would reach: the mean distance of the observed rate of each bin of `curve` from a
    chance of its own, which the simulations tell as often as they are a prediction. Distances are of a normal
    number; cases in one bin count as alike, which is the most that luck can do."""
    n, chance = curve[:, 2] * cases, curve[:, 0]
    variance = chance * (1 - chance) * (1 + 2 / _REPEATS) / n
    return float((np.sqrt(2 * variance / np.pi) * curve[:, 2]).sum())


def calibration_errors(curve: np.ndarray) -> dict[str, float]:
    """`calibration_error`, the mean distance over cases, and the same over purchases (`by_purchase`): most
    cases are near 0 and easy, so the second asks for more."""
    distance = np.abs(curve[:, 0] - curve[:, 1])
    purchases = curve[:, 1] * curve[:, 2]
    return {
        "calibration_error": float((distance * curve[:, 2]).sum()),
        "by_purchase": float((distance * purchases).sum() / purchases.sum()),
    }
