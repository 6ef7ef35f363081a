"""How sales answer to price and promotion, estimated alike on a real and a simulated panel.

Poisson regression of an item's weekly units on log(shelf price / list price), the mean of that of the other
items of its subcategory, display, mailer and log list price, with an effect for each item and the shop's
weekly total as exposure; the item effects are conditioned out, which leaves a multinomial over weeks
(Hausman, Hall and Griliches 1984). One regression over all items sold in nearly every week before, since of
others the log knows the price only when they sell; by category, a few weeks tell little.

What is off the list price is measured well by a few sales: what one half of the shoppers paid of it foretells
what the other half did nearly one to one. The list price itself is not (weighed goods, packs that differ), so
that a regression on the shelf price as a whole is drawn to 0 by errors in the variable (Fuller 1987); the
list price is a column of its own, whose coefficient is not read.

And how a model's shoppers answer a discount on one item, which is for the model to say: no public log has
randomised offers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.base import Offer, UserModel
from bundlegym.user_models.components.marketing import mean_of_others, steadily_sold
from bundlegym.user_models.rng.counter import Draws

_LEAST_UNITS = 200  # units in a category before its regression says anything
_MOVE = 0.05  # of a log price, that an item's price moves at all
#: What `promotion_response` tells.
ANSWERS = (
    "elasticity", "elasticity_error", "elasticity_of_lines", "cross_elasticity", "cross_elasticity_error",
    "display", "mailer",
)  # fmt: skip
#: Of these `differences` says whether they differ by more than noise, with their columns of the regression.
COMPARED = {"elasticity": 0, "cross_elasticity": 1}
_TWO_SIDED = 1.96  # standard errors, of a 95 % interval
_DISCOUNT, _REPEATS, _BATCH = 0.2, 4, 512  # of the offers by which a model is asked
_RIDGE = 1.0  # a weak normal prior on each coefficient, so that no coefficient runs away


@dataclass(frozen=True)
class Told:
    """What sales on a panel say.

    Attributes:
        figures: by the names of `ANSWERS`.
        by_category: (C,) elasticity of units in each category with sales enough.
        influence: (G, F) what each subcategory adds to the coefficients of the regression of units; the
            covariance of these is `influence.T @ influence`.
    """

    figures: dict[str, float]
    by_category: np.ndarray
    influence: np.ndarray


def conditional_poisson(
    units: np.ndarray, x: np.ndarray, log_exposure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(F,) coefficients and their standard errors, clustered by item; units (n_items, T), x (n_items, T, F),
    log_exposure (T,) or (n_items, T)."""
    beta, influence = _with_influence(units, x, log_exposure)
    return beta, np.sqrt((influence**2).sum(0))


def _with_influence(
    units: np.ndarray, x: np.ndarray, log_exposure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(F,) coefficients, and (n_items, F) what each item adds to them. By Newton's method."""
    beta = np.zeros(x.shape[2])
    total = units.sum(1)
    for _ in range(25):
        score = x @ beta + log_exposure
        share = np.exp(score - score.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        centred = x - np.einsum("it,itf->if", share, x)[:, None]
        by_item = np.einsum("it,itf->if", units, centred)
        weighted = (total[:, None] * share)[:, :, None] * centred
        hessian = np.einsum("itf,itg->fg", weighted, centred) + _RIDGE * np.eye(len(beta))
        step = np.linalg.solve(hessian, by_item.sum(0) - _RIDGE * beta)
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    return beta, by_item @ np.linalg.inv(hessian)


def promotion_response(panel: pd.DataFrame, dataset: Dataset, weeks: tuple[int, int]) -> Told:
    """What the sales of `weeks` say.

    `elasticity` is of units; `elasticity_of_lines` of how often an item is bought; `cross_elasticity` to what
    is off the other items of the subcategory; `display` and `mailer` multiply units. Standard errors are
    clustered by subcategory, whose items meet the same prices of neighbours and the same shocks. NaN where
    nothing was sold steadily before.
    """
    span = slice(*weeks)
    sold = steadily_sold(dataset, (0, weeks[0]))
    if not sold.any():
        return Told(dict.fromkeys(ANSWERS, float("nan")), np.empty(0), np.empty((0, 5)))
    lines, units = (_weekly(panel, count, dataset.n_items, weeks) for count in (None, panel["quantity"]))
    listed = np.log(dataset.list_price[:, span])
    price = np.log(dataset.shelf_price[:, span]) - listed
    group = dataset.subcategory_code
    columns = (
        price,
        mean_of_others(price, group, sold),
        dataset.display[:, span],
        dataset.mailer[:, span],
        listed,
    )
    x, steady = np.stack(columns, 2).astype(np.float64), np.flatnonzero(sold)

    def regression(items: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _with_influence(count[items], x[items], np.log(np.maximum(count.sum(0), 1.0)))

    beta, by_item = regression(steady, units)
    influence = np.zeros((group.max() + 1, len(beta)))
    np.add.at(influence, group[steady], by_item)
    own, cross = np.sqrt((influence**2).sum(0))[:2]
    of_lines = regression(steady, lines)[0][0]
    figures = (beta[0], own, of_lines, beta[1], cross, np.exp(beta[2]), np.exp(beta[3]))
    category = pd.factorize(dataset.items["category"])[0][steady]
    moves = np.ptp(price[steady], axis=1) > _MOVE
    groups = (steady[(category == code) & moves] for code in range(category.max() + 1))
    by_category = [regression(items, units)[0][0] for items in groups if units[items].sum() >= _LEAST_UNITS]
    return Told(dict(zip(ANSWERS, map(float, figures), strict=True)), np.array(by_category), influence)


def differences(real: Told, simulated: Told) -> dict[str, dict[str, float | bool | None]]:
    """Of each of `COMPARED`: `difference`, simulated less real, its 95 % interval (`low`, `high`), and
    whether it is `beyond_noise`, which is where the interval leaves out 0; None where nothing is known.

    The standard error is of the difference by subcategory: real and simulated shoppers meet the same prices.
    In it is what befell a subcategory in some real week, which no simulation knows, and the simulation's own
    luck.
    """
    found: dict[str, dict[str, float | bool | None]] = {}
    for name, column in COMPARED.items():
        difference = simulated.figures[name] - real.figures[name]
        apart = simulated.influence[:, column] - real.influence[:, column]
        known = bool(np.isfinite(difference))
        reach = _TWO_SIDED * float(np.sqrt((apart**2).sum())) if known else float("nan")
        found[name] = {
            "difference": difference,
            "low": difference - reach,
            "high": difference + reach,
            "beyond_noise": abs(difference) > reach if known else None,
        }
    return found


def _weekly(panel: pd.DataFrame, count: pd.Series | None, n_items: int, weeks: tuple[int, int]) -> np.ndarray:
    """(n_items, T) lines, or the sum of `count` over lines, by item and week."""
    n = weeks[1] - weeks[0]
    place = panel["item"] * n + panel["week"] - weeks[0]
    return np.bincount(place, count, minlength=n_items * n).reshape(-1, n).astype(np.float64)


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
