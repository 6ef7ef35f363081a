"""What being shown does, and how it wears out.

A week in the shop's mailer raises an item's log rate by m_1 in the first week of a run, m_2 in the second
week in a row and m_3 in the third or a later one. The wear-out factor of week k is m_k / m_1: the idea is
that of repetition wear-out, which a rest heals (Pechmann and Stewart 1988; Naik, Mantrala and Sawyer 1998;
Braun and Moe 2013).

**Who.** Lines of known buyers: shoppers who bought the item in the other half of the weeks. What is expected
of them, each one's own rate of the item in the other half times their visits, is the exposure of a Poisson
regression. So neither who visits in a week nor who likes the item passes as an effect of the mailer.

**Beside it.** log(shelf / list price), log list price, display, the week after a run, effects of each item
and of each department in each week (`panel`). Errors are clustered by item. A run that began before the log
has no known length and a coefficient of its own.

**What it cannot tell.** A shopper who stocked up in the first week buys less in the second, and that looks
like wear-out. It would show in the week after a run, too (`WearOut.after`): below 0 it says so. Shoppers'
own time since they last bought is no remedy: whoever bought lately likes the item more than their noisy rate
says, and those whom the mailer brought do not, so that conditioning on it makes wear-out of nothing.

**Shrinkage.** The ratio of two estimates is wild where the first is small. Each factor is drawn toward 1, no
wear-out, by its own standard error s: 1 + (m_k / m_1 - 1) t^2 / (t^2 + s^2), where t is how far factors may
lie from 1, `WearOutConfig.spread` (`numeric.shrink`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.config import Config, Count, Part, Positive
from bundlegym.user_models.numeric.poisson_fixed_effects import poisson_fixed_effects
from bundlegym.user_models.numeric.shrink import shrink

#: Weeks of a run that are told apart: the first, the second, the third and all later ones.
RUN_WEEKS = 3


@dataclass(frozen=True)
class WearOutConfig(Config):
    """Hyper-parameters of `fit_wear_out`."""

    in_mailer: Part = 0.5
    """Share of stores whose mailer holds the item, from which on it counts as a week of a run."""

    least_item_weeks: Count = 30
    """Item-weeks in the first and in a later week of a run below which nothing is estimated."""

    spread: Positive = 0.5
    """Standard deviation of the prior of a factor, mostly 0 to 1, about 1: half of the range
    (`numeric.shrink`)."""


@dataclass(frozen=True)
class WearOut:
    """How the mailer's effect on an item's log rate wears out, by the week of a run.

    Attributes:
        factor: (3,) what the effect is multiplied by in the first, second, and third or later week in a row,
            shrunk toward 1; `factor[0]` is 1.
        measured: (3,) the same as estimated, m_k / m_1, not shrunk; NaN where nothing is known.
        standard_error: (3,) of `measured`, clustered by item; 0 for the first; infinite where nothing is
            known.
        item_weeks: (3,) int64, item-weeks in the mailer behind each.
        mailer, mailer_error: (3,) m_k, what the mailer adds to the log rate, and its standard error.
        after, after_error: what the week after a run adds; below 0, shoppers stocked up.
        display, display_error: what display in all stores adds.
        elasticity, elasticity_error: of lines to what is off the list price.
        note: one sentence, what was estimated or why nothing was.
    """

    factor: np.ndarray
    measured: np.ndarray
    standard_error: np.ndarray
    item_weeks: np.ndarray
    mailer: np.ndarray
    mailer_error: np.ndarray
    after: float
    after_error: float
    display: float
    display_error: float
    elasticity: float
    elasticity_error: float
    note: str


def fit_wear_out(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    items: np.ndarray,
    known_buyers: bool = True,
    groups: np.ndarray | None = None,
    *,
    config: WearOutConfig = WearOutConfig(),
) -> WearOut:
    """Estimate it from `weeks`.

    Args:
        weeks: half-open range.
        shoppers: (n_shoppers,) mask, whose purchases count.
        items: (n_items,) mask, of which something is learned: those sold steadily, since of others the log
            knows the price only when they sell.
        known_buyers: whether only lines of known buyers count, as above. Else all lines do, with the shop's
            visits as exposure.
        groups: (n_items,) codes of the groups that have an effect in each week; by default departments.
    """
    run = run_weeks(dataset.mailer[items], config)[:, slice(*weeks)]
    item_weeks = np.array([(run == k).sum() for k in (1, 2)] + [(run > 2).sum()])
    least = config.least_item_weeks
    if item_weeks[0] < least or item_weeks[1:].sum() < least:
        return _neutral(
            item_weeks,
            f"the log's mailers hold {item_weeks[0]} first weeks of a run and {item_weeks[1:].sum()} later "
            f"ones; wear-out needs {least} of each, so none is assumed",
        )
    if groups is None:
        groups = pd.factorize(dataset.items["department"].astype(str), sort=True)[0]
    count, exposure = lines_and_exposure(dataset, weeks, shoppers, items, known_buyers)
    if not (exposure > 0).any():
        return _neutral(item_weeks, "the weeks are too few to know who buys what, so no wear-out is assumed")
    beta, covariance = poisson_fixed_effects(
        count,
        np.tile(columns_of(dataset, weeks, items, config), (len(count) // items.sum(), 1, 1)),
        exposure,
        np.resize(groups[items], len(count)),
        np.resize(np.arange(items.sum()), len(count)),
    )
    who = "known buyers" if known_buyers else "all shoppers"
    return wear_out_of(beta, covariance, item_weeks, f"{count.sum():.0f} lines of {who}", config)


def columns_of(
    dataset: Dataset, weeks: tuple[int, int], items: np.ndarray, config: WearOutConfig = WearOutConfig()
) -> np.ndarray:
    """(N, T, F) log(shelf / list price), display, the columns of `run_columns`, and log list price, of
    `items` (mask)."""
    span = slice(*weeks)
    listed = np.log(dataset.list_price[items, span])
    price = np.log(dataset.shelf_price[items, span]) - listed
    columns = (
        price,
        dataset.display[items, span],
        *run_columns(dataset.mailer[items], weeks, config),
        listed,
    )
    return np.stack(columns, 2).astype(np.float64)


def lines_and_exposure(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, items: np.ndarray, known_buyers: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(N, T) lines and their exposure, as in the module's doc; a row an item of `items` (mask), or with known
    buyers two, one for each half of the weeks."""
    panels = (_known_buyers if known_buyers else _everybody)(dataset, weeks, shoppers, items)
    count, exposure = (np.concatenate(tables) for tables in zip(*panels, strict=True))
    return count, exposure


def wear_out_of(
    beta: np.ndarray,
    covariance: np.ndarray,
    item_weeks: np.ndarray,
    source: str,
    config: WearOutConfig = WearOutConfig(),
) -> WearOut:
    """What coefficients of [price, display, *`run_columns`, ...] say, shrunk as above; `source` is told in
    the note."""
    error = np.sqrt(np.diag(covariance))
    place = slice(2, 2 + RUN_WEEKS)
    mailer, own = beta[place], covariance[place, place]
    measured = mailer / mailer[0]
    # Of a ratio to first order, with the covariance of its parts.
    variance = np.diag(own) - 2 * measured * own[0] + measured**2 * own[0, 0]
    standard_error = np.sqrt(variance.clip(min=0)) / abs(mailer[0])
    standard_error[0] = 0.0
    empty = item_weeks == 0
    measured[empty], standard_error[empty] = np.nan, np.inf
    return WearOut(
        factor=shrink(measured, standard_error, config.spread, neutral=1.0),
        measured=measured,
        standard_error=standard_error,
        item_weeks=item_weeks,
        mailer=mailer,
        mailer_error=error[place],
        after=float(beta[3 + RUN_WEEKS]),
        after_error=float(error[3 + RUN_WEEKS]),
        display=float(beta[1]),
        display_error=float(error[1]),
        elasticity=float(beta[0]),
        elasticity_error=float(error[0]),
        note=f"wear-out from {source}, {item_weeks.sum()} item-weeks in the mailer",
    )


def run_weeks(mailer: np.ndarray, config: WearOutConfig = WearOutConfig()) -> np.ndarray:
    """(I, W) int64 which week in a row the item is in `mailer` (I, W), by `in_mailer`: 1, 2, ...; 0 where it
    is not, and -1 where that is not known: in a run that began before the log, where `mailer` is NaN, and in
    a run that goes on after such a week."""
    on, unknown = mailer >= config.in_mailer, np.isnan(mailer)
    run = np.zeros(mailer.shape, dtype=np.int64)
    before = np.full(len(mailer), -1)
    for week in range(mailer.shape[1]):
        before = np.where(on[:, week], np.where(before < 0, -1, before + 1), -1 * unknown[:, week])
        run[:, week] = before
    return run


def run_columns(
    mailer: np.ndarray, weeks: tuple[int, int], config: WearOutConfig = WearOutConfig()
) -> np.ndarray:
    """(RUN_WEEKS + 2, I, T) share of stores with the item in the mailer: in the first, second, third or later
    week of a run; in a run of unknown length, or in few stores; and that of the week before where a run has
    just ended."""
    run, share = run_weeks(mailer, config), np.nan_to_num(mailer)
    place = [run == k for k in range(1, RUN_WEEKS)] + [run >= RUN_WEEKS, run <= 0]
    after = np.zeros_like(share)
    after[:, 1:] = np.where((run[:, 1:] == 0) & (run[:, :-1] != 0), share[:, :-1], 0.0)
    columns = np.stack([share * where for where in place] + [after])
    return columns[:, :, slice(*weeks)]


def _neutral(item_weeks: np.ndarray, note: str) -> WearOut:
    unknown, nan = np.full(RUN_WEEKS, np.nan), float("nan")
    endless, inf = np.full(RUN_WEEKS, np.inf), float("inf")
    return WearOut(
        np.ones(RUN_WEEKS), unknown, endless, item_weeks, unknown, endless, nan, inf, nan, inf, nan, inf, note
    )


def _everybody(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, items: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lines (I, T) of `items`, and the shop's visits of each week as their exposure."""
    rows = visit_rows(dataset, weeks, shoppers)
    _, item, place = _lines(dataset, rows)
    week = dataset.visits["week"].to_numpy()[rows] - weeks[0]
    n_weeks = weeks[1] - weeks[0]
    cell = item * n_weeks + week[place]
    count = np.bincount(cell, minlength=dataset.n_items * n_weeks).reshape(-1, n_weeks)[items]
    visits = np.bincount(week, minlength=n_weeks)
    return [(count.astype(float), np.broadcast_to(visits, count.shape).astype(float))]


def _known_buyers(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, items: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each half of the weeks, lines (I, T) of shoppers who bought the item in the other half, and as many
    as were expected of them; 0 outside the half."""
    first, end = weeks
    middle = (first + end) // 2
    halves = ((first, middle), (middle, end))
    return [_of_half(dataset, weeks, mine, other, shoppers, items) for mine, other in (halves, halves[::-1])]


def _of_half(
    dataset: Dataset,
    weeks: tuple[int, int],
    mine: tuple[int, int],
    other: tuple[int, int],
    shoppers: np.ndarray,
    items: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    rows = visit_rows(dataset, other, shoppers)
    visits = np.bincount(dataset.visits["shopper"].to_numpy()[rows], minlength=dataset.n_shoppers)
    shopper, item, _ = _lines(dataset, rows)
    shape = dataset.n_shoppers, dataset.n_items
    rate = csr_matrix((1 / visits[shopper], (shopper, item)), shape)

    rows = visit_rows(dataset, mine, shoppers)
    week = dataset.visits["week"].to_numpy()[rows] - weeks[0]
    n_weeks = weeks[1] - weeks[0]
    here = csr_matrix(
        (np.ones(len(rows)), (week, dataset.visits["shopper"].to_numpy()[rows])), (n_weeks, shape[0])
    )
    expected = (here @ rate[:, items]).toarray().T
    shopper, item, place = _lines(dataset, rows)
    known = items[item] & (np.asarray(rate[shopper, item]).ravel() > 0)
    cell = (np.cumsum(items) - 1)[item[known]] * n_weeks + week[place[known]]
    count = np.bincount(cell, minlength=expected.size).reshape(expected.shape)
    return count.astype(float), expected


def _lines(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P,) shopper, item, and place of the visit in `rows` of each line of these visits."""
    lines, place = lines_of(dataset, rows)
    item = dataset.purchases["item"].to_numpy()[lines].astype(np.int64)
    return dataset.visits["shopper"].to_numpy()[rows][place], item, place
