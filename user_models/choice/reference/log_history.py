"""What the log says of shoppers who come to the door: their visits and purchases before the week."""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.user_models.choice.bounds import FIRST_GAP
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference.utility import week_of


def before_week(p: ChoiceParameters, shopper: Tensor, day: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`days_since_visit`, `last_size_class`, `last_bought` and `recent_trials` of a `ChoiceState`: of
    shoppers (N,) on days (N,), by what the log holds before the week of each day."""
    last_bought, trials = p.shortlists.last_bought, p.trials.recent_trials
    week = week_of(p, day)
    cell = week * last_bought.shape[1] + shopper
    known = p.incidence.last_visit.flatten().index_select(0, cell).long()
    since_fit = (week - p.trials.first_trial_week + 1).clamp(min=0)
    return (
        torch.where(known >= 0, day - known, FIRST_GAP),
        p.basket_size.last_size_class.flatten().index_select(0, cell),
        last_bought.flatten(0, 1).index_select(0, cell),
        trials.flatten(0, 1).index_select(0, since_fit * trials.shape[1] + shopper),
    )
