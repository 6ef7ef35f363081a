"""The stages of a fit in order: coefficients, components, and what simulated moments say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bundlegym.data import Dataset, visit_rows
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.choice.estimation.assemble import assemble
from bundlegym.user_models.choice.estimation.coefficients import fit_coefficients
from bundlegym.user_models.choice.estimation.exploration import ExplorationMoment
from bundlegym.user_models.choice.estimation.mechanisms import fixed_coefficients
from bundlegym.user_models.choice.estimation.substitution import SubstitutionMoment
from bundlegym.user_models.choice.parameters import (
    ChoiceParameters,
    Coefficients,
    Exploration,
    Substitution,
)
from bundlegym.user_models.components.basket_size import GRID, BasketSize
from bundlegym.user_models.components.fit_weeks import last_fifth
from bundlegym.user_models.components.incidence import Incidence
from bundlegym.user_models.components.preference_selection import ChosenPreferences, choose_preferences
from bundlegym.user_models.components.simulated_moments import Moment, match
from bundlegym.user_models.components.size_constants import match_sizes
from bundlegym.user_models.fit_cache import FitCache, check_finite
from bundlegym.user_models.panel import logged_panel
from bundlegym.user_models.parameters import Parameters, parameter
from bundlegym.user_models.requirements import cannot_learn, check_requirements

_MOST_SHOPPERS = 4000  # by whom is found what is unseen: means over so many are sure enough
_LEAST_WEEKS = 3  # of a fit: units, for one, are counted in some and seen in others


@dataclass(frozen=True)
class Unseen(Parameters):
    """What is found in weeks that preferences have not seen."""

    substitution: Substitution
    exploration: Exploration


@dataclass(frozen=True)
class _Sizes(Parameters):
    """What `match_sizes` finds."""

    basket_size: BasketSize
    incidence: Incidence
    size_constants: torch.Tensor = parameter("K G", "as in `SizeConstants`")


def fit_parameters(
    model_of: Callable[[ChoiceParameters], Any],
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    *,
    config: ChoiceConfig,
    seed: int,
    cache: FitCache,
    without: Collection[str] = (),
) -> ChoiceParameters:
    """All parameters; `model_of` makes the model that simulates of them, `without` some mechanisms.

    Raises:
        UserError: the log holds too little for a fit, or the fit ends in numbers that are not finite.
    """
    check_requirements("choice", dataset, weeks, shoppers)
    for sentence in cannot_learn(dataset, weeks, shoppers):
        cache.progress(sentence)
    if "preference_selection" not in without:
        chosen = cache(
            "preferences",
            ChosenPreferences,
            lambda: choose_preferences(
                dataset,
                weeks,
                shoppers,
                seed,
                without,
                config=config.preferences,
                progress=cache.progress,
            ),
        )
        config = dataclasses.replace(config, preferences=chosen.applied_to(config.preferences))
    coefficients = cache(
        "coefficients",
        Coefficients,
        lambda: fit_coefficients(
            dataset,
            weeks,
            shoppers,
            config.shortlist_size,
            epochs=config.epochs,
            seed=seed,
            progress=cache.progress,
            without=without,
            fixed=fixed_coefficients(without),
            config=config.coefficients,
            preferences=config.preferences,
            marketing=config.marketing,
        ),  # fmt: skip
    )

    def fit(
        weeks: tuple[int, int],
        unseen: Unseen,
        cache: FitCache,
        *,
        simulated: np.ndarray | None = None,
        by_category: bool = False,
    ) -> ChoiceParameters:
        params = assemble(
            dataset,
            weeks,
            shoppers,
            coefficients,
            seed=seed,
            cache=cache,
            without=without,
            config=config,
            simulated=simulated,
        ).changed(**dict(unseen.leaves()))

        def sizes() -> _Sizes:
            found = match_sizes(
                model_of(params),
                dataset,
                weeks,
                shoppers,
                seed,
                by_category=by_category,
                constants="size_constants" not in without,
                config=config.size_constants,
                basket_size=config.basket_size,
                earlier=cache.begun.get("sizes", {}),
            ).params
            return _Sizes(found.basket_size, found.incidence, found.size_constants.size_constants)

        return params.changed(**dict(cache("sizes", _Sizes, sizes).leaves()))

    unseen = cache(
        "unseen",
        Unseen,
        lambda: _find_unseen(model_of, fit, dataset, weeks, shoppers, seed, cache.progress, without, config),
    )
    rest = float(np.exp(unseen.substitution.substitution.numpy()).mean())
    cache.progress(f"user model: beside an item its substitutes are bought {rest:.2f} times as often")
    return check_finite("tables", fit(weeks, unseen, cache))


def _find_unseen(
    model_of: Callable[[ChoiceParameters], Any],
    fit: Callable[..., ChoiceParameters],
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
    progress: Callable[[str], None],
    without: Collection[str],
    config: ChoiceConfig,
) -> Unseen:
    """By a model of the first four fifths of the weeks, whose preferences have not seen the last fifth; no
    effect where these are too few for a model, or nobody bought anything in the last fifth. A constant of
    each subcategory would take from big baskets what is the effect's to take, so there is none here."""
    later, everyone = last_fifth(weeks), np.flatnonzero(shoppers)
    known = np.sort(np.random.default_rng(seed).permutation(everyone)[:_MOST_SHOPPERS])
    some = np.isin(np.arange(len(shoppers)), known)
    first, before = (weeks[0], later[0]), last_fifth((weeks[0], later[0]))
    none = _nothing(dataset)
    if {"substitution", "exploration"} <= set(without):
        return none
    panel = logged_panel(dataset, later, known)
    if (
        later[0] - weeks[0] < _LEAST_WEEKS
        or panel.empty
        or not len(visit_rows(dataset, before, some))  # by which that model's sizes would be set
    ):
        progress(
            "user model: too little to tell what a model of the first weeks misses in the last fifth of "
            "them; substitution and exploration do nothing"
        )
        return none
    # Nobody is made an offer, so neither state dependence nor wear-out is looked for.
    unkept = FitCache(None, lambda _: None, skip=("state_dependence", "wear_out"))
    model = model_of(fit(first, none, unkept, simulated=shoppers, by_category=True))
    on_panel = later, known, seed
    bought = line_counts(dataset, first)
    moments: tuple[tuple[str, Callable[[ChoiceParameters], Moment[Any]]], ...] = (
        ("substitution", lambda params: SubstitutionMoment(params, panel, config.substitution)),
        ("exploration", lambda params: ExplorationMoment(panel, bought, config.exploration)),
    )
    for name, moment in moments:
        if name not in without:
            model = match(model, moment(model.params), *on_panel)
    return Unseen(model.params.substitution, model.params.exploration)


def _nothing(dataset: Dataset) -> Unseen:
    """No effects."""
    return Unseen(
        Substitution(torch.zeros(dataset.subcategory_code.max() + 1)),
        Exploration(torch.zeros(len(GRID)), torch.zeros(1)),
    )
