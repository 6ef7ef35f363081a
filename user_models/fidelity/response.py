"""How sales answer to price and promotion, estimated alike on a real and a simulated tape.

Poisson regression of an item's weekly units on log(shelf price / list price), the mean of that of the other
items of its subcategory, display, mailer and log list price, with an effect for each item and the shop's
weekly total as exposure; the item effects are conditioned out, which leaves a multinomial over weeks
(Hausman, Hall and Griliches 1984). One regression a category, over its items sold in nearly every week
before, since of others the log knows the price only when they sell.

What is off the list price is measured well by a few sales: of two halves of the shoppers, one's foretells
the other's with a slope of .86 at a single sale and .97 at five to eight. The list price itself is not
(weighed goods, packs that differ), so that a regression on the shelf price as a whole is drawn to 0 by errors
in the variable (Fuller 1987); the list price is a column of its own, whose coefficient is not read.

And how a model's shoppers answer a discount on one item, which is for the model to say: no public log has
randomised offers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.base import Offer, UserModel
from bundlegym.user_models.choice_fit import steadily_sold
from bundlegym.user_models.draws import Draws
from bundlegym.user_models.taste import subcategories

_LEAST_UNITS = 200  # units in a category before its regression says anything
#: Columns of `promotion_response`.
ANSWERS = ("elasticity", "cross_elasticity", "display", "mailer")
_DISCOUNT, _REPEATS, _BATCH = 0.2, 4, 512  # of the offers by which a model is asked
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
    """A row a category with sales enough: `elasticity` and `cross_elasticity` (to the other items of the
    subcategory), `display` and `mailer` (multipliers of units), `units`."""
    span = slice(*weeks)
    shape = (dataset.n_items, weeks[1] - weeks[0])
    units = np.bincount(
        tape["item"] * shape[1] + tape["week"] - weeks[0], tape["quantity"], minlength=shape[0] * shape[1]
    ).reshape(shape)
    category = pd.factorize(dataset.items["category"])[0]
    steady = steadily_sold(dataset, (0, weeks[0]))
    listed = np.log(dataset.list_price[:, span])
    price = np.log(dataset.shelf_price[:, span]) - listed
    others = _mean_of_others(price, np.where(steady, subcategories(dataset), -1))
    columns = (price, others, dataset.display[:, span], dataset.mailer[:, span], listed)
    x = np.stack(columns, 2).astype(np.float64)
    exposure = np.log(np.maximum(units.sum(0), 1.0))
    rows = []
    for code in range(category.max() + 1):
        mine = (category == code) & steady
        moves = (np.ptp(x[mine, :, 0], axis=1) > 0.05).any()
        if units[mine].sum() >= _LEAST_UNITS and moves:
            beta = conditional_poisson(units[mine], x[mine], exposure)
            rows.append((code, *beta[:2], *np.exp(beta[2:4]), units[mine].sum()))
    return pd.DataFrame(rows, columns=["category", *ANSWERS, "units"])


def _mean_of_others(table: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(n_items, T) mean of the rows of the other items in each item's group; 0 for an item alone, and for
    those of group -1."""
    total = np.zeros((group.max() + 2, table.shape[1]))  # the last row is that of -1
    np.add.at(total, group, table)
    count = np.bincount(group + 1, minlength=len(total))[group + 1, None]
    return np.where(
        (group[:, None] >= 0) & (count > 1), (total[group] - table) / np.maximum(count - 1, 1), 0.0
    )


def response_summary(table: pd.DataFrame) -> dict[str, float]:
    """Medians over categories, weighted by units."""
    return {name: _median(table[name], table["units"]) for name in ANSWERS}


def _median(value: pd.Series, weight: pd.Series) -> float:
    order = np.argsort(value.to_numpy())
    total = np.cumsum(weight.to_numpy()[order])
    return (
        float(value.to_numpy()[order][np.searchsorted(total, total[-1] / 2)]) if len(order) else float("nan")
    )


def offer_elasticity(model: UserModel, dataset: Dataset, rows: np.ndarray, seed: int = 0) -> float:
    """Own-price elasticity of one item offered by itself at the visits `rows`: log of how many times as often
    it is bought at a discount as at the shelf price, with the same luck, over log(1 - discount). The item is
    that of a line drawn from what the shopper bought before the weeks of `rows`. NaN where none is bought."""
    shopper = dataset.visits["shopper"].to_numpy()
    past = visit_rows(dataset, (0, int(dataset.visits["week"].to_numpy()[rows].min())))
    lines, place = lines_of(dataset, past)
    start, end = np.searchsorted(shopper[past][place], [shopper[rows], shopper[rows] + 1])
    rows, start, end = rows[end > start], start[end > start], end[end > start]
    drawn = start + (np.random.default_rng(seed).random(len(rows)) * (end - start)).astype(np.int64)
    item = torch.as_tensor(
        dataset.purchases["item"].to_numpy()[lines[drawn]].astype(np.int64), device=model.device
    )
    bought = np.zeros(2)
    for begin in range(0, len(rows), _BATCH):
        state = model.at_visits(dataset, rows[begin : begin + _BATCH])
        offered = item[begin : begin + _BATCH]
        visit = torch.as_tensor(rows[begin : begin + _BATCH], device=model.device)
        for repeat in range(_REPEATS):
            draws = Draws(seed, visit, torch.full_like(visit, repeat))
            for n, discount in enumerate((0.0, _DISCOUNT)):
                offer = Offer(offered[:, None], torch.full((len(offered),), discount, device=model.device))
                response, _ = model.respond(state, offer, draws)
                bought[n] += int((response.item == offered[response.row]).sum())
    return float(np.log(bought[1] / bought[0]) / np.log(1 - _DISCOUNT)) if bought.all() else float("nan")
