"""Everything that a `ChoiceShopper` is made of, typed: a component a mechanism.

S shoppers, I items, W weeks, L shortlisted items, C categories, D departments, G subcategories, P product
lines, A attributes, F classes of familiarity, E classes of items by expected sales, Q rows of the long tail
(classes of price sensitivity times weeks), M remembered items, R missions, N campaigns, H recent trials, Y
weeks after the fit and one more, B edges between classes of lines by their units, U numbers of units, J
factors of subcategories.

Numbers: 24 sizes of a trip (`GRID` of `components.basket_size`); 6 spans of days since the last
visit and 5 size classes of it; 11 spans of time since an item, or its subcategory, was bought; 14 spans of
days and 10 of days over the own interval in the hazard of a visit; 3 weeks in a row of being offered; 9
weights of preferences.

`python -m bundlegym.user_models.symbols` prints all fields as the table of docs/model.md.
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
from bundlegym.user_models.components.preference_selection import ChosenPreferences
from bundlegym.user_models.components.quantity import Quantity
from bundlegym.user_models.components.shopper_factors import SubcategoryFactors
from bundlegym.user_models.components.trip_effects import Missions
from bundlegym.user_models.components.wear_out import RUN_WEEKS
from bundlegym.user_models.parameters import Parameters, parameter

_FAMILIAR, _BINS, _GAPS = len(FAMILIAR_EDGES) + 1, len(GAP_EDGES) + 2, len(SIZE_GAP_EDGES) + 1


@dataclass(frozen=True)
class Catalogue(Parameters):
    """The hierarchy of items, as codes, see `estimation.assemble`."""

    category: Tensor = parameter(
        "I",
        "category of each item; a subcategory with many lines is a category of its own",
        "c(i)",
        codes=(0, "C"),
    )
    subcategory: Tensor = parameter("I", "subcategory of each item", "g(i)", codes=(0, "G"))
    category_of_subcategory: Tensor = parameter(
        "G+1", "category of each subcategory; last a code for remembered items", "c(g)", codes=(0, "C+1")
    )


@dataclass(frozen=True)
class Prices(Parameters):
    """What the shop asks, read off the log, see `components.marketing`."""

    shelf_price: Tensor = parameter("W I", "price at the shelf, in the log's currency a unit", "p_{iw}")
    log_discount: Tensor = parameter(
        "W I",
        "bounded log(list price / shelf price), less the item's mean over the weeks of the fit",
        "x_{iw}",
    )


@dataclass(frozen=True)
class Coefficients(Parameters):
    """Coefficients of the choice of items, by maximum likelihood (McFadden 1974), see
    `estimation.coefficients`."""

    preference: Tensor = parameter("1", "power of the preference share", r"\theta")
    memory: Tensor = parameter(
        "1", "added to the log rate of items bought before that are not on the shortlist", r"\mu"
    )
    recency: Tensor = parameter(
        f"F {_BINS}",
        "log rate by familiarity and by days since last bought over the purchase interval; 0 for never",
        r"\tau_{fb}",
    )
    recency_of_subcategory: Tensor = parameter(
        f"{_BINS}",
        "log rate by days since anything of the subcategory was last bought over the interval between such "
        "purchases",
        r"\zeta_{b'}",
    )
    recency_of_new: Tensor = parameter(
        f"{_GAPS}", "log rate of new items by days since the last visit", r"\nu_h"
    )
    trial: Tensor = parameter("1", "log of what a recent trial of a mean item adds to its rate", r"\omega_0")
    trial_popularity: Tensor = parameter(
        "1", "what a recent trial adds, by the log of the item's popularity", r"\omega_1"
    )
    trial_fade: Tensor = parameter(
        "1", "log of what a trial loses with each later trial, above 0", r"\omega_2"
    )
    price: Tensor = parameter("D", "utility in minus log price by department, above 0", r"\beta_d")
    price_by_deal_share: Tensor = parameter(
        "1", "log price sensitivity by the shopper's standardised share of lines bought on deal", r"\delta"
    )
    competitor_discount: Tensor = parameter(
        "1", "log rate by the mean log discount of the subcategory's other items", r"\chi"
    )
    display: Tensor = parameter("1", "log rate of a display in all stores, of items sold steadily", r"\pi^D")
    mailer: Tensor = parameter("1", "log rate of the mailer of all stores, of items sold steadily", r"\pi^M")
    display_unsteady: Tensor = parameter(
        "1", "log rate of a display, of items with weeks without a sale", r"\tilde\pi^D"
    )
    mailer_unsteady: Tensor = parameter(
        "1", "log rate of the mailer, of items with weeks without a sale", r"\tilde\pi^M"
    )
    promotion_sensitivity: Tensor = parameter(
        "F", "factor on the effect of promotions by familiarity; 1 for the mean line", r"\rho_f"
    )
    nll: Tensor = parameter("1", "negative log likelihood in the last epoch, in nats a line")


@dataclass(frozen=True)
class Shortlists(Parameters):
    """Each shopper's likeliest items, in the order of their codes, see `components.preferences`."""

    shortlist: Tensor = parameter(
        "S L", "items of the greatest preference share", r"\mathcal{L}_s", codes=(0, "I"), rising=True
    )
    log_preference: Tensor = parameter(
        "S L",
        "log of the preference share times theta, less what coupons added on average",
        "a_{si}",
    )
    familiarity: Tensor = parameter(
        "S L",
        f"class by lines of the item that the shopper bought, older ones counting less; 0 for none, up to "
        f"{_FAMILIAR - 1}",
        "f(s,i)",
        codes=(0, "F"),
    )
    purchase_interval: Tensor = parameter(
        "S L", "mean days between the shopper's purchases of the item, at least 1", r"T_{si}"
    )
    last_bought: Tensor = parameter(
        "W S L", "day last bought before each week, counted from the log's first; -1 for never", "t_{siw}"
    )


@dataclass(frozen=True)
class MarketingEffects(Parameters):
    """What prices and promotions add to log rates, see `components.marketing`."""

    price_slope: Tensor = parameter("I", "utility in minus log price, that of the department", r"\beta_i")
    price_sensitivity: Tensor = parameter("S", "factor of the shopper on effects of prices", r"\delta_s")
    sensitivity_class: Tensor = parameter(
        "S", "class of the price sensitivity in the long tail", "q(s)", codes=(0, "Q/W")
    )
    price_effect: Tensor = parameter("W I", "log rate by the discount", r"\beta_i x_{iw}")
    promotion_effect: Tensor = parameter(
        "W I", "log rate of the mean line by display, mailer and others' discounts", "m_{iw}"
    )
    wear_out: Tensor = parameter(
        str(RUN_WEEKS),
        "factor on the mailer's effect by week in a row; 1 for the log's mean week in a mailer",
        r"\kappa_n",
    )


@dataclass(frozen=True)
class AttributeTastes(Parameters):
    """Random coefficients on attributes of items (Revelt and Train 1998), see
    `components.attribute_tastes`."""

    attribute_taste: Tensor = parameter(
        "S A", "taste for each attribute, in utility a standard deviation, times theta", r"\alpha_s"
    )
    attribute: Tensor = parameter(
        "I A",
        "log list price, log popularity and brands, less the mean of the subcategory, in standard deviations",
        "y_i",
    )
    attribute_range: Tensor = parameter("G 2 A", "least and greatest attribute of a subcategory")
    attribute_log_total: Tensor = parameter(
        "S G", "what tastes add to the log total of a subcategory", r"\log Z_{sg}"
    )


@dataclass(frozen=True)
class LongTail(Parameters):
    """Purchases outside the shortlist: a Poisson process, see `reference.long_tail`."""

    tail_weight: Tensor = parameter(
        "S G+1",
        "the shopper's part of the rate of an item never bought, by subcategory; last the rate of memory "
        "times `THINNING`",
        "A_{sg}",
    )
    log_within: Tensor = parameter(
        "I", "log share within the subcategory, with the item's trend, times theta", r"\theta \log p_{ig}"
    )
    tail_attraction: Tensor = parameter(
        "Q G+1", "sum of exp(utility) of each subcategory's items, but for the shopper's part; last 1"
    )
    tail_cdf: Tensor = parameter("Q I", "row + cumulative share of attraction, in the order of `tail_item`")
    tail_start: Tensor = parameter("Q G+1", "`tail_cdf` before the first item of each subcategory")
    tail_item: Tensor = parameter("I", "items in the order of product lines", codes=(0, "I"))
    memory_rate: Tensor = parameter("S", "sum of the rates of remembered items")
    memory_item: Tensor = parameter("M", "remembered items, shopper by shopper", codes=(0, "I"))
    memory_cdf: Tensor = parameter("M", "shopper + cumulative share of the shopper's remembered items")
    memory_start: Tensor = parameter(
        "S+1", "where each shopper begins in `memory_item`", codes=(0, "M"), ascending=True
    )


@dataclass(frozen=True)
class Trials(Parameters):
    """Trial and repeat (Fourt and Woodlock 1960): what was bought off the shortlist since the fit, see
    `reference.recent_trials`."""

    recent_trials: Tensor = parameter(
        "Y S H",
        "items tried, the latest first, -1 for none; before the first week after the fit, then by week",
        "J_s",
        codes=(-1, "I"),
    )
    first_trial_week: Tensor = parameter("1", "first week after the fit", codes=(0, "W+1"))
    trial_weight: Tensor = parameter(
        "I", "what the latest trial of the item adds to its rate, times `THINNING`", r"\omega_i"
    )
    trial_fading: Tensor = parameter("H", "what is left of a trial, the latest first", r"\omega^H_n")


@dataclass(frozen=True)
class Substitution(Parameters):
    """Satiation within a subcategory (Kim, Allenby and Rossi 2002), see `reference.substitution`."""

    substitution: Tensor = parameter(
        "G", "log factor on the rates of substitutes once one is bought, at most 0", r"\psi_g"
    )


@dataclass(frozen=True)
class SizeConstants(Parameters):
    """Alternative-specific constants by the size of the trip (Train 2009), by simulated moments, see
    `components.size_constants`."""

    size_constants: Tensor = parameter(
        f"{len(GRID)} G", "added to the log rates of a subcategory by the size of the trip", "l_{kg}"
    )


@dataclass(frozen=True)
class Exploration(Parameters):
    """Variety seeking (McAlister and Pessemier 1982): how much of a basket is new, see
    `estimation.exploration`."""

    explore_level: Tensor = parameter(
        f"{len(GRID)}", "added to the log rates of new items by the size of the trip", "e_k"
    )
    explore_spread: Tensor = parameter(
        "1", "standard deviation between trips of the log rates of new items", r"\sigma^e"
    )


@dataclass(frozen=True)
class Variants(Parameters):
    """Variants of a product line, bought together: a cluster process (Neyman and Scott 1958), see
    `estimation.variants`."""

    product_line: Tensor = parameter("I", "product line of each item", r"\ell(i)", codes=(0, "P"))
    product_line_start: Tensor = parameter(
        "P+1", "where each product line begins in `tail_item`", codes=(0, "I+1"), rising=True
    )
    follow_prob: Tensor = parameter(
        "P", "chance that a purchase in the long tail is followed by one more variant", r"\phi_\ell"
    )


@dataclass(frozen=True)
class StateDependence(Parameters):
    """Structural state dependence (Heckman 1981), see `estimation.state_dependence`."""

    state_dependence_share: Tensor = parameter(
        "2",
        "share of repeats that the first purchase brought about, as estimated, and its standard error",
        r"\hat\upsilon",
        with_error=True,
    )
    habit_prob: Tensor = parameter(
        "1", "chance that an item first tried in a bundle taken whole is remembered", r"\upsilon"
    )


@dataclass(frozen=True)
class ChoiceParameters(Parameters):
    """All of it; see the module's docstring."""

    shortlists: Shortlists
    prices: Prices
    catalogue: Catalogue
    coefficients: Coefficients
    marketing: MarketingEffects
    missions: Missions
    complementarity: Complementarity
    substitution: Substitution
    size_constants: SizeConstants
    exploration: Exploration
    variants: Variants
    long_tail: LongTail
    attribute_tastes: AttributeTastes
    trials: Trials
    state_dependence: StateDependence
    coupons: Coupons
    incidence: Incidence
    basket_size: BasketSize
    quantity: Quantity
    preference_weights: ChosenPreferences
    subcategory_factors: SubcategoryFactors
