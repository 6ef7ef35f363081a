"""Every hyper-parameter of a `ChoiceShopper`; `python -m bundlegym.user_models.hyper_parameters` prints them.

    config = ChoiceConfig(preferences=PreferencesConfig(half_life=26.0))
    model = ChoiceShopper.fit(dataset, config=config)

`ChoiceConfig` only puts together what each fit has in its own file. A hyper-parameter is a number that a fit
takes as given and that moves what is fitted: weights of averages (shrinkage), half-lives, priors, parts of
the weeks, most and least values, and steps of what does not run until it is done. Where the doc of a field
does not say how its value was chosen, no record of that was kept.

What is no hyper-parameter is a constant of the module that needs it:

- What the shape of parameters, or compiled code, rests on: `choice/bounds.py` (SLOTS, FOLLOWERS, TRIES,
  THINNING, MOST_PULL), TRIALS and SHOWN in `recent_trials.py` and `exposure.py` of `choice/reference/`;
  below `components/`, GRID and the edges of classes in `basket_size.py`, HORIZON, edges and knots in
  `incidence.py`, GAP_EDGES and FAMILIAR_EDGES in `marketing.py`, the most units of a line in `quantity.py`,
  RUN_WEEKS in `wear_out.py`, the cells in which `complementarity.py` takes means out; classes of shoppers in
  the long tail in `choice/estimation/assemble.py`.
- Which weeks of a fit are for what: `components/fit_weeks.py`; `requirements.py` says what is lacking.
- Where an optimiser begins: `_start` in `choice/estimation/coefficients.py`.
- Guards of arithmetic, as 1e-9; the most steps of what runs until it is done; grids of integration and
  search; how much is in memory at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from bundlegym.user_models.choice.estimation.coefficients import CoefficientsConfig
from bundlegym.user_models.choice.estimation.exploration import ExplorationConfig
from bundlegym.user_models.choice.estimation.state_dependence import StateDependenceConfig
from bundlegym.user_models.choice.estimation.substitution import SubstitutionConfig
from bundlegym.user_models.choice.estimation.variants import VariantsConfig
from bundlegym.user_models.components.basket_size import BasketSizeConfig
from bundlegym.user_models.components.complementarity import ComplementarityConfig
from bundlegym.user_models.components.coupons import CouponsConfig
from bundlegym.user_models.components.incidence import IncidenceConfig
from bundlegym.user_models.components.marketing import MarketingConfig
from bundlegym.user_models.components.needs import NeedsConfig
from bundlegym.user_models.components.preferences import PreferencesConfig
from bundlegym.user_models.components.quantity import QuantityConfig
from bundlegym.user_models.components.size_constants import SizeConstantsConfig
from bundlegym.user_models.components.trip_effects import MissionsConfig
from bundlegym.user_models.components.wear_out import WearOutConfig
from bundlegym.user_models.config import Config, Count


@dataclass(frozen=True)
class ChoiceConfig(Config):
    """Hyper-parameters of `ChoiceShopper.fit`."""

    shortlist_size: Count = 144
    """Items of each shopper that are decided one by one; all others are the long tail."""

    epochs: Count = 6
    """Passes over the visits when the coefficients are fitted."""

    needs: NeedsConfig = NeedsConfig()
    """Hyper-parameters of needs."""

    coefficients: CoefficientsConfig = CoefficientsConfig()
    """Hyper-parameters of the likelihood of baskets."""

    preferences: PreferencesConfig = PreferencesConfig()
    """Hyper-parameters of preferences."""

    marketing: MarketingConfig = MarketingConfig()
    """Hyper-parameters of prices and promotions."""

    complementarity: ComplementarityConfig = ComplementarityConfig()
    """Hyper-parameters of complementarity."""

    missions: MissionsConfig = MissionsConfig()
    """Hyper-parameters of missions."""

    substitution: SubstitutionConfig = SubstitutionConfig()
    """Hyper-parameters of substitution."""

    size_constants: SizeConstantsConfig = SizeConstantsConfig()
    """Hyper-parameters of size constants."""

    exploration: ExplorationConfig = ExplorationConfig()
    """Hyper-parameters of exploration."""

    variants: VariantsConfig = VariantsConfig()
    """Hyper-parameters of variants."""

    coupons: CouponsConfig = CouponsConfig()
    """Hyper-parameters of coupons."""

    wear_out: WearOutConfig = WearOutConfig()
    """Hyper-parameters of wear-out."""

    state_dependence: StateDependenceConfig = StateDependenceConfig()
    """Hyper-parameters of state dependence."""

    incidence: IncidenceConfig = IncidenceConfig()
    """Hyper-parameters of incidence."""

    basket_size: BasketSizeConfig = BasketSizeConfig()
    """Hyper-parameters of basket size."""

    quantity: QuantityConfig = QuantityConfig()
    """Hyper-parameters of quantity."""
