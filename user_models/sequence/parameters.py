"""Everything that a `SequenceShopper` is made of, typed.

S shoppers, L shortlisted items, I items, W weeks, H the network's width, C categories, K sizes of trips.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bundlegym.user_models.components.basket_size import BasketSize
from bundlegym.user_models.components.incidence import Incidence
from bundlegym.user_models.components.quantity import Quantity
from bundlegym.user_models.components.trip_effects import Missions
from bundlegym.user_models.parameters import Parameters, parameter


@dataclass(frozen=True)
class Histories(Parameters):
    """What shoppers had bought before each week."""

    shortlist: Tensor = parameter(
        "S L", "items best liked at the end of the fit", codes=(0, "I"), rising=True
    )
    times_bought: Tensor = parameter("W S L", "times that each was bought before each week, at most 255")
    last_bought: Tensor = parameter("W S L", "day last bought, -1 for never")
    hidden: Tensor = parameter("W S H", "state of the network")
    first_day: Tensor = parameter("S", "day of the first visit")


@dataclass(frozen=True)
class Catalogue(Parameters):
    """The hierarchy of items, as codes."""

    category: Tensor = parameter("I", "category of each item, as missions tell them apart", codes=(0, "C"))
    subcategory: Tensor = parameter("I", "subcategory of each item")


@dataclass(frozen=True)
class Prices(Parameters):
    """What the shop asks."""

    shelf_price: Tensor = parameter("W I", "price at the shelf")
    log_discount: Tensor = parameter("W I", "log(list price / shelf price) less the item's mean")


@dataclass(frozen=True)
class Network(Parameters):
    """What the network (`net`) knows."""

    log_preference: Tensor = parameter(
        "S I", "log rates but for the state, the shortlist's history and the week"
    )
    marketing_effect: Tensor = parameter("W I", "what prices and promotions add")
    price_slope: Tensor = parameter("I", "slope in minus log price")
    item_output: Tensor = parameter("I H", "embeddings of items that may be bought")
    item_input: Tensor = parameter("I H", "embeddings of items that were bought")
    within_share: Tensor = parameter("I", "share of the subcategory's lines")
    frequency: Tensor = parameter("1", "coefficient of having bought an item")
    frequency_weight: Tensor = parameter("1", "lines that its share weighs as much as")
    recency: Tensor = parameter("", "log rate by days since last bought")
    cell_weight_ih: Tensor = parameter("", "of the gated recurrent unit")
    cell_weight_hh: Tensor = parameter("", "of the gated recurrent unit")
    cell_bias_ih: Tensor = parameter("", "of the gated recurrent unit")
    cell_bias_hh: Tensor = parameter("", "of the gated recurrent unit")


@dataclass(frozen=True)
class SequenceParameters(Parameters):
    """See the module's docstring."""

    network: Network
    histories: Histories
    prices: Prices
    catalogue: Catalogue
    missions: Missions
    incidence: Incidence
    basket_size: BasketSize
    quantity: Quantity
