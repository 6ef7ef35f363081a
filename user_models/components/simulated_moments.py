"""The level of baskets and visits: what the parts of a model, fitted one by one, get wrong together.

Synergy, missions, satiation, an item being bought once a visit at most, and purchases by those who would else
go away empty-handed change the size of baskets and what they hold; frailty changes the number of visits. What
a model has of these is moved until the last fifth of the weeks of the fit, simulated, is like the log.

Small trips are for other things than big ones. So each subcategory has a level by the size of the trip: the
log of its lines in baskets of a size as a share of those that simulations without it would hold, shrunk to
that of its category, and that of a category to none. How a subcategory's lines are spread over sizes is read
off all weeks of the fit, how many there are off the last fifth. A level says what is bought, and not how
much: each shopper's trips (`trip_rate`) are made smaller by as much as levels make them larger.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.choice.reference.utility import log_share
from bundlegym.user_models.components.basket_size import SIZE_EDGES, on_grid, size_factors
from bundlegym.user_models.components.preferences import level_of_groups
from bundlegym.user_models.panel import real_tape, simulated_tape
from bundlegym.user_models.requirements import last_fifth

#: Of each step. More steps follow the luck of the log; all that is found rests on the last one, and a single
#: simulation's visits and lines are out by a hundredth each, for who is busy in it is so all along.
_SIMULATIONS = (2, 2, 4, 12)
_LINES = 20.0  # of all weeks: weight of no level in a category's, and of that in its subcategories'
_ROWS = 512  # shoppers whose shares of all items are in memory at once


def fit_level(
    model: UserModel,
    tensors: dict[str, Tensor],
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
    *,
    by_category: bool = False,
) -> dict[str, np.ndarray]:
    """`trip_gap`, `hazard_level`, `group_level` and `trip_rate`, or of a model that has no `group_level`
    `category_level`, with which a simulation of `shoppers` (mask) has as large a mean basket after each time
    since the last visit and, soon after it, by how large that was, as many visits, and as large a share of
    each subcategory, or category, in baskets of each size as the log. With `by_category` subcategories of one
    category have one level.

    Replaces those of the model's `tensors` on the way.

    Raises:
        UserError: these weeks hold no purchases.
    """
    span, known = last_fifth(weeks), np.flatnonzero(shoppers)
    tape = real_tape(dataset, span, known)
    if tape.empty:
        raise UserError(
            f"{dataset.name}: no purchases of the shoppers to fit on in weeks {span[0]}-{span[1] - 1}, "
            "the last fifth of those of the fit; a longer or denser log is needed"
        )
    by_group = "group_level" in tensors
    name, code = ("group_level", tensors["group"]) if by_group else ("category_level", tensors["category"])
    nested = [np.arange(int(code.max()) + 1)]  # from the coarsest
    if by_group:
        category = level_of_groups(dataset, code.numpy(), "category")
        nested = [category] if by_category else [category, *nested]
    lines = _lines_in_all(
        *(_lines_by_size(t, code.numpy()) for t in (real_tape(dataset, weeks, known), tape))
    )
    start, trip_rate, level = tensors[name], tensors["trip_rate"], np.zeros_like(lines)
    share = _shares(model, tensors, 7 * span[0]) if by_group else None
    usual = tensors["usual_trip"].numpy()
    real = _visits(tape, usual)
    for step, n in enumerate(_SIMULATIONS):
        first = seed + sum(_SIMULATIONS[:step])
        tapes = [simulated_tape(model, span, known, first + i) for i in range(n)]
        held = np.sum([_lines_by_size(tape, code.numpy()) for tape in tapes], 0)
        free = held * (lines.sum(1, keepdims=True) / held.sum(1, keepdims=True).clip(min=1)) / np.exp(level)
        level = _levels(lines, free, nested)
        change = torch.from_numpy(on_grid(level)).float()
        tensors[name] = start + change
        if share is not None:
            tensors["trip_rate"] = trip_rate - torch.log(share @ change.exp().T)
        visits = [_visits(tape, usual) for tape in tapes if not tape.empty]
        for figure, wanted in real.items():
            if not visits and figure != "hazard_level":
                continue  # nobody came: more must come before the size of trips can be seen
            simulated = np.mean([of_tape[figure] for of_tape in visits], 0) if visits else 1.0
            tensors[figure] = tensors[figure] + torch.from_numpy(np.log(wanted / simulated)).float()
    return {name: tensors[name].numpy() for name in (*real, name, *(("trip_rate",) if by_group else ()))}


def _visits(tape: pd.DataFrame, usual: np.ndarray) -> dict[str, np.ndarray]:
    """What these tensors are to bring about: lines by days since the last visit, and how large that was, over
    the shopper's own log mean ones, `usual` (S,), for who comes when is not to show in it; scaled to a mean
    of that of all visits, since a model's lie not quite as many days apart as the log's; and (1,) visits."""
    visits = tape.groupby("visit").agg(shopper=("shopper", "first"), day=("day", "first"), n=("item", "size"))
    visits = visits.sort_values(["shopper", "day"], kind="stable")
    gap = visits.groupby("shopper")["day"].diff()
    by_gap, by_class = size_factors(visits["n"].to_numpy(), usual[visits["shopper"]], gap)
    return {
        "trip_gap": by_class * by_gap * (visits["n"].mean() / by_gap.mean()),
        "hazard_level": np.array([max(len(visits), 1.0)]),
    }


def _lines_by_size(tape: pd.DataFrame, code: np.ndarray) -> np.ndarray:
    """(6, max(code) + 1) lines of items of each code (I,) in baskets of each class of `SIZE_EDGES`."""
    size = np.digitize(tape.groupby("visit")["item"].transform("size"), SIZE_EDGES)
    lines = np.zeros((len(SIZE_EDGES) + 1, int(code.max()) + 1))
    np.add.at(lines, (size, code[tape["item"]]), 1.0)
    return lines


def _lines_in_all(all_weeks: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Lines as they would be if all weeks were like the `late` ones: spread over sizes within a code as in
    all, of each code and of each size as many as in these; all (6, n)."""
    more = all_weeks.sum() / late.sum()
    lines = all_weeks * (more * late.sum(0) + _LINES) / (all_weeks.sum(0) + _LINES)
    return np.asarray(lines * (more * late.sum(1) / lines.sum(1).clip(min=1))[:, None])


def _levels(lines: np.ndarray, free: np.ndarray, nested: list[np.ndarray]) -> np.ndarray:
    """(6, n) log ratio of `lines` to those without levels, `free`, by the last of `nested` codes (n,); each
    shrunk to that by the code before, the first to 0."""
    ratio = np.ones_like(lines)
    for code in nested:
        seen, expected, parents = (_sums(code, table) for table in (lines, free, ratio))
        parents /= np.bincount(code).clip(min=1)  # those of one code have one ratio so far
        ratio = ((seen + _LINES * parents) / (expected + _LINES))[:, code]
    return np.asarray(np.log(ratio))


def _sums(code: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(6, max(code) + 1) sums of the columns of `table` (6, n) by code (n,)."""
    return np.stack([np.bincount(code, row) for row in table])


def _shares(model: UserModel, t: dict[str, Tensor], day: int) -> Tensor:
    """(S, G) share of each subcategory in a visit of each shopper, were there no levels."""
    parts = []
    for shopper in torch.arange(len(t["shortlist"])).split(_ROWS):
        of_item = log_share(t, model.reset(shopper, torch.full_like(shopper, day))).exp()
        none = torch.zeros(len(shopper), t["group_level"].shape[1])
        parts.append(none.index_add(1, t["group"], of_item))
    return torch.cat(parts)
