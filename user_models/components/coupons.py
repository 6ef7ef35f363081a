"""What holding a coupon for an item does to its log rate, and how many coupons are used.

Coupons go to those who like the items, so their sales to members show liking before all else. The effect is
told from it by time. Lines of a campaign's items, by shopper and week, are Poisson: the shopper's other lines
of the week are the exposure, and the rate has an effect of the shopper on the campaign (liking), of the week
on the campaign (season and promotions, which those without a coupon tell), and the coupon's times the share
of the week in which the campaign ran, all fitted together (two-way fixed effects). What it cannot rule out is
a campaign sent to those whose liking was just then on its way up or down.

Only campaigns whose every coupon reached every member are used; of others it is not known who held which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Campaigns, Dataset, lines_of, visit_rows
from bundlegym.user_models.components.preferences import PreferencesConfig, decay
from bundlegym.user_models.config import Config, Positive
from bundlegym.user_models.numeric.two_way import demean, rake
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter

_STEPS, _MARGINS = 12, 12  # of Newton's method; of alternating fits to the margins within each
_SMALL = 1e-9


@dataclass(frozen=True)
class CouponsConfig(Config):
    """Hyper-parameters of what a coupon is taken to do."""

    spread: Positive = 0.25
    """Standard deviation of the prior of a coupon's effect, a log rate, about 0: a mailer's effect on the
    same item is about 0.2 to 0.3 (`numeric.shrink`)."""


@dataclass(frozen=True)
class _Panel:
    """One campaign: lines of its items, of all others (`exposure`), and whether a coupon was held, (H, W)
    each, of the shoppers (H,) who bought any of its items."""

    shopper: np.ndarray
    lines: np.ndarray
    exposure: np.ndarray
    held: np.ndarray


def coupon_effect(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> tuple[float, float]:
    """What a coupon adds to the log rate of an item, and its standard error, clustered by shopper; from
    `shoppers` (mask) in `weeks`. 0 and infinity where the log has no coupons to tell it from."""
    panels = _panels(dataset, weeks, shoppers)
    effect, error = 0.0, float("inf")
    for _ in range(_STEPS):
        score, information = np.zeros(dataset.n_shoppers), 0.0
        for panel in panels:
            mean = _expected(panel, effect)
            own = demean(panel.held, mean, _MARGINS)
            score[panel.shopper] += ((panel.lines - mean) * own).sum(1)
            information += float((mean * own**2).sum())
        if information <= _SMALL:
            break
        step = score.sum() / information
        effect += float(np.clip(step, -1, 1))
        error = float(np.sqrt((score**2).sum()) / information)
        if abs(step) < 1e-4:
            break
    return effect, error


@dataclass(frozen=True)
class Coupons(Parameters):
    """Who holds coupons for what: see the module's docstring. S shoppers, W weeks, I items, N campaigns, none
    where the effect is 0."""

    coupon_effect: Tensor = parameter(
        "2",
        "what a coupon adds to an item's log rate, as estimated, and its standard error",
        r"\hat\iota",
        with_error=True,
    )
    campaign_member: Tensor = parameter("S N", "bool, the shopper received the campaign", "b_{sn}")
    campaign_week: Tensor = parameter("W N", "share of the week's days on which the campaign ran", "b_{wn}")
    coupon_utility: Tensor = parameter(
        "N I", "what the campaign's coupons add to an item's log rate", r"\iota_{ni}"
    )


def coupons_of(dataset: Dataset, estimate: Tensor, effect: float) -> Coupons:
    """The campaigns of a log with the `effect` that a coupon is taken to have, given its `estimate` and the
    standard error of that (2,)."""
    campaigns = dataset.campaigns
    if campaigns is None or effect == 0:
        empty = [(dataset.n_shoppers, 0), (dataset.n_weeks, 0), (0, dataset.n_items)]
        member, week, utility = (np.zeros(shape, dtype=np.float32) for shape in empty)
    else:
        used = campaigns.reached_all()
        member = campaigns.members[used].T
        week = campaigns.running(dataset.n_weeks)[used].T
        utility = (effect * campaigns.items[used]).astype(np.float32)
    return Coupons(estimate, *map(as_tensor, (member.astype(bool), week, utility)))


def usual_effect(
    coupons: Coupons,
    shortlist: np.ndarray,
    weeks: tuple[int, int],
    preferences: PreferencesConfig = PreferencesConfig(),
) -> np.ndarray:
    """(S, L) float32 what coupons added on average over `weeks` to the `shortlist` (S, L), which preferences
    counted in them hold already."""
    member, week, utility = (
        table.numpy() for table in (coupons.campaign_member, coupons.campaign_week, coupons.coupon_utility)
    )
    usual = decay(weeks, preferences) @ week[slice(*weeks)]
    total = np.zeros(shortlist.shape, dtype=np.float32)
    for r in np.flatnonzero(usual):
        total += member[:, r, None] * usual[r] * utility[r][shortlist]
    return total


def coupon_utility(p: Coupons, shopper: Tensor, week: Tensor, items: Tensor) -> Tensor:
    """(N, M) what the coupons that shoppers (N,) hold add to the log rates of `items` (N, M)."""
    held = p.campaign_member[shopper] * p.campaign_week[week]
    total = torch.zeros(items.shape, device=items.device)
    for r in held.any(0).nonzero()[:, 0]:
        total += held[:, r, None] * p.coupon_utility[r][items]
    return total


def take_up(campaigns: Campaigns) -> dict[str, float]:
    """By kind of campaign, the share of the coupons sent that were used; NaN where that was not logged."""
    sent = campaigns.members.sum(1) * campaigns.table["received"]
    totals = campaigns.table.assign(sent=sent).groupby("kind")[["redeemed", "sent"]].sum(min_count=1)
    return {str(kind): float(row["redeemed"] / row["sent"]) for kind, row in totals.iterrows()}


def _panels(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> list[_Panel]:
    if (campaigns := dataset.campaigns) is None:
        return []
    rows = visit_rows(dataset, weeks, shoppers)
    lines, place = lines_of(dataset, rows)
    item = dataset.purchases["item"].to_numpy()[lines]
    n_weeks = weeks[1] - weeks[0]
    visits = dataset.visits.iloc[rows]
    cell = visits["shopper"].to_numpy(dtype=np.int64) * n_weeks + visits["week"].to_numpy() - weeks[0]
    cell, shape = cell[place], (dataset.n_shoppers, n_weeks)
    total = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    running = campaigns.running(weeks[1])[:, weeks[0] :]
    panels = []
    for r in np.flatnonzero(campaigns.reached_all() & running.any(1)):
        bought = np.bincount(cell[campaigns.items[r][item]], minlength=total.size).reshape(shape)
        others = total - bought
        bought[others == 0] = 0  # no exposure to hold them against
        some = np.flatnonzero(bought.any(1))
        held = campaigns.members[r][some, None] * running[r]
        panels.append(_Panel(some, bought[some].astype(float), others[some].astype(float), held))
    return panels


def _expected(panel: _Panel, effect: float) -> np.ndarray:
    """(H, W) expected lines, of which every shopper's and every week's total is the one observed."""
    return rake(panel.exposure * np.exp(effect * panel.held), panel.lines, _MARGINS)
