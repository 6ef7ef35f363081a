"""What being offered does by itself: exposure, which wears out from week to week.

An item that is offered in a week gains the log's own mailer effect, times `offer_exposure`, times what is
left of it in the first, second, third or a later week in a row (`wear_out`). A shopper remembers the last
offers: `shown` (N, SHOWN) int64 items, -1 for none, the newest first; `shown_week`, when each was last
offered; `shown_run`, in how many weeks in a row it was. Without an effect nothing is remembered, and these
have no columns.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.state import ChoiceState
from bundlegym.user_models.components.wear_out import RUN_WEEKS

SHOWN = 16  # offered items that are remembered


class Shown(NamedTuple):
    """`shown`, `shown_week` and `shown_run` of a `ChoiceState`."""

    shown: Tensor
    shown_week: Tensor
    shown_run: Tensor


def no_offers(n: int, remembers: bool, device: torch.device) -> Shown:
    """The memory of N shoppers who were offered nothing."""
    shape = (n, SHOWN if remembers else 0)
    return Shown(*(torch.full(shape, -1, dtype=torch.int64, device=device) for _ in Shown._fields))


def weeks_in_a_row(state: ChoiceState, items: Tensor, week: Tensor) -> Tensor:
    """(N, B) int64, 1 to `RUN_WEEKS`: in how many weeks in a row items (N, B) are offered, in `week` (N,)."""
    same = (state.shown[:, None] == items[:, :, None]) & (items >= 0)[:, :, None]
    since = (week[:, None] - state.shown_week)[:, None]
    run = torch.where(since == 0, state.shown_run[:, None], state.shown_run[:, None] + 1)
    run = torch.where(same & (since <= 1), run, 1)
    return run.amax(2).clamp(max=RUN_WEEKS) if run.shape[2] else torch.ones_like(items)


def exposure_effect(
    p: ChoiceParameters, offer_exposure: float, offered: Tensor, run: Tensor, sensitivity: Tensor
) -> Tensor:
    """(N, B) what being `offered` (N, B), -1 for none, for the `run`-th week in a row adds to an item's
    utility; `sensitivity` (N, B) to promotions."""
    mailer = offer_exposure and offer_exposure * p.coefficients.mailer
    return mailer * p.marketing.wear_out[run - 1] * sensitivity * (offered >= 0)


def remember(state: ChoiceState, items: Tensor, run: Tensor, week: Tensor) -> Shown:
    """The memory after an offer of items (N, B), -1 for none, in `week` (N,), for the `run`-th (N, B) week in
    a row."""
    room = state.shown.shape[1]
    again = (state.shown[:, :, None] == items[:, None]).any(2)
    kept = (state.shown >= 0) & ~again & (week[:, None] - state.shown_week <= 1)
    every = Shown(
        torch.cat([items, torch.where(kept, state.shown, -1)], 1),
        torch.cat([week[:, None].expand_as(items), state.shown_week], 1),
        torch.cat([run, state.shown_run], 1),
    )
    order = (every.shown < 0).long().argsort(dim=1, stable=True)[:, :room]
    after = [value.gather(1, order) for value in every]
    none = after[0] < 0
    return Shown(*(value.masked_fill(none, -1) for value in after))
