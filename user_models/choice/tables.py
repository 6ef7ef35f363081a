"""Everything that a `ChoiceShopper` looks up, fitted or read off a log."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.recommenders import PersonalFrequency, category_synergy
from bundlegym.recommenders.history import last_bought_by_week
from bundlegym.recommenders.profile import deal_share
from bundlegym.user_models.choice.drift import no_drift
from bundlegym.user_models.choice.features import (
    NEW,
    Marketing,
    departments,
    experience_of,
    familiarity,
    gap_bins,
    steadily_sold,
)
from bundlegym.user_models.choice.flavours import fit_flavours
from bundlegym.user_models.choice.tail import THINNING, memory_tables, tail_row, tail_tables
from bundlegym.user_models.choice.trial import habit_share
from bundlegym.user_models.choice.tried import fading, tried_by_week
from bundlegym.user_models.choice.utility import unbought
from bundlegym.user_models.coupons import coupon_effect, coupon_tables, usual_push
from bundlegym.user_models.exposure import fit_wear_out
from bundlegym.user_models.indicator import indicator
from bundlegym.user_models.leanings import log_total, trait_range
from bundlegym.user_models.missions import (
    LIFT_PSEUDO_COUNT,
    mission_tables,
    shares_by_category,
    synergy_share,
)
from bundlegym.user_models.numeric_shrink import COUPON_SPREAD, HABIT_SPREAD, SYNERGY_SPREAD, shrink
from bundlegym.user_models.rhythm import fit_rhythm
from bundlegym.user_models.stages import Stages
from bundlegym.user_models.taste import Taste
from bundlegym.user_models.trips import GRID, fit_trips, gap_shares
from bundlegym.user_models.units import fit_units

#: Of shoppers, by how they answer to a price, in the tail, whose tables are of all items and weeks.
_CLASSES = 2


def fit_tensors(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    coefficients: dict[str, np.ndarray],
    *,
    shortlist_size: int,
    seed: int,
    stages: Stages,
) -> dict[str, Tensor]:
    """S shoppers, L shortlisted items, I items, G subcategories, C categories, W weeks, K trip sizes, T
    traits:

    `coefficient_*` as in `fit_coefficients`; `shortlist`, `taste`, `familiarity`, `interval` (S, L); `last`
    (W, S, L); `price_slope` (I,), `deal_factor` (S,): slope of utility in log price; `deal_class` (S,): in
    which of `_CLASSES` of that factor, all as large, they are; `price_push`, `promotion_push`, `rebate`,
    `shelf_price` (W, I); `category`, `group` (I,), `group_category` (G,), `category_department` (C,);
    `department_spread` (K, D) as in `fit_department_spread`, none as yet; `tail_weight` (S, G), `log_within`
    (I,): taste for items never bought; `leaning` (S, T), `trait` (I, T), `trait_range` (G, 2, T),
    `leaning_total` (S, G): what leanings make of it, see `utility.unbought`; `tried` (1 + W - end, S, TRIED)
    of no week, and of those from the end of the fit on, `tried_from` (1,); `tried_weight` (I,): what a
    purchase of each item in it weighs in the tail, `tried_left` (TRIED,) as in `tried.fading`; `tail_*`,
    `product_start` as in `tail_tables`; `product`, `follow` as in `fit_flavours`; `mission_*` and `synergy`
    as in `missions`; `category_level` (K, C), what missions cost on average; `group_level` (K, G), what trips
    of a size are for; `new_level` (K,) and `new_spread` (1,) as in `fit_new_level`; `drift` (2, W, I), none
    as yet; `coupon_effect` (2,) as estimated, its standard error; `campaign_*`, `coupon_push` as in
    `coupon_tables`; `habit_share` (2,) as estimated, its standard error; `trial_habit` (1,), the chance that
    a trial leaves a habit; `wear_out` (3,) as in `_fit_wear_out`; `trip_cdf`, `trip_rate` (S, K):
    chances and log rates of trips; `trip_gap` (5, 6) log of that of `fit_trips`, `usual_trip`, `last_trip` as
    there; and those of `fit_rhythm` and `fit_units`.
    """
    progress = stages.progress
    progress("user model: tastes, missions, visits, units, trips")
    taste = Taste.fit(dataset, weeks, shoppers)
    shortlist = taste.shortlist(shortlist_size)
    marketing = Marketing.of(dataset, weeks)
    slope = coefficients["price"][departments(dataset)]
    steady = steadily_sold(dataset, weeks)
    promotion = sum(
        np.where(steady, coefficients[name], coefficients[f"{name}_unsteady"]) * table
        for name, table in (("display", marketing.display), ("mailer", marketing.mailer))
    )
    promotion = promotion + coefficients["neighbours"] * marketing.neighbours
    push = slope * marketing.rebate + promotion
    power = float(coefficients["taste"])
    log_share = power * taste.log_share
    experience = float(coefficients["experience"]) * experience_of(taste, shoppers)
    log_share += experience[:, None] * (taste.count > 0)
    within, leaning = power * (taste.log_within + taste.trend), power * taste.theta
    # A subcategory is bought as often, whatever the leanings.
    total = log_total(leaning, taste.trait, taste.group, within)
    total -= log_total(np.zeros_like(leaning[:1]), taste.trait, taste.group, within)
    deal_factor = np.exp(float(coefficients["price_deal"]) * deal_share(dataset, weeks, shoppers))
    deal_class = _classes(deal_factor)
    answer = np.bincount(deal_class, deal_factor) / np.bincount(deal_class)
    push_of_class = answer[:, None, None] * (slope * marketing.rebate)
    push_of_class = push_of_class + coefficients["promotion_answer"][NEW] * promotion
    attraction = np.exp(within + push_of_class.reshape(-1, dataset.n_items), dtype=np.float64)

    again = np.exp(coefficients["tried"] + coefficients["tried_popularity"] * taste.log_popularity)
    remembered = np.exp(log_share + float(coefficients["memory"])) * (taste.count > 0)
    np.put_along_axis(remembered, shortlist, 0.0, axis=1)

    frequency = shares_by_category(dataset, weeks, shoppers)
    missions = stages("missions", lambda: _fit_missions(dataset, frequency, push, weeks, shoppers, seed))
    share, error = missions.pop("synergy_share")
    progress(f"user model: synergy is {share:.2f} (standard error {error:.2g}) of the log lift after taste")
    flavours = stages("flavours", lambda: fit_flavours(dataset, weeks, shoppers, shortlist_size))
    followers = flavours.pop("followers")
    coupon = stages("coupons", lambda: {"coupon_effect": np.array(coupon_effect(dataset, weeks, shoppers))})
    effect, error = coupon["coupon_effect"]
    if np.isfinite(error):
        progress(f"user model: a coupon adds {effect:.2f} (standard error {error:.2g}) to an item's log rate")
    coupons = coupon_tables(dataset, float(shrink(effect, error, COUPON_SPREAD)))
    trial = stages("trial", lambda: {"habit_share": np.array(habit_share(dataset, weeks, shoppers, push))})
    share, error = trial["habit_share"]
    progress(
        f"user model: habit is {share:.2f} (standard error {error:.2g}) of what follows a first purchase"
    )
    habit = np.clip(shrink(share, error, HABIT_SPREAD), 0.0, 1.0)
    wear_out = stages("wear_out", lambda: _fit_wear_out(dataset, weeks, shoppers, steady, progress))
    group_category = np.zeros(taste.group.max() + 1, dtype=np.int64)
    group_category[taste.group] = frequency.category
    category_department = np.zeros(frequency.category.max() + 1, dtype=np.int64)
    category_department[frequency.category] = departments(dataset)
    arrays: dict[str, np.ndarray] = {
        "shortlist": shortlist,
        "taste": np.take_along_axis(log_share, shortlist, 1) - usual_push(coupons, shortlist, weeks),
        "familiarity": familiarity(taste.count, shortlist),
        "interval": taste.interval(shortlist, weeks),
        "last": last_bought_by_week(dataset, shortlist),
        "price_slope": slope.astype(np.float32),
        "deal_factor": deal_factor,
        "deal_class": deal_class,
        "price_push": slope * marketing.rebate,
        "promotion_push": promotion,
        "rebate": marketing.rebate,
        "shelf_price": dataset.shelf_price.T.copy(),
        "category": frequency.category,
        "category_department": category_department,
        "group": taste.group,
        "group_category": np.append(group_category, frequency.category.max() + 1),
        "department_spread": np.zeros((len(GRID), departments(dataset).max() + 1), dtype=np.float32),
        "group_level": np.zeros((len(GRID), taste.group.max() + 1), dtype=np.float32),
        "new_level": np.zeros(len(GRID), dtype=np.float32),
        "new_spread": np.zeros(1, dtype=np.float32),
        "tail_weight": np.column_stack([np.exp(power * taste.log_unbought), THINNING * remembered.sum(1)]),
        "log_within": within.astype(np.float32),
        "leaning": leaning.astype(np.float32),
        "leaning_total": total,
        "trait": taste.trait,
        "trait_range": trait_range(taste.trait, taste.group),
        **tail_tables(attraction * (1 - followers[flavours["product"]]), taste.group, flavours["product"]),
        **flavours,
        **memory_tables(remembered),
        **no_drift(*marketing.rebate.shape),
        "tried": tried_by_week(dataset, shortlist, weeks[1]),
        "tried_from": np.array([weeks[1]]),
        "tried_weight": THINNING * again,
        "tried_left": fading(float(coefficients["tried_fade"])).numpy(),
        **missions,
        **coupon,
        **coupons,
        **trial,
        "trial_habit": np.array([habit], dtype=np.float32),
        **wear_out,
        **stages("rhythm", lambda: fit_rhythm(dataset, weeks, shoppers)),
        **stages("units", lambda: fit_units(dataset, weeks, shoppers, marketing.rebate)),
    }
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}
    tensors |= {
        f"coefficient_{name}": torch.from_numpy(np.atleast_1d(value)) for name, value in coefficients.items()
    }
    trips = stages("trips", lambda: fit_trips(dataset, weeks, shoppers))
    tensors["trip_gap"] = torch.from_numpy(np.log(trips["trip_gap"]))
    tensors["trip_cdf"] = torch.from_numpy(trips["trip_share"].cumsum(1))
    tensors |= {name: torch.from_numpy(trips[name]) for name in ("usual_trip", "last_trip")}
    outside = torch.from_numpy(attraction @ indicator(taste.group)).float()
    new = torch.from_numpy(gap_shares(dataset, weeks, shoppers) @ np.exp(coefficients["new_gap"])).float()
    tensors["trip_rate"] = _trip_rates(tensors, outside, new, weeks)
    return tensors


def _fit_wear_out(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    steady: np.ndarray,
    progress: Callable[[str], None],
) -> dict[str, np.ndarray]:
    """`wear_out` (RUNS,) float32, what the mailer's coefficient, which is of the mean week in the mailer, is
    multiplied by in the first, second and later weeks of a run."""
    found = fit_wear_out(dataset, weeks, shoppers, steady)
    told = ", ".join(
        f"{factor:.2f} ({error:.2f})"
        for factor, error in zip(found.factor, found.standard_error, strict=True)
    )
    progress(f"user model: {found.note}; of a mailer's effect is left, week by week in a row, {told}")
    mean = np.average(found.factor, weights=np.maximum(found.item_weeks, 1))
    return {"wear_out": (found.factor / mean).astype(np.float32)}


def _classes(factor: np.ndarray) -> np.ndarray:
    """(S,) int64 class of each factor (S,), from the least to the greatest, all as large."""
    rank = np.empty(len(factor), dtype=np.int64)
    rank[np.argsort(factor, kind="stable")] = np.arange(len(factor))
    return rank * min(_CLASSES, len(factor)) // len(factor)


def _fit_missions(
    dataset: Dataset,
    frequency: PersonalFrequency,
    push: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
) -> dict[str, np.ndarray]:
    """`synergy`, `mission_*` and `synergy_share` (2,): the share as measured, its standard error."""
    lift = category_synergy(dataset, frequency, weeks, LIFT_PSEUDO_COUNT, shoppers=shoppers)
    measured, error = synergy_share(dataset, frequency, push, weeks, shoppers, seed)
    # At a half it explains all of the lift of either on the other.
    share = float(np.clip(shrink(measured, error, SYNERGY_SPREAD), 0.0, 0.5))
    synergy = share * np.where(np.eye(len(lift)) > 0, lift.clip(max=0), lift)
    # Each of two may have pulled the other, so synergy accounts for twice its size in their lift.
    common = lift - 2 * share * (lift - np.diag(np.diag(lift)))
    return {
        "synergy_share": np.array([measured, error]),
        "synergy": synergy.astype(np.float32),
        **mission_tables(dataset, frequency, common, weeks, shoppers),
    }


def _trip_rates(t: dict[str, Tensor], attraction: Tensor, new: Tensor, weeks: tuple[int, int]) -> Tensor:
    """(S, K) log factor on exp(utility) with which a shopper's visit holds each size of `GRID` on average;
    `attraction` (R, G), in the rows of `tail_row`, is that of each subcategory's items outside the shortlist,
    followers included; `new` (S,) the mean factor on what is new.

    The average is over three weeks with each shopper's real history; so a promotion raises the basket instead
    of only shifting it.
    """
    first, end = weeks
    everyone = torch.arange(len(t["shortlist"]))
    familiar, answer = t["familiarity"].long(), t["coefficient_promotion_answer"]
    rate = torch.zeros_like(t["taste"])
    tail = torch.zeros(len(everyone))
    for part in (0.7, 0.8, 0.9):
        week = int(first + part * (end - first))
        bins = gap_bins(torch.full_like(everyone, week * 7), t["last"][week].long(), t["interval"])
        push = t["deal_factor"][:, None] * t["price_push"][week][t["shortlist"]]
        promotion = t["promotion_push"][week][t["shortlist"]]
        own = push + answer[familiar] * promotion
        rate += torch.exp(t["taste"] + t["coefficient_gap"][familiar, bins] + own) / 3
        row = tail_row(t, everyone, torch.full_like(everyone, week))
        outside = (t["tail_weight"][:, :-1] * attraction[row]).sum(1)
        inside = torch.exp(push + answer[NEW] * promotion + unbought(t, everyone, t["shortlist"]))
        tail += new * (outside - inside.sum(1)).clamp(min=0) / 3 + t["memory_rate"] / 3
    target = torch.from_numpy(GRID).float().expand(len(everyone), -1)
    log_factor = torch.log(target / (rate.sum(1) + tail)[:, None])
    for _ in range(6):  # an item is bought once at most, so the mean falls short of the sum of rates
        factor = torch.exp(log_factor)
        mean = tail[:, None] * factor
        for k in range(target.shape[1]):
            mean[:, k] += (1 - torch.exp(-rate * factor[:, k : k + 1])).sum(1)
        log_factor = log_factor + torch.log(target / mean)
    return log_factor
