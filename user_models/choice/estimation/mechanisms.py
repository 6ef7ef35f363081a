"""The mechanisms of a `ChoiceShopper`, each of which a fit can leave out by name: what is each worth?

`ChoiceShopper.fit(..., without=("substitution",))` fits the rest as if there were no such thing;
`bundlegym fidelity --ablate` does so for each in turn.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import torch

from bundlegym.errors import UserError
from bundlegym.user_models.choice.estimation import (
    exploration,
    state_dependence,
    trial_tables,
    variants,
)
from bundlegym.user_models.choice.estimation import substitution as substitution_fit
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference import recent_trials, substitution
from bundlegym.user_models.components import (
    attribute_tastes,
    complementarity,
    coupons,
    needs,
    preference_selection,
    shopper_factors,
    trip_effects,
    wear_out,
)


@dataclass(frozen=True)
class Mechanism:
    """A part of shoppers' behaviour that can be left out.

    Attributes:
        about: what it says, in a few words.
        code: modules and functions that it consists of.
        fixed: names of free coefficients that are not fitted, and their values.
        zero: leaves of `ChoiceParameters` that are 0 without it.
        offers_only: it does nothing where nobody is made an offer.
    """

    about: str
    code: tuple[Any, ...] = ()
    fixed: dict[str, float] = field(default_factory=dict)
    zero: tuple[str, ...] = ()
    offers_only: bool = False

    @property
    def lines(self) -> int:
        """Source lines of its code."""
        return sum(len(inspect.getsource(part).splitlines()) for part in self.code)


#: By name. Those without `fixed` and `zero` are left out where they are fitted.
MECHANISMS: dict[str, Mechanism] = {
    "needs": Mechanism("categories whose items are all substitutes", (needs,)),
    "preference_selection": Mechanism("weights of preferences by evidence", (preference_selection,)),
    "shopper_factors": Mechanism("low-rank shares of subcategories", (shopper_factors,)),
    "trend": Mechanism("items' sales of late"),
    "attribute_tastes": Mechanism("tastes for price levels and brands", (attribute_tastes,)),
    "recency": Mechanism("time since an item was bought", fixed={"recency": 0.0}),
    "recency_of_subcategory": Mechanism(
        "time since a subcategory was bought", fixed={"recency_of_subcategory": 0.0}
    ),
    "recency_of_new": Mechanism("time since the last visit, on new items", fixed={"recency_of_new": 0.0}),
    "seasons": Mechanism("departments differ by week in the fit", fixed={"season": 0.0}),
    "recent_trials": Mechanism(
        "trial and repeat off the shortlist", (recent_trials, trial_tables), {"trial": -20.0},
        ("trial_weight",),
    ),
    "price_sensitivity": Mechanism("shoppers differ in it", fixed={"price_by_deal_share": 0.0}),
    "promotion_sensitivity": Mechanism("by familiarity", fixed={"promotion_sensitivity": 0.0}),
    "competitor_discount": Mechanism("cross-price effect", fixed={"competitor_discount": 0.0}),
    "complementarity": Mechanism("what holding one adds to others", (complementarity,)),
    "missions": Mechanism(
        "shopping missions",
        (trip_effects.fit_missions, trip_effects.mission_loadings, trip_effects.mission_scale,
         trip_effects.mission_effect),
        zero=("mission_loading", "mission_spread", "category_level"),
    ),
    "substitution": Mechanism("satiation within a subcategory", (substitution, substitution_fit)),
    "size_constants": Mechanism("what small and big trips hold"),
    "exploration": Mechanism("how much of a trip is new, by size", (exploration,)),
    "variants": Mechanism("variants bought together", (variants,), zero=("follow_prob",)),
    "coupons": Mechanism("what a coupon does", (coupons,)),
    "frailty": Mechanism("busier and quieter spells", zero=("frailty",)),
    "irregularity": Mechanism("irregular visitors", zero=("hazard_irregular",)),
    "regular_quantity": Mechanism("what a shopper usually takes of an item", zero=("regular_quantity",)),
    "quantity_by_size": Mechanism("units a line by the lines of a trip", zero=("quantity_by_size",)),
    "state_dependence": Mechanism("a habit after a trial", (state_dependence,), offers_only=True),
    "wear_out": Mechanism("exposure wears out", (wear_out,), offers_only=True),
}  # fmt: skip


def check_mechanisms(names: Collection[str], option: str = "without") -> None:
    """Raise `UserError` where a name is none of `MECHANISMS`."""
    for name in names:
        if name not in MECHANISMS:
            raise UserError(f"{option}: unknown mechanism {name!r}; known are {', '.join(MECHANISMS)}")


def fixed_coefficients(without: Collection[str]) -> dict[str, float]:
    """Names and values of the free coefficients that are not fitted."""
    return {name: value for left_out in without for name, value in MECHANISMS[left_out].fixed.items()}


def left_out(params: ChoiceParameters, without: Collection[str]) -> ChoiceParameters:
    """Parameters without the effect of some mechanisms."""
    leaves = dict(params.leaves())
    zero = {name: torch.zeros_like(leaves[name]) for each in without for name in MECHANISMS[each].zero}
    return params.changed(**zero)
