"""Maximum likelihood for `ChoiceShopper`: which items a basket of n lines holds, given the shopper.

Preferences are counted on the first four fifths of the weeks and the coefficients fitted on the rest, so that
no line helps to explain itself; afterwards preferences are counted again on all weeks. See `likelihood` for
what is maximised.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from bundlegym.data import Dataset, part_of_catalogue
from bundlegym.terminal import worth_telling
from bundlegym.user_models.choice.estimation.best_sellers import best_sellers
from bundlegym.user_models.choice.estimation.likelihood import (
    ChoiceData,
    Free,
    log_rates,
    negative_log_likelihood,
    recency_table,
)
from bundlegym.user_models.choice.parameters import Coefficients
from bundlegym.user_models.components.basket_size import GAP_EDGES as SIZE_GAP_EDGES
from bundlegym.user_models.components.fit_weeks import preference_end
from bundlegym.user_models.components.marketing import FAMILIAR_EDGES, GAP_EDGES, MarketingConfig
from bundlegym.user_models.components.preferences import PreferencesConfig
from bundlegym.user_models.config import Config, Count, Positive


@dataclass(frozen=True)
class CoefficientsConfig(Config):
    """Hyper-parameters of `fit_coefficients`."""

    batch: Count = 512
    """Visits of a step at most."""

    least_batch: Count = 32
    """Visits of a step at least."""

    steps: Count = 400
    """Steps at least: a log of few visits has smaller batches, and if need be more epochs."""

    learning_rate: Positive = 0.05
    """Greatest learning rate of Adam in its one cycle."""

    class_spread: Positive = 0.5
    """Standard deviation of the normal prior, about 0, of what departments, and classes of familiarity and of
    days since the last visit, differ by: they differ by about a half."""

    week_spread: Positive = 0.3
    """Standard deviation of the normal prior, about 0, of items' own trends and of departments' weeks: they
    differ by about a third."""


def fit_coefficients(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    shortlist_size: int,
    *,
    epochs: int,
    seed: int,
    progress: Callable[[str], None],
    without: Collection[str] = (),
    fixed: Mapping[str, float] = MappingProxyType({}),
    season: np.ndarray | None = None,
    config: CoefficientsConfig = CoefficientsConfig(),
    preferences: PreferencesConfig = PreferencesConfig(),
    marketing: MarketingConfig = MarketingConfig(),
) -> Coefficients:
    """The coefficients from visits of `shoppers` (mask) in `weeks`; `requirements.check_requirements` says
    whether these hold enough for it. Preferences are counted `without` some mechanisms; coefficients of the
    names in `fixed` are not fitted, but have these values.

    Of a catalogue that is large beside the shoppers, the `best_sellers` stand for all.

    All items of a group of `season` (n_items,), by default of a department, have an effect in each week, so
    that a season in which a shop discounts what is in demand anyway is not taken for an answer to prices;
    see docs/price_response.md."""
    items = best_sellers(dataset, weeks, shoppers)
    data = ChoiceData.of(
        part_of_catalogue(dataset, items),
        weeks,
        preference_end(weeks),
        shoppers,
        shortlist_size,
        without,
        preferences=preferences,
        marketing=marketing,
    )
    if season is not None:
        data = replace(data, season=torch.from_numpy(season[items]))
    params = _start(data)
    for name, number in fixed.items():
        getattr(params, name).fill_(number)
    free = [value for name, value in vars(params).items() if name not in fixed]
    for value in free:
        value.requires_grad_()
    batch, epochs = _batches(len(data.shopper), epochs, config)
    optimiser = torch.optim.Adam(free, lr=config.learning_rate)
    generator = torch.Generator().manual_seed(seed)
    batches = -(-len(data.shopper) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, epochs * batches)
    nll = torch.tensor(0.0)
    for epoch in range(epochs):
        total, count = 0.0, 0
        for some in torch.randperm(len(data.shopper), generator=generator).split(batch):
            row, item = data.lines(some)
            loss = negative_log_likelihood(log_rates(data, params, some), row, item)
            optimiser.zero_grad()
            ((loss + _prior(params, config) / batches) / len(row)).backward()
            optimiser.step()
            schedule.step()
            total, count = total + loss.item(), count + len(row)
        nll = torch.tensor(total / count)
        if worth_telling(epoch, epochs):
            progress(f"user model: epoch {epoch + 1} of {epochs}, {nll:.4f} nats a line")
    return _coefficients(params, data, nll)


def _batches(visits: int, epochs: int, config: CoefficientsConfig) -> tuple[int, int]:
    """Visits of a step, and epochs: at least those asked for, and as many as make `steps` steps."""
    batch = min(max(epochs * visits // config.steps, config.least_batch), config.batch)
    return batch, max(epochs, -(-config.steps * batch // visits))


def _start(data: ChoiceData) -> Free:
    """What is fitted. What a fit moves far begins near where it ends: it has few steps to get there."""
    return Free(
        preference=torch.tensor(0.75),
        known=torch.tensor(1.0),
        recency=torch.zeros(len(FAMILIAR_EDGES) + 1, len(GAP_EDGES) + 2),
        recency_of_subcategory=torch.zeros(len(GAP_EDGES) + 2),
        memory=torch.tensor(1.0),
        trial=torch.tensor(-4.0),
        trial_popularity=torch.tensor(0.3),
        trial_fade=torch.tensor(-4.0),
        price=torch.tensor(2.0),
        price_department=torch.zeros(int(data.department.max()) + 1),
        price_by_deal_share=torch.tensor(0.0),
        competitor_discount=torch.tensor(0.0),
        display=torch.tensor(0.0),
        mailer=torch.tensor(0.0),
        display_unsteady=torch.tensor(0.0),
        mailer_unsteady=torch.tensor(0.0),
        promotion_sensitivity=torch.zeros(len(FAMILIAR_EDGES) + 1),
        recency_of_new=torch.zeros(len(SIZE_GAP_EDGES) + 1),
        # Of no use afterwards: what befell a department in each week, an item's own trend since its
        # preference was counted, and the price response of items that are not sold steadily.
        season=torch.zeros(len(data.log_discount), int(data.season.max()) + 1),
        own_trend=torch.zeros(len(data.log_popularity)),
        price_unsteady=torch.tensor(2.0),
    )


def _prior(params: Free, config: CoefficientsConfig) -> Tensor:
    """() minus its log."""
    classes = torch.cat([params.price_department, params.promotion_sensitivity, params.recency_of_new])
    weeks = torch.cat([params.own_trend, params.season.flatten()])
    apart = (classes / config.class_spread).square().sum(), (weeks / config.week_spread).square().sum()
    return 0.5 * (apart[0] + apart[1])


def _coefficients(params: Free, data: ChoiceData, nll: Tensor) -> Coefficients:
    """Coefficients of what is fitted."""
    sensitivity = torch.exp(params.promotion_sensitivity)
    usual = sensitivity[data.line_class].mean()
    as_fitted = (
        "preference", "recency_of_subcategory", "memory", "recency_of_new", "trial", "trial_popularity",
        "price_by_deal_share",
    )  # fmt: skip
    promotions = ("competitor_discount", "display", "mailer", "display_unsteady", "mailer_unsteady")
    return Coefficients.of(
        {name: getattr(params, name) for name in as_fitted}
        | {name: usual * getattr(params, name) for name in promotions}
        | {
            "recency": recency_table(params),
            "trial_fade": torch.exp(params.trial_fade),
            "promotion_sensitivity": sensitivity / usual,
            "price": softplus(params.price + params.price_department),
            "nll": nll,
        }
    )
