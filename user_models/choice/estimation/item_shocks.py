"""Item shocks: what befalls single items in the weeks after a fit.

In a log an item sells in coming weeks by a factor of its own more or less than its past says: launches,
stock-outs, seasons, fashions. Nobody can foresee it, so forecasts (`log_share`) know nothing of it. But a
simulation of these weeks is one possible future, so it holds one draw of such factors.

Lines of an item of which m are expected are Poisson with mean m f, where f is gamma with mean mu and variance
v mu^2: negative binomial (Greenwood and Yule 1920). What shoppers buy of items *near* them, those on their
shortlists or remembered, has another f than what is bought by the *rest*, to whom the item is new: in the log
the second varies some three times as much, and the two go together little. mu and v, by kind and by class of
items by the lines expected of them, are found in weeks that preferences have not seen (the stage `unseen`);
the part of v by which simulations without item shocks differ from each other, since whoever tries an item
buys it again, is left out. Shocks move purchases between items of a kind and make no more of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.special import gammaln
from torch import Tensor

from bundlegym.data import Dataset, lines_of
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.choice.parameters import NEAR, REST, ChoiceParameters, ItemShocks
from bundlegym.user_models.config import Config, Count, Positive, Several

#: Edges between classes of items: lines expected of an item as a multiple of those of the mean item.
_EDGES = 2.0 ** np.arange(-2, 4)
_VARIANCES = np.geomspace(1e-3, 8.0, 80)
_LITTLE = 1e-9  # of a line
_LEAST = 1e-3  # a factor; of an item that is gone
_CHUNK = 512  # visits whose shares of all items are in memory at once


@dataclass(frozen=True)
class ItemShocksConfig(Config):
    """Hyper-parameters of `fit_item_shocks`, and of what it is given."""

    items: Positive = 20.0
    """Items like all, added to those of each class."""

    simulations: Several = 4
    """Simulations that say what all parts make of classes of items, two or more: they differ from each other
    by chance alone."""

    visits: Count = 2_048
    """Visits, about, that say how much is expected of an item beside others in the weeks after the fit."""


def no_shocks(n_weeks: int, n_items: int) -> ItemShocks:
    """None in any of the weeks."""
    shape = 2, len(_EDGES) + 1
    return ItemShocks(torch.zeros(2, n_weeks, n_items), torch.ones(shape), torch.zeros(shape))


def fit_item_shocks(
    expected: np.ndarray,
    simulated: np.ndarray,
    lines: np.ndarray,
    config: ItemShocksConfig = ItemShocksConfig(),
) -> tuple[np.ndarray, np.ndarray]:
    """`shock_mean` and `shock_variance` (2, E) float32 by kind and class, from the lines of each item (2, I)
    that are `expected` as in `expected_lines`, in any unit, those of some that were `simulated` (N, 2, I),
    and those in the log.

    The mean is that of a class in the log beside simulations, in which trip effects, constants and the like
    make of it what no forecast says; the variance about it is found by likelihood, which the few items that
    are suddenly in season do not rule."""
    code, n, items = _classes(expected), len(_EDGES) + 1, config.items
    size = np.bincount(code, minlength=n).clip(min=1)
    mean, variance = np.empty((2, 2, n))
    for kind in (NEAR, REST):
        seen, wanted, free = (
            np.bincount(code, table[kind], minlength=n) for table in (lines, expected, simulated.sum(0))
        )
        mean[kind] = _ratios(seen, free * (seen.sum() / free.sum().clip(min=1.0)), size, items)
        usual = _ratios(seen, wanted, size, items)[code] * expected[kind]
        likelihood = _log_likelihood(lines[kind], usual)
        by_class = np.stack([np.bincount(code, row, minlength=n) for row in likelihood])
        by_class += items * likelihood.mean(1, keepdims=True)
        whole = _VARIANCES[by_class.argmax(0)]
        own = _own_variance(simulated[:, kind], code, size, items)
        variance[kind] = ((whole - own) / (1 + own)).clip(min=_VARIANCES[0])
    return mean.astype(np.float32), variance.astype(np.float32)


def _ratios(lines: np.ndarray, expected: np.ndarray, size: np.ndarray, items: float) -> np.ndarray:
    """(C,) of `lines` to those `expected` in each class of `size` items, with so many `items` like all added;
    all (C,)."""
    overall = (lines.sum() + 1.0) / (expected.sum() + 1.0)
    more = items * (expected / size).clip(min=1e-6)
    return np.asarray((lines + more * overall) / (expected + more))


def _own_variance(simulated: np.ndarray, code: np.ndarray, size: np.ndarray, items: float) -> np.ndarray:
    """(C,) variance, as a share of the squared mean and beyond that of a Poisson law, between simulations of
    the lines (N, I) of an item of each class, of `size` items and so many `items` like all."""
    mean, variance = simulated.mean(0), simulated.var(0, ddof=1)
    beyond, square = (
        np.bincount(code, x, minlength=len(size)) + items * x.mean()
        for x in (variance - mean, mean**2 - variance / len(simulated))
    )
    return np.asarray((beyond / square.clip(min=_LITTLE)).clip(min=0.0))


def draw_item_shocks(p: ChoiceParameters, expected: np.ndarray, seed: int) -> Tensor:
    """(2, W, I), the log of a factor of each kind and item in the weeks from the end of the fit on, 0 before.
    `expected` (2, I) as in `expected_lines`, in any unit: of the lines of a kind the factors make neither
    more nor less."""
    shocks = p.item_shocks
    if not shocks.shock_variance.any():
        return shocks.item_shocks
    code = _classes(expected)
    mean, variance = (table.double().numpy()[:, code] for table in (shocks.shock_mean, shocks.shock_variance))
    factor = (mean * np.random.default_rng(seed).gamma(1 / variance, variance)).clip(_LEAST)
    wanted, drawn = expected.sum(1) + _LITTLE, (expected * factor).sum(1) + _LITTLE  # all may be near
    factor *= (wanted / drawn)[:, None]
    later = torch.arange(shocks.item_shocks.shape[1]) >= p.trials.first_trial_week
    return later[:, None] * torch.from_numpy(np.log(factor)).float()[:, None]


def near_items(p: ChoiceParameters, bought: np.ndarray) -> np.ndarray:
    """(S, I) bool: whether an item is on the shopper's shortlist or remembered; `bought` (S, I) in the weeks
    of the fit."""
    near = bought.copy()
    np.put_along_axis(near, p.shortlists.shortlist.numpy(), True, axis=1)
    return near


def lines_by_kind(panel: pd.DataFrame, near: np.ndarray) -> np.ndarray:
    """(2, I) lines of each item on a panel, by those to whom it is `near` (S, I) and by the rest."""
    lines = np.zeros((2, near.shape[1]))
    np.add.at(lines, (np.where(near[panel["shopper"], panel["item"]], NEAR, REST), panel["item"]), 1.0)
    return lines


def expected_lines(model: UserModel, dataset: Dataset, rows: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(2, I) lines of each item expected at the visits in `rows`, given how many each holds; of those to whom
    it is `near` (S, I) and of the rest."""
    shopper = dataset.visits["shopper"].to_numpy()[rows]
    held = np.bincount(lines_of(dataset, rows)[1], minlength=len(rows)).astype(np.float32)  # as shares are
    state, expected = model.at_visits(dataset, rows), np.zeros((2, dataset.n_items))
    for first in range(0, len(rows), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        log_share = model.log_share({name: value[chunk] for name, value in state.items()})
        assert log_share is not None
        share = log_share.exp().numpy()
        own = np.where(near[shopper[chunk]], share, 0)
        expected[NEAR] += held[chunk] @ own
        expected[REST] += held[chunk] @ (share - own)
    return expected


def _classes(expected: np.ndarray) -> np.ndarray:
    """(I,) class of each item by the lines `expected` (2, I) of it."""
    total = expected.sum(0)
    return np.searchsorted(_EDGES, total / total.mean())


def _log_likelihood(lines: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(V, I) log chance of `lines` (I,) by a negative binomial law of `mean` (I,), with each of `_VARIANCES`;
    but for terms that are the same with all."""
    shape, mean = 1 / _VARIANCES[:, None], mean.clip(min=1e-9)
    chance = gammaln(lines + shape) - gammaln(shape) - shape * np.log1p(mean / shape)
    return np.asarray(chance - lines * np.log(mean + shape))
