"""Visits, basket sizes and what baskets of each size hold, matched to the log by simulated moments.

Complementarity, missions, satiation, an item being bought once a visit at most, and purchases by shoppers who
would else go away empty-handed change the size of baskets and what they hold; frailty changes the number of
visits. What a model has of these is moved until the last fifth of the weeks of the fit, simulated, is like
the log.

Small trips are for other things than big ones. So each subcategory has a constant by the size of the trip:
the log of its lines in baskets of a size as a share of those that simulations without it would hold, shrunk
to that of its category, and that of a category to none. How a subcategory's lines are spread over sizes is
read off all weeks of the fit, how many there are off the last fifth. A constant says what is bought, and not
how much: each shopper's trips (`log_size_rate`) are made smaller by as much as constants make them larger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.user_models.components.basket_size import (
    SIZE_EDGES,
    BasketSizeConfig,
    off_grid,
    on_grid,
    size_factors,
)
from bundlegym.user_models.components.fit_weeks import last_fifth
from bundlegym.user_models.components.preferences import level_of_groups
from bundlegym.user_models.components.simulated_moments import M, match
from bundlegym.user_models.config import Config, Count, Positive
from bundlegym.user_models.panel import logged_panel

_AT_ONCE = 4096  # shoppers whose shares are made at once


@dataclass(frozen=True)
class SizeConstantsConfig(Config):
    """Hyper-parameters of `match_sizes`."""

    lines: Positive = 20.0
    """Lines of all weeks: weight of no constant in a category's, and of that in its subcategories'."""

    simulations: tuple[Count, ...] = (2, 2, 4, 12)
    """How many simulations each step of simulated moments rests on. More steps follow the luck of the log;
    all that is found rests on the last one, and a single simulation's visits and lines are out by a
    hundredth each, for who is busy in it is so all along."""

    further_simulations: tuple[Count, ...] = (4,)
    """Simulations of each step where the fit goes on from an earlier one, which is near."""


def match_sizes(
    model: M,
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
    *,
    by_category: bool = False,
    constants: bool = True,
    config: SizeConstantsConfig = SizeConstantsConfig(),
    basket_size: BasketSizeConfig = BasketSizeConfig(),
    earlier: Mapping[str, Tensor] = MappingProxyType({}),
) -> M:
    """The model with `log_gap_factor`, `hazard_level`, `size_constants` and `log_size_rate`, or of a model
    without size constants `category_level`, with which a simulation of `shoppers` (mask) has as large a mean
    basket after each time since the last visit and, soon after it, by how large that was, as many visits, and
    as large a share of each subcategory, or category, in baskets of each size as the log. With `by_category`
    subcategories of one category have one constant; without `constants` all are 0. `basket_size` says what a
    factor on lines is shrunk by. An `earlier` fit's `log_gap_factor`, `hazard_level` and `size_constants`,
    where they are given, are begun with.

    Raises:
        UserError: these weeks hold no purchases.
    """
    span, known = last_fifth(weeks), np.flatnonzero(shoppers)
    late = logged_panel(dataset, span, known)
    if late.empty:
        raise UserError(
            f"{dataset.name}: no purchases of the shoppers to fit on in weeks {span[0]}-{span[1] - 1}, "
            "the last fifth of those of the fit; a longer or denser log is needed"
        )
    every = logged_panel(dataset, weeks, known)
    moment = _Sizes(
        model, dataset, every, late, 7 * span[0], by_category, constants, config, basket_size, earlier
    )
    return match(model, moment, span, known, seed)


class _Sizes:
    """The moment of `match_sizes`."""

    def __init__(
        self,
        model: Any,
        dataset: Dataset,
        every: pd.DataFrame,
        late: pd.DataFrame,
        day: int,
        by_category: bool,
        constants: bool,
        config: SizeConstantsConfig,
        basket_size: BasketSizeConfig,
        earlier: Mapping[str, Tensor],
    ) -> None:
        params = model.params
        self.config, self.basket_size, self.earlier = config, basket_size, earlier
        self.simulations = config.further_simulations if earlier else config.simulations
        self.by_subcategory = hasattr(params, "size_constants")
        catalogue = params.catalogue
        self.code = (catalogue.subcategory if self.by_subcategory else catalogue.category).numpy()
        self.nested = [np.arange(int(self.code.max()) + 1)]  # from the coarsest
        if self.by_subcategory:
            category = level_of_groups(dataset, self.code, "category")
            self.nested = [category] if by_category else [category, *self.nested]
        in_all, in_late = (_lines_by_size(panel, self.code) for panel in (every, late))
        self.lines = _lines_in_all(in_all, in_late, config.lines)
        self.usual = params.basket_size.usual_log_size.numpy()
        self.real = _visits(late, self.usual, basket_size)
        self.first, self.log_size_rate = self._constants(params), params.basket_size.log_size_rate
        self.constants, self.free = np.zeros_like(self.lines), constants
        self.share = _shares(model, params, day) if self.by_subcategory else None

    def _constants(self, params: Any) -> Tensor:
        """(K, n) the constants of a model by size of trip and code."""
        if self.by_subcategory:
            return params.size_constants.size_constants
        return params.missions.category_level

    def start(self, params: Any) -> Any:
        if not self.earlier:
            return params
        if self.free:
            self.constants = off_grid(self.earlier["size_constants"].double().numpy())
        visits = {name: self.earlier[name] for name in self.real}
        return params.changed(**visits, **self._with_constants())

    def update(self, params: Any, panels: list[pd.DataFrame], step: int) -> Any:
        lines = self.lines
        held = np.sum([_lines_by_size(panel, self.code) for panel in panels], 0)
        scale = lines.sum(1, keepdims=True) / held.sum(1, keepdims=True).clip(min=1)
        if self.free:
            free = held * scale / np.exp(self.constants)
            self.constants = _log_ratios(lines, free, self.nested, self.config.lines)
        new = self._with_constants()
        before = {
            "log_gap_factor": params.basket_size.log_gap_factor,
            "hazard_level": params.incidence.hazard_level,
        }
        visits = [_visits(panel, self.usual, self.basket_size) for panel in panels if not panel.empty]
        for figure, wanted in self.real.items():
            if not visits and figure != "hazard_level":
                continue  # nobody came: more must come before the size of trips can be seen
            simulated = np.mean([of_panel[figure] for of_panel in visits], 0) if visits else 1.0
            new[figure] = before[figure] + torch.from_numpy(np.log(wanted / simulated)).float()
        return params.changed(**new)

    def _with_constants(self) -> dict[str, Tensor]:
        """The parameters that follow from the constants."""
        change = torch.from_numpy(on_grid(self.constants)).float()
        name = "size_constants" if self.by_subcategory else "category_level"
        new = {name: self.first + change}
        if self.share is not None:
            new["log_size_rate"] = self.log_size_rate - torch.log(self.share @ change.exp().T)
        return new


def _visits(
    panel: pd.DataFrame, usual: np.ndarray, config: BasketSizeConfig = BasketSizeConfig()
) -> dict[str, np.ndarray]:
    """What these parameters are to bring about: lines by days since the last visit, and how large that was,
    over the shopper's own log mean ones, `usual` (S,), so that it does not show which shoppers come when;
    scaled to a mean of that of all visits, since a model's lie not quite as many days apart as the log's; and
    (1,) visits."""
    _, first, lines = np.unique(panel["visit"].to_numpy(), return_index=True, return_counts=True)
    shopper, day = panel["shopper"].to_numpy()[first], panel["day"].to_numpy()[first]
    order = np.lexsort((day, shopper))
    shopper, day, lines = shopper[order], day[order], lines[order]
    gap = pd.Series(day).groupby(shopper).diff()
    by_gap, by_class = size_factors(lines, usual[shopper], gap, config)
    return {
        "log_gap_factor": by_class * by_gap * (lines.mean() / by_gap.mean()),
        "hazard_level": np.array([max(len(lines), 1.0)]),
    }


def _lines_by_size(panel: pd.DataFrame, code: np.ndarray) -> np.ndarray:
    """(6, max(code) + 1) lines of items of each code (I,) in baskets of each class of `SIZE_EDGES`."""
    visit, shape = panel["visit"].to_numpy(), (len(SIZE_EDGES) + 1, int(code.max()) + 1)
    size = np.digitize(np.bincount(visit), SIZE_EDGES)[visit]
    cell = np.ravel_multi_index((size, code[panel["item"]]), shape)
    return np.bincount(cell, minlength=shape[0] * shape[1]).astype(float).reshape(shape)


def _lines_in_all(all_weeks: np.ndarray, late: np.ndarray, weight: float) -> np.ndarray:
    """Lines as they would be if all weeks were like the `late` ones: spread over sizes within a code as in
    all, of each code and of each size as many as in these; all (6, n). The former is shrunk
    to none by `weight` lines."""
    more = all_weeks.sum() / late.sum()
    lines = all_weeks * (more * late.sum(0) + weight) / (all_weeks.sum(0) + weight)
    return np.asarray(lines * (more * late.sum(1) / lines.sum(1).clip(min=1))[:, None])


def _log_ratios(lines: np.ndarray, free: np.ndarray, nested: list[np.ndarray], weight: float) -> np.ndarray:
    """(6, n) log ratio of `lines` to those without constants, `free`, by the last of `nested` codes (n,);
    each shrunk by `weight` lines to that by the code before, the first to 0."""
    ratio = np.ones_like(lines)
    for code in nested:
        seen, expected, parents = (_sums(code, table) for table in (lines, free, ratio))
        parents /= np.bincount(code).clip(min=1)  # those of one code have one ratio so far
        ratio = ((seen + weight * parents) / (expected + weight))[:, code]
    return np.asarray(np.log(ratio))


def _sums(code: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(6, max(code) + 1) sums of the columns of `table` (6, n) by code (n,)."""
    return np.stack([np.bincount(code, row) for row in table])


def _shares(model: Any, params: Any, day: int) -> Tensor:
    """(S, G) share of each subcategory in a visit of each shopper, were there no constants."""
    everyone = torch.arange(len(params.basket_size.usual_log_size)).split(_AT_ONCE)
    visits = (model.reset(shopper, torch.full_like(shopper, day)) for shopper in everyone)
    return torch.cat([model.subcategory_shares(visit) for visit in visits])
