"""The parameters of a `ChoiceShopper` put together: what its coefficients make of a log, and its components.

What simulated moments find later (`pipeline`) is neutral here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.recommenders import PersonalFrequency, category_synergy
from bundlegym.recommenders.profile import deal_share
from bundlegym.recommenders.recency import last_bought_by_week
from bundlegym.user_models.choice.bounds import THINNING
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.choice.estimation.mechanisms import left_out
from bundlegym.user_models.choice.estimation.state_dependence import state_dependence_share
from bundlegym.user_models.choice.estimation.tail_tables import memory_tables, tail_tables
from bundlegym.user_models.choice.estimation.trial_tables import trials_by_week
from bundlegym.user_models.choice.estimation.variants import FittedVariants, fit_variants
from bundlegym.user_models.choice.parameters import (
    AttributeTastes,
    Catalogue,
    ChoiceParameters,
    Coefficients,
    Exploration,
    LongTail,
    MarketingEffects,
    Prices,
    Shortlists,
    SizeConstants,
    StateDependence,
    Substitution,
    Trials,
)
from bundlegym.user_models.choice.reference.recent_trials import fading
from bundlegym.user_models.choice.reference.utility import recency_effect, tail_row, unbought
from bundlegym.user_models.components.attribute_tastes import attribute_range, log_total
from bundlegym.user_models.components.basket_size import GRID, BasketSize, fit_basket_size, gap_shares
from bundlegym.user_models.components.complementarity import Complementarity, synergy_share
from bundlegym.user_models.components.coupons import coupon_effect, coupons_of, usual_effect
from bundlegym.user_models.components.incidence import Hazard, Incidence, fit_hazard, fit_incidence
from bundlegym.user_models.components.marketing import (
    NEW,
    Marketing,
    familiarity,
    steadily_sold,
)
from bundlegym.user_models.components.preference_selection import ChosenPreferences
from bundlegym.user_models.components.preferences import KnownItems, Preferences, PreferencesConfig
from bundlegym.user_models.components.quantity import Quantity, Units, fit_quantity, fit_units
from bundlegym.user_models.components.shopper_factors import (
    ShopperFactors,
    SubcategoryFactors,
    fit_components,
)
from bundlegym.user_models.components.trip_effects import Missions, fit_missions, mission_categories
from bundlegym.user_models.components.wear_out import RUN_WEEKS, WearOutConfig, fit_wear_out
from bundlegym.user_models.fit_cache import FitCache
from bundlegym.user_models.numeric.one_hot import one_hot_csr
from bundlegym.user_models.numeric.shrink import shrink
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter

#: Of shoppers, by price sensitivity, in the long tail, whose tables are of all items and weeks.
_CLASSES = 2
#: Shoppers whose tables of shortlists and subcategories are made at once.
_AT_ONCE = 4096


@dataclass(frozen=True)
class _Choice:
    """What the coefficients make of a log: S shoppers, I items, W weeks.

    preferences, known, coefficients, marketing. steady: (I,) bool, sold steadily; slope: (I,) in minus log
    price; price, promotion: (W, I) what prices and promotions add to the utility of the mean line, beyond
    what they add to the shop's mean item that week; sensitivity: (S,) of the shopper to prices;
    sensitivity_class: (S,). power: theta. within: (I,) log share within the subcategory, with its trend;
    attribute_taste: (S, A); log_total: (S, G) what those add to the log total of a subcategory.
    """

    preferences: Preferences
    known: KnownItems
    coefficients: Coefficients
    marketing: Marketing
    steady: np.ndarray
    slope: np.ndarray
    price: np.ndarray
    promotion: np.ndarray
    sensitivity: np.ndarray
    sensitivity_class: np.ndarray
    power: float
    within: np.ndarray
    attribute_taste: np.ndarray
    log_total: np.ndarray

    @property
    def effect(self) -> np.ndarray:
        """(W, I) what price and promotions add to the utility of the mean line."""
        return self.price + self.promotion

    def attractions(self) -> Iterator[np.ndarray]:
        """(I,) float64 attraction of the items in the long tail, row by row of `tail_row`."""
        of_class = np.bincount(self.sensitivity_class, self.sensitivity) / np.bincount(self.sensitivity_class)
        of_new = self.coefficients.promotion_sensitivity.numpy()[NEW]
        for sensitivity in of_class:
            for price, promotion in zip(self.price, self.promotion, strict=True):
                yield np.exp(self.within + (sensitivity * price + of_new * promotion), dtype=np.float64)

    @staticmethod
    def of(
        dataset: Dataset,
        weeks: tuple[int, int],
        shoppers: np.ndarray,
        coefficients: Coefficients,
        without: Collection[str],
        config: ChoiceConfig,
        simulated: np.ndarray | None,
        cache: FitCache,
    ) -> _Choice:
        def factors_of(lines: csr_matrix, known: np.ndarray, config: PreferencesConfig) -> ShopperFactors:
            rank, steps = config.factors, config.factor_steps
            kept = cache(
                "factors",
                SubcategoryFactors,
                lambda: SubcategoryFactors(as_tensor(fit_components(lines, known, rank=rank, steps=steps))),
            )
            return ShopperFactors.of(lines, known, kept.factor_component.numpy(), steps=steps)

        preferences = Preferences.fit(
            dataset, weeks, shoppers, without, config=config.preferences, factors_of=factors_of
        )
        marketing = Marketing.of(dataset, weeks, config=config.marketing, preferences=config.preferences)
        c = {name: value.numpy() for name, value in coefficients.leaves()}
        slope, steady = c["price"][dataset.department_code], steadily_sold(dataset, weeks, config.marketing)
        promotion = np.where(steady, c["display"], c["display_unsteady"]) * marketing.display
        promotion = promotion + np.where(steady, c["mailer"], c["mailer_unsteady"]) * marketing.mailer
        promotion = promotion + c["competitor_discount"] * marketing.competitor_discount
        # The likelihood is of items given how many lines a visit has. What moves the whole shop cancels out
        # in it, so nothing is known of what that does.
        popularity = np.exp(preferences.log_popularity) / dataset.n_items
        price, promotion = (
            effect - (effect @ popularity)[:, None] for effect in (slope * marketing.log_discount, promotion)
        )
        power = float(c["preference"][0])
        within = power * (preferences.log_within + preferences.trend)
        known = preferences.known_items(config.shortlist_size, simulated)
        own = power * known.taste
        # A subcategory is bought as often, whatever the attribute tastes.
        of_log = preferences.attribute, preferences.subcategory, within
        total = log_total(own, *of_log)
        total -= log_total(np.zeros_like(own[:1]), *of_log)
        sensitivity = np.exp(float(c["price_by_deal_share"][0]) * deal_share(dataset, weeks, shoppers))
        return _Choice(
            preferences, known, coefficients, marketing, steady, slope, price, promotion, sensitivity,
            _classes(sensitivity), power, within, own, total,
        )  # fmt: skip


def assemble(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    coefficients: Coefficients,
    *,
    seed: int,
    cache: FitCache,
    without: Collection[str] = (),
    config: ChoiceConfig = ChoiceConfig(),
    simulated: np.ndarray | None = None,
) -> ChoiceParameters:
    """All parameters from the lines of `weeks`, with averages from `shoppers` (mask) and `coefficients` that
    were fitted before; `without` some mechanisms (`mechanisms`). What shoppers like is told of those who are
    to be `simulated` (mask), by default of all."""
    progress = cache.progress
    progress("user model: preferences, missions, incidence, quantity, basket size")
    choice = _Choice.of(dataset, weeks, shoppers, coefficients, without, config, simulated, cache)
    preferences, marketing, known = choice.preferences, choice.marketing, choice.known
    shortlist = known.shortlist
    category = mission_categories(dataset, weeks, shoppers, config.missions)
    trips = cache(
        "missions",
        _TripEffects,
        lambda: _trip_effects(
            dataset, category, choice.effect, weeks, shoppers, seed, config, "complementarity" not in without
        ),
    )
    _told_share(progress, "synergy", trips.complementarity.synergy_share, "the log lift after preferences")
    variants = cache(
        "variants",
        FittedVariants,
        lambda: fit_variants(
            dataset,
            weeks,
            shoppers,
            config.shortlist_size,
            without,
            config=config.variants,
            preferences=config.preferences,
        ),
    )
    estimate = cache(
        "coupons", _Estimate, lambda: _Estimate(as_tensor(np.array(coupon_effect(dataset, weeks, shoppers))))
    ).estimate
    effect, error = estimate.tolist()
    if np.isfinite(error):
        told = "user model: a coupon adds {:.2f} (standard error {:.2g}) to an item's log rate"
        progress(told.format(effect, error))
    taken = 0.0 if "coupons" in without else float(shrink(effect, error, config.coupons.spread))
    coupons = coupons_of(dataset, estimate, taken)
    wear_out = cache(
        "wear_out",
        _WearOut,
        lambda: _wear_out(dataset, weeks, shoppers, choice.steady, progress, config.wear_out),
        neutral=lambda: _WearOut(torch.ones(RUN_WEEKS)),
    )
    habit = cache(
        "state_dependence",
        _Estimate,
        lambda: _state_dependence(dataset, weeks, shoppers, choice.effect, config),
        neutral=lambda: _Estimate(torch.tensor([0.0, torch.inf], dtype=torch.float64)),
    )
    share, error = _told_share(progress, "habit", habit.estimate, "what follows a first purchase")
    hazard = cache(
        "hazard",
        Hazard,
        lambda: fit_hazard(dataset, weeks, shoppers, config=config.incidence, basket_size=config.basket_size),
    )
    units = cache(
        "units",
        Units,
        lambda: fit_units(dataset, weeks, shoppers, marketing.log_discount, config=config.quantity),
    )
    again = np.exp(
        coefficients.trial.numpy() + coefficients.trial_popularity.numpy() * preferences.log_popularity
    )
    none = torch.zeros(len(GRID), int(preferences.subcategory.max()) + 1)
    catalogue = _catalogue(preferences, category)
    parameters = ChoiceParameters(
        shortlists=Shortlists(
            shortlist=as_tensor(shortlist),
            log_preference=as_tensor(
                choice.power * known.log_share - usual_effect(coupons, shortlist, weeks, config.preferences)
            ),
            familiarity=as_tensor(
                familiarity(preferences.lines(np.arange(len(shortlist))[:, None], shortlist))
            ),
            purchase_interval=as_tensor(preferences.interval(shortlist, weeks)),
            last_bought=as_tensor(last_bought_by_week(dataset, shortlist)),
        ),
        prices=Prices(as_tensor(dataset.shelf_price.T.copy()), as_tensor(marketing.log_discount)),
        catalogue=catalogue,
        coefficients=coefficients,
        marketing=MarketingEffects(
            price_slope=as_tensor(choice.slope.astype(np.float32)),
            price_sensitivity=as_tensor(choice.sensitivity),
            sensitivity_class=as_tensor(choice.sensitivity_class),
            price_effect=as_tensor(choice.price.astype(np.float32)),
            promotion_effect=as_tensor(choice.promotion.astype(np.float32)),
            wear_out=wear_out.factor,
        ),
        missions=trips.missions,
        complementarity=trips.complementarity,
        substitution=Substitution(none[0].clone()),
        size_constants=SizeConstants(none),
        exploration=Exploration(torch.zeros(len(GRID)), torch.zeros(1)),
        variants=variants.variants,
        long_tail=_long_tail(choice, variants, followed="variants" not in without),
        attribute_tastes=AttributeTastes(
            attribute_taste=as_tensor(choice.attribute_taste.astype(np.float32)),
            attribute=as_tensor(preferences.attribute),
            attribute_range=as_tensor(attribute_range(preferences.attribute, preferences.subcategory)),
            attribute_log_total=as_tensor(choice.log_total),
        ),
        trials=Trials(
            recent_trials=as_tensor(trials_by_week(dataset, shortlist, weeks[1])),
            first_trial_week=torch.tensor([weeks[1]]),
            trial_weight=as_tensor(THINNING * again),
            trial_fading=fading(float(coefficients.trial_fade)),
        ),
        state_dependence=StateDependence(
            habit.estimate,
            torch.tensor(
                [np.clip(shrink(share, error, config.state_dependence.spread), 0.0, 1.0)], dtype=torch.float32
            ),
        ),
        coupons=coupons,
        incidence=cache(
            "incidence",
            Incidence,
            lambda: fit_incidence(dataset, weeks, shoppers, hazard, config=config.incidence),
        ),
        basket_size=cache(
            "basket_size",
            BasketSize,
            lambda: fit_basket_size(dataset, weeks, shoppers, config=config.basket_size),
        ),
        quantity=cache(
            "quantity",
            Quantity,
            lambda: fit_quantity(
                dataset, weeks, shoppers, marketing.log_discount, shortlist, units, config=config.quantity
            ),
        ),
        preference_weights=ChosenPreferences.of_config(config.preferences),
        subcategory_factors=SubcategoryFactors(
            torch.zeros(0, none.shape[1])
            if preferences.factors is None
            else as_tensor(preferences.factors.component)
        ),
    )
    parameters = left_out(parameters, without)
    one_hot = one_hot_csr(preferences.subcategory)
    outside = torch.from_numpy(np.stack([each @ one_hot for each in choice.attractions()])).float()
    new = gap_shares(dataset, weeks, shoppers, config.basket_size) @ np.exp(
        coefficients.recency_of_new.numpy()
    )
    rates = [
        _log_size_rates(parameters, some, outside, torch.from_numpy(new).float(), weeks)
        for some in torch.arange(dataset.n_shoppers).split(_AT_ONCE)
    ]
    return parameters.changed(log_size_rate=torch.cat(rates))


@dataclass(frozen=True)
class _TripEffects(Parameters):
    """What the stage of missions finds."""

    missions: Missions
    complementarity: Complementarity


@dataclass(frozen=True)
class _Estimate(Parameters):
    """A number and its standard error."""

    estimate: Tensor = parameter("2", "an estimate and its standard error", with_error=True)


@dataclass(frozen=True)
class _WearOut(Parameters):
    """`wear_out` of `MarketingEffects`."""

    factor: Tensor = parameter(str(RUN_WEEKS), "factor on the mailer's effect by week in a row")


def _told_share(progress: Callable[[str], None], what: str, estimate: Tensor, of: str) -> tuple[float, float]:
    """An estimated share and its standard error, told."""
    share, error = estimate.tolist()
    if np.isfinite(error):
        progress(f"user model: {what} is {share:.2f} (standard error {error:.2g}) of {of}")
    else:
        progress(f"user model: of {what} the log tells nothing; it does nothing")
    return share, error


def _catalogue(preferences: Preferences, category: np.ndarray) -> Catalogue:
    of_subcategory = np.zeros(preferences.subcategory.max() + 1, dtype=np.int64)
    of_subcategory[preferences.subcategory] = category
    return Catalogue(
        category=as_tensor(category),
        subcategory=as_tensor(preferences.subcategory),
        category_of_subcategory=as_tensor(np.append(of_subcategory, category.max() + 1)),
    )


def _long_tail(choice: _Choice, variants: FittedVariants, followed: bool) -> LongTail:
    log_share, log_unbought = choice.known.remembered, choice.known.log_unbought
    rate = np.exp(choice.power * log_share.data + float(choice.coefficients.memory))
    memory = memory_tables(csr_matrix((rate, log_share.indices, log_share.indptr), log_share.shape))
    weight = np.empty((len(log_unbought), log_unbought.shape[1] + 1), dtype=np.float32)
    np.exp(np.multiply(choice.power, log_unbought, out=weight[:, :-1]), out=weight[:, :-1])
    weight[:, -1] = THINNING * memory["memory_rate"]
    line = variants.variants.product_line.numpy()
    alone = 1 - variants.followers.numpy()[line] * followed
    attractions, n_rows = (each * alone for each in choice.attractions()), _CLASSES * len(choice.price)
    return LongTail.of(
        {"tail_weight": weight, "log_within": choice.within.astype(np.float32)}
        | tail_tables(attractions, n_rows, choice.preferences.subcategory, line)
        | memory
    )


def _wear_out(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    steady: np.ndarray,
    progress: Callable[[str], None],
    config: WearOutConfig,
) -> _WearOut:
    """What the mailer's coefficient, which is of the mean week in the mailer, is multiplied by in the first,
    second and later weeks of a run."""
    found = fit_wear_out(dataset, weeks, shoppers, steady, config=config)
    told = ", ".join(
        f"{factor:.2f} ({error:.2f})"
        for factor, error in zip(found.factor, found.standard_error, strict=True)
    )
    progress(f"user model: {found.note}; of a mailer's effect is left, week by week in a row, {told}")
    mean = np.average(found.factor, weights=np.maximum(found.item_weeks, 1))
    return _WearOut(as_tensor((found.factor / mean).astype(np.float32)))


def _state_dependence(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    effect: np.ndarray,
    config: ChoiceConfig,
) -> _Estimate:
    found = state_dependence_share(
        dataset, weeks, shoppers, effect, config=config.state_dependence, preferences=config.preferences
    )
    return _Estimate(as_tensor(np.array(found)))


def _classes(factor: np.ndarray) -> np.ndarray:
    """(S,) int64 class of each factor (S,), from the least to the greatest, all as large."""
    rank = np.empty(len(factor), dtype=np.int64)
    rank[np.argsort(factor, kind="stable")] = np.arange(len(factor))
    return rank * min(_CLASSES, len(factor)) // len(factor)


def _trip_effects(
    dataset: Dataset,
    category: np.ndarray,
    effect: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
    config: ChoiceConfig,
    complementary: bool,
) -> _TripEffects:
    """Complementarity, if there is to be any, and missions that explain the rest of the log lift."""
    own = config.complementarity
    frequency = PersonalFrequency.fit(dataset, weeks, shoppers=shoppers, category=category)
    lift = category_synergy(dataset, frequency, weeks, own.lift_pairs, shoppers=shoppers)
    measured, error = synergy_share(dataset, frequency, effect, weeks, shoppers, seed, config=own)
    # At a half it explains all of the lift of either on the other.
    share = float(np.clip(shrink(measured, error, own.spread), 0.0, 0.5)) * complementary
    synergy = share * np.where(np.eye(len(lift)) > 0, lift.clip(max=0), lift)
    # Each of two may have pulled the other, so synergy accounts for twice its size in their lift.
    common = lift - 2 * share * (lift - np.diag(np.diag(lift)))
    return _TripEffects(
        fit_missions(dataset, frequency, common, weeks, shoppers, config=config.missions),
        Complementarity(as_tensor(synergy.astype(np.float32)), as_tensor(np.array([measured, error]))),
    )


def _log_size_rates(
    p: ChoiceParameters, shopper: Tensor, attraction: Tensor, new: Tensor, weeks: tuple[int, int]
) -> Tensor:
    """(N, K) log factor on exp(utility) with which a visit of each `shopper` (N,) holds each size of `GRID`
    on average; `attraction` (Q, G), in the rows of `tail_row`, is that of each subcategory's items outside
    the shortlist, followers included; `new` (S,) the mean factor on what is new.

    The average is over three weeks with each shopper's real history; so a promotion raises the basket instead
    of only shifting it.
    """
    first, end = weeks
    own, marketing, short = p.shortlists, p.marketing, p.shortlists.shortlist[shopper]
    familiar, sensitivity = own.familiarity[shopper].long(), p.coefficients.promotion_sensitivity
    log_preference = own.log_preference[shopper]
    rate, tail = torch.zeros_like(log_preference), torch.zeros(len(shopper))
    for part in (0.7, 0.8, 0.9):
        week = int(first + part * (end - first))
        last = own.last_bought[week][shopper]
        since = recency_effect(p, shopper, torch.full_like(shopper, week * 7), last)
        price = marketing.price_sensitivity[shopper, None] * marketing.price_effect[week][short]
        promotion = marketing.promotion_effect[week][short]
        effect = price + sensitivity[familiar] * promotion
        rate += torch.exp(log_preference + since + effect) / 3
        row = tail_row(p, shopper, torch.full_like(shopper, week))
        outside = (p.long_tail.tail_weight[shopper, :-1] * attraction[row]).sum(1)
        inside = torch.exp(price + sensitivity[NEW] * promotion + unbought(p, shopper, short))
        outside = (outside - inside.sum(1)).clamp(min=0)
        tail += new[shopper] * outside / 3 + p.long_tail.memory_rate[shopper] / 3
    target = torch.from_numpy(GRID).float().expand(len(shopper), -1)
    log_factor = torch.log(target / (rate.sum(1) + tail)[:, None])
    for _ in range(6):  # an item is bought once at most, so the mean falls short of the sum of rates
        factor = torch.exp(log_factor)
        mean = tail[:, None] * factor
        for k in range(target.shape[1]):
            mean[:, k] += (1 - torch.exp(-rate * factor[:, k : k + 1])).sum(1)
        log_factor = log_factor + torch.log(target / mean)
    return log_factor
