"""Maximum likelihood for `ChoiceShopper`: which items a basket of n lines holds, given the shopper.

Tastes are counted on the first four fifths of the weeks and the coefficients fitted on the rest, so that no
line helps to explain itself; afterwards tastes are counted again on all weeks. See `likelihood` for what is
maximised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from bundlegym.data import Dataset
from bundlegym.user_models.choice.features import FAMILIAR_EDGES, GAP_EDGES
from bundlegym.user_models.choice.likelihood import Given, gap_table, log_rates, surprise
from bundlegym.user_models.needs import taste_end
from bundlegym.user_models.trips import GAP_EDGES as TRIP_GAP_EDGES

_BATCH, _LEARNING_RATE = 512, 0.05


def fit_coefficients(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    shortlist_size: int,
    *,
    epochs: int,
    seed: int,
    progress: Callable[[str], None],
    season: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Coefficients by name: `taste` (), `gap` (n_classes, n_bins) by familiarity, `memory` () of items bought
    before but not shortlisted; `tried` (), the log of what a purchase off the shortlist since tastes were
    counted adds to the rate of an item as popular as the average, `tried_popularity` (), the power of how
    popular it is, `tried_fade` () (see `tried`); `experience` () of all items bought before, `price`
    (n_departments,), `price_deal` (), `neighbours` (), `display` () and `mailer` () of items sold steadily
    and with `_unsteady` of the others, whose promotions are also news that the item is there;
    `new_gap` (6,) of items neither shortlisted nor bought before, by days since the last visit;
    `promotion_answer` (n_classes,), what display, mailer and neighbours are multiplied by for items of each
    class of familiarity, 1 for the mean line; and `nll` (), nats a line on the fitted weeks.
    `needs.check_enough` says whether the weeks hold enough for it.

    All items of a group of `season` (n_items,), by default of a department, have an effect in each week, so
    that a season in which a shop discounts what is in demand anyway is not taken for an answer to prices;
    see docs/price_response.md.
    """
    given = Given.of(dataset, weeks, taste_end(weeks), shoppers, shortlist_size)
    if season is not None:
        given = replace(given, season=torch.from_numpy(season))
    raw = _start(given)
    for value in raw.values():
        value.requires_grad_()
    visits = len(given.shopper)
    optimiser = torch.optim.Adam(raw.values(), lr=_LEARNING_RATE)
    generator = torch.Generator().manual_seed(seed)
    batches = -(-visits // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, epochs * batches)
    nll = torch.tensor(0.0)
    for epoch in range(epochs):
        total, count = 0.0, 0
        for batch in torch.randperm(visits, generator=generator).split(_BATCH):
            row, item = given.lines(batch)
            loss = surprise(log_rates(given, raw, batch), row, item)
            optimiser.zero_grad()
            ((loss + _prior(raw) / batches) / len(row)).backward()
            optimiser.step()
            schedule.step()
            total, count = total + loss.item(), count + len(row)
        nll = torch.tensor(total / count)
        progress(f"user model: epoch {epoch + 1} of {epochs}, {nll:.4f} nats a line")
    found = _found(raw, given) | {"nll": nll}
    return {name: value.detach().numpy() for name, value in found.items()}


def _start(given: Given) -> dict[str, Tensor]:
    """What is fitted, by name. What a fit moves far begins near where it ends: it has few steps to get
    there."""
    return {
        "taste": torch.tensor(0.75),
        "known": torch.tensor(1.0),
        "gap": torch.zeros(len(FAMILIAR_EDGES) + 1, len(GAP_EDGES) + 2),
        "memory": torch.tensor(1.0),
        "tried": torch.tensor(-4.0),
        "tried_popularity": torch.tensor(0.3),
        "tried_fade": torch.tensor(-4.0),
        "experience": torch.tensor(0.0),
        "price": torch.tensor(2.0),
        "price_department": torch.zeros(int(given.department.max()) + 1),
        "price_deal": torch.tensor(0.0),
        "neighbours": torch.tensor(0.0),
        "display": torch.tensor(0.0),
        "mailer": torch.tensor(0.0),
        "display_unsteady": torch.tensor(0.0),
        "mailer_unsteady": torch.tensor(0.0),
        "promotion_answer": torch.zeros(len(FAMILIAR_EDGES) + 1),
        "new_gap": torch.zeros(len(TRIP_GAP_EDGES) + 1),
        # Of no use afterwards: what befell a department in each week, an item's own trend since its taste was
        # counted, and the price response of items that are not sold steadily.
        "season": torch.zeros(len(given.rebate), int(given.season.max()) + 1),
        "own_trend": torch.zeros(len(given.log_popularity)),
        "price_unsteady": torch.tensor(2.0),
    }


def _prior(raw: dict[str, Tensor]) -> Tensor:
    """() departments, and classes, differ by about a half, own trends and weeks by about a third."""
    halves = torch.cat([raw["price_department"], raw["promotion_answer"], raw["new_gap"]])
    thirds = torch.cat([raw["own_trend"], raw["season"].flatten()])
    return 0.5 * ((halves / 0.5).square().sum() + (thirds / 0.3).square().sum())


def _found(raw: dict[str, Tensor], given: Given) -> dict[str, Tensor]:
    """Coefficients of what is fitted."""
    answer = torch.exp(raw["promotion_answer"])
    usual = answer[given.line_class].mean()
    of_taste = ("taste", "memory", "tried", "tried_popularity", "experience", "new_gap", "price_deal")
    promotions = ("neighbours", "display", "mailer", "display_unsteady", "mailer_unsteady")
    found = {name: raw[name] for name in of_taste} | {name: usual * raw[name] for name in promotions}
    found["gap"], found["tried_fade"] = gap_table(raw), torch.exp(raw["tried_fade"])
    found["promotion_answer"] = answer / usual
    found["price"] = softplus(raw["price"] + raw["price_department"])
    return found
