"""Everything that a `ChoiceShopper` is made of, typed: a component a mechanism.

S shoppers, L shortlisted items, I items, W weeks, C categories, D departments, G subcategories, P product
lines, K sizes of trips, A attributes, F classes of familiarity, Q rows of the long tail (classes of price
sensitivity by weeks), M remembered items, R missions, N campaigns, H recent trials, Y weeks after the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bundlegym.user_models.components.basket_size import GAP_EDGES as SIZE_GAP_EDGES
from bundlegym.user_models.components.basket_size import GRID, BasketSize
from bundlegym.user_models.components.complementarity import Complementarity
from bundlegym.user_models.components.coupons import Coupons
from bundlegym.user_models.components.incidence import Incidence
from bundlegym.user_models.components.marketing import FAMILIAR_EDGES, GAP_EDGES
from bundlegym.user_models.components.quantity import Quantity
from bundlegym.user_models.components.trip_effects import DepartmentTrips, Missions
from bundlegym.user_models.components.wear_out import RUN_WEEKS
from bundlegym.user_models.parameters import Parameters, parameter

#: First axis of `item_shocks`: to whom an item is near, shortlisted or remembered, and to the rest.
NEAR, REST = range(2)
_FAMILIAR, _BINS, _GAPS = len(FAMILIAR_EDGES) + 1, len(GAP_EDGES) + 2, len(SIZE_GAP_EDGES) + 1


@dataclass(frozen=True)
class Catalogue(Parameters):
    """The hierarchy of items, as codes."""

    category: Tensor = parameter(
        "I", "category of each item, as missions tell them apart", "c(i)", codes=(0, "C")
    )
    subcategory: Tensor = parameter("I", "subcategory of each item", "g(i)", codes=(0, "G"))
    category_of_subcategory: Tensor = parameter("G+1", "category; last a code of its own", codes=(0, "C+1"))
    department_of_category: Tensor = parameter("C", "department of each category", codes=(0, "D"))


@dataclass(frozen=True)
class Prices(Parameters):
    """What the shop asks."""

    shelf_price: Tensor = parameter("W I", "price at the shelf", "p_iw")
    log_discount: Tensor = parameter("W I", "log(list price / shelf price) less the item's mean", "x_iw")


@dataclass(frozen=True)
class Coefficients(Parameters):
    """Coefficients of the choice of items, by maximum likelihood (`estimation.likelihood`)."""

    preference: Tensor = parameter("1", "power of the preference share", "theta")
    memory: Tensor = parameter("1", "log rate of what was bought before and is not shortlisted")
    experience: Tensor = parameter("1", "slope in the shopper's log lines, of what was bought before")
    recency: Tensor = parameter(
        f"F {_BINS}", "log rate by familiarity and days since last bought over the own interval", "tau_fd"
    )
    recency_of_new: Tensor = parameter(
        f"{_GAPS}", "log rate of new items by days since the last visit", "nu_d"
    )
    trial: Tensor = parameter("1", "log of what a recent trial adds to a rate")
    trial_popularity: Tensor = parameter("1", "power of the item's popularity in it")
    trial_fade: Tensor = parameter("1", "loss of it with each later trial")
    price: Tensor = parameter("D", "slope in minus log price by department", "beta_d")
    price_by_deal_share: Tensor = parameter(
        "1", "log price sensitivity by the shopper's share bought on deal"
    )
    competitor_discount: Tensor = parameter(
        "1", "log rate by the mean discount of the subcategory's other items"
    )
    display: Tensor = parameter("1", "log rate of a display, of items sold steadily")
    mailer: Tensor = parameter("1", "log rate of the mailer, of items sold steadily", "mu")
    display_unsteady: Tensor = parameter("1", "the same, of items with weeks without a sale")
    mailer_unsteady: Tensor = parameter("1", "the same, of items with weeks without a sale")
    promotion_sensitivity: Tensor = parameter(
        "F", "factor on promotions by familiarity, 1 for the mean line", "rho_f"
    )
    nll: Tensor = parameter("1", "nats a line on the weeks of the fit")


@dataclass(frozen=True)
class Shortlists(Parameters):
    """Each shopper's likeliest items, in the order of their codes."""

    shortlist: Tensor = parameter("S L", "codes of the items", codes=(0, "I"), rising=True)
    log_preference: Tensor = parameter("S L", "theta log of the share of lines, with experience", "a_si")
    familiarity: Tensor = parameter(
        "S L", f"class of lines bought, 0..{_FAMILIAR - 1}", "f(s,i)", codes=(0, "F")
    )
    purchase_interval: Tensor = parameter("S L", "days between purchases of the item")
    last_bought: Tensor = parameter("W S L", "day last bought before each week, -1 for never")


@dataclass(frozen=True)
class MarketingEffects(Parameters):
    """What prices and promotions add to log rates."""

    price_slope: Tensor = parameter("I", "slope in minus log price", "beta_i")
    price_sensitivity: Tensor = parameter("S", "factor of the shopper on price effects", "delta_s")
    sensitivity_class: Tensor = parameter("S", "class of it in the long tail", codes=(0, "Q/W"))
    price_effect: Tensor = parameter("W I", "price_slope times log_discount", "beta_i x_iw")
    promotion_effect: Tensor = parameter("W I", "of display, mailer and others' discounts", "m_iw")
    wear_out: Tensor = parameter(str(RUN_WEEKS), "factor on the mailer's effect by week in a row")


@dataclass(frozen=True)
class AttributeTastes(Parameters):
    """Random coefficients on attributes of items (Revelt and Train 1998), see
    `components.attribute_tastes`."""

    attribute_taste: Tensor = parameter("S A", "taste for each attribute", "theta_s")
    attribute: Tensor = parameter("I A", "standardised within the subcategory", "x_i")
    attribute_range: Tensor = parameter("G 2 A", "least and greatest of a subcategory")
    attribute_log_total: Tensor = parameter(
        "S G", "what tastes add to the log total of a subcategory", "log Z_sg"
    )


@dataclass(frozen=True)
class LongTail(Parameters):
    """Purchases outside the shortlist, see `reference.long_tail`."""

    tail_weight: Tensor = parameter("S G+1", "the shopper's part of the rate by subcategory; last memory")
    log_within: Tensor = parameter("I", "log share within the subcategory", "log p(i|g)")
    tail_attraction: Tensor = parameter("Q G+1", "total attraction of each subcategory; 1 for memory")
    tail_cdf: Tensor = parameter("Q I", "row + cumulative attraction, in the order of tail_item")
    tail_start: Tensor = parameter("Q G+1", "where each subcategory begins in it")
    tail_item: Tensor = parameter("I", "items in the order of product lines", codes=(0, "I"))
    memory_rate: Tensor = parameter("S", "sum of the rates of what is remembered")
    memory_item: Tensor = parameter("M", "remembered items, of all shoppers in a row", codes=(0, "I"))
    memory_cdf: Tensor = parameter("M", "shopper + cumulative share")
    memory_start: Tensor = parameter("S+1", "where each shopper begins", codes=(0, "M"), ascending=True)


@dataclass(frozen=True)
class Trials(Parameters):
    """Trial and repeat: what was bought off the shortlist lately, see `reference.recent_trials`."""

    recent_trials: Tensor = parameter(
        "Y S H", "items, the latest first, -1 for none: at no week, then by week", codes=(-1, "I")
    )
    first_trial_week: Tensor = parameter("1", "first week after the fit", codes=(0, "W+1"))
    trial_weight: Tensor = parameter("I", "what a trial of the item adds to its rate in the tail")
    trial_fading: Tensor = parameter("H", "what is left of it, the latest first")


@dataclass(frozen=True)
class Substitution(Parameters):
    """Satiation within a subcategory, see `reference.substitution`."""

    substitution: Tensor = parameter("G", "log factor on substitutes once one is bought, at most 0", "g_g")


@dataclass(frozen=True)
class SizeConstants(Parameters):
    """Alternative-specific constants by the size of the trip, by simulated moments."""

    size_constants: Tensor = parameter(f"{len(GRID)} G", "added to log rates", "l_kg")


@dataclass(frozen=True)
class Exploration(Parameters):
    """Variety seeking: how much of a basket is new, see `estimation.exploration`."""

    explore_level: Tensor = parameter(f"{len(GRID)}", "log rate of new items by the size of the trip", "e_k")
    explore_spread: Tensor = parameter("1", "standard deviation of an effect of the trip on them", "sigma_e")


@dataclass(frozen=True)
class Variants(Parameters):
    """Variants of a product line, bought together, see `estimation.variants`."""

    product_line: Tensor = parameter("I", "product line of each item", codes=(0, "P"))
    product_line_start: Tensor = parameter(
        "P+1", "where each begins in tail_item", codes=(0, "I+1"), rising=True
    )
    follow_prob: Tensor = parameter("P", "chance that a further variant is drawn")


@dataclass(frozen=True)
class StateDependence(Parameters):
    """Structural state dependence (Heckman 1981), see `estimation.state_dependence`."""

    state_dependence_share: Tensor = parameter(
        "2", "share of repeats that the first purchase brought about, and its standard error", with_error=True
    )
    habit_prob: Tensor = parameter("1", "chance that an item first tried in a bundle is remembered")


@dataclass(frozen=True)
class ItemShocks(Parameters):
    """Demand shocks of items in weeks after the fit, see `estimation.item_shocks`."""

    item_shocks: Tensor = parameter(
        "2 W I", "log factor: to whom the item is near, and to the rest", "eta_iw"
    )
    shock_mean: Tensor = parameter("2 E", "mean factor by class of items")
    shock_variance: Tensor = parameter("2 E", "relative variance by class of items")


@dataclass(frozen=True)
class ChoiceParameters(Parameters):
    """See the module's docstring."""

    shortlists: Shortlists
    prices: Prices
    catalogue: Catalogue
    coefficients: Coefficients
    marketing: MarketingEffects
    missions: Missions
    department_trips: DepartmentTrips
    complementarity: Complementarity
    substitution: Substitution
    size_constants: SizeConstants
    exploration: Exploration
    variants: Variants
    long_tail: LongTail
    attribute_tastes: AttributeTastes
    trials: Trials
    state_dependence: StateDependence
    item_shocks: ItemShocks
    coupons: Coupons
    incidence: Incidence
    basket_size: BasketSize
    quantity: Quantity
