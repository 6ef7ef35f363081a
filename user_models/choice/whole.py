"""All that a `ChoiceShopper` is made of: its tables, of which substitutes one is enough, the level that all
parts reach together, and the drift of items after the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset, visit_rows
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.user_models.choice.drift import (
    REST,
    draw_drift,
    expected_lines,
    fit_drift,
    lines_by_kind,
    near_items,
    no_effect,
)
from bundlegym.user_models.choice.enough import fit_enough
from bundlegym.user_models.choice.exposures import RUNS
from bundlegym.user_models.choice.features import departments
from bundlegym.user_models.choice.fit import fit_coefficients
from bundlegym.user_models.choice.level import fit_level
from bundlegym.user_models.choice.novelty import fit_new_level
from bundlegym.user_models.choice.purposes import fit_department_spread
from bundlegym.user_models.choice.tables import fit_tensors
from bundlegym.user_models.choice.tail import tail_with
from bundlegym.user_models.needs import cannot_learn, check_enough, last_fifth
from bundlegym.user_models.stages import Arrays, Stages, check_finite
from bundlegym.user_models.tape import real_tape, simulated_tape
from bundlegym.user_models.taste import subcategories
from bundlegym.user_models.trips import GRID

_LEAST_WEEKS = 3  # of a fit: units, for one, are counted in some and seen in others
_SIMULATIONS = 4  # that say what all parts make of classes of items
_VISITS = 2_048  # so many say how much is expected of an item beside others

#: What only offers ask for, where none is made.
_NOBODY_OFFERS = {
    "trial": {"habit_share": np.array([0.0, np.inf])},
    "wear_out": {"wear_out": np.ones(RUNS, dtype=np.float32)},
}

if TYPE_CHECKING:
    from bundlegym.user_models.choice.shopper import ChoiceShopper


def fit_whole(
    model_of: type[ChoiceShopper],
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    *,
    shortlist_size: int,
    epochs: int,
    seed: int,
    stages: Stages,
) -> dict[str, Tensor]:
    """The tensors of `fit_tensors`, their level set as in `fit_level`, `enough` (G,) as in `fit_enough`,
    `department_spread` (K, D) as in `fit_department_spread`, `new_level` (K,) and `new_spread` (1,) as in
    `fit_new_level`, `drift_mean` and `drift_variance` (2, C) as in `fit_drift`, and `drift` as in
    `draw_drift`. `model_of` makes the model that simulates of tensors.

    Raises:
        UserError: the log holds too little for a fit, or the fit ends in numbers that are not finite.
    """
    check_enough("choice", dataset, weeks, shoppers)
    for sentence in cannot_learn(dataset, weeks, shoppers):
        stages.progress(sentence)
    later, known = last_fifth(weeks), np.flatnonzero(shoppers)
    rows = visit_rows(dataset, later, shoppers)

    coefficients = stages(
        "coefficients",
        lambda: fit_coefficients(
            dataset, weeks, shoppers, shortlist_size, epochs=epochs, seed=seed, progress=stages.progress
        ),
    )

    def finished(
        weeks: tuple[int, int], enough: Arrays, stages: Stages, *, by_category: bool = False
    ) -> dict[str, Tensor]:
        tensors = fit_tensors(
            dataset, weeks, shoppers, coefficients, shortlist_size=shortlist_size, seed=seed, stages=stages
        )
        model = model_of(tensors | _tensors(enough))
        level = stages(
            "level",
            lambda: fit_level(model, model.tensors, dataset, weeks, shoppers, seed, by_category=by_category),
        )
        return model.tensors | _tensors(level)

    def find_unseen() -> Arrays:
        """By a model of the first four fifths of the weeks, whose tastes have not seen the last fifth; no
        effect where these are too few for a model, or nobody bought anything in the last fifth. A level of
        each subcategory would take from big baskets what is the effect's to take, so there is none here."""
        first = weeks[0]
        none = {"enough": np.zeros(subcategories(dataset).max() + 1, dtype=np.float32)}
        none |= {"new_level": np.zeros(len(GRID), np.float32), "new_spread": np.zeros(1, np.float32)}
        none["department_spread"] = np.zeros((len(GRID), departments(dataset).max() + 1), np.float32)
        none |= no_effect()
        tape, before = real_tape(dataset, later, known), last_fifth((first, later[0]))
        if (
            later[0] - first < _LEAST_WEEKS
            or tape.empty
            or not len(visit_rows(dataset, before, shoppers))  # by which that model's level would be set
        ):
            stages.progress(
                "user model: too little to tell what a model of the first weeks misses in the last fifth of "
                "them; substitutes, purposes of trips, what is new and drift do nothing"
            )
            return none
        # Nobody is made an offer, so neither the habit of a trial nor wear-out is looked for.
        unkept = Stages(None, lambda _: None, _NOBODY_OFFERS)
        model = model_of(finished((first, later[0]), none, unkept, by_category=True))
        fit_enough(model, model.tensors, tape, later, known, seed)
        all_weeks = real_tape(dataset, weeks, known)
        spread = fit_department_spread(model, model.tensors, all_weeks, later, known, seed)
        # Purposes make more substitutes meet than met when g was found without them.
        model.tensors["enough"] = torch.from_numpy(none["enough"])
        enough = fit_enough(model, model.tensors, tape, later, known, seed)
        bought = line_counts(dataset, (first, later[0])) > 0
        new = fit_new_level(model, model.tensors, tape, bought, later, known, seed)
        near = near_items(model.tensors, bought)
        tapes = [tape] + [simulated_tape(model, later, known, seed + i) for i in range(_SIMULATIONS)]
        lines, *simulated = (lines_by_kind(tape, near) for tape in tapes)
        drift = fit_drift(expected_lines(model, dataset, rows, near), np.stack(simulated), lines)
        return {"enough": enough, "department_spread": spread, **new, **drift}

    found = stages("unseen", find_unseen)
    rest = float(np.exp(found["enough"]).mean())
    stages.progress(f"user model: beside an item its substitutes are bought {rest:.2f} times as often")
    tensors = finished(weeks, found, stages)
    near = near_items(tensors, line_counts(dataset, weeks) > 0)
    some = rows[:: max(1, len(rows) // _VISITS)]
    drift = draw_drift(tensors, expected_lines(model_of(tensors), dataset, some, near), seed)
    whole = tensors | {"drift": drift} | tail_with(tensors, drift[REST])
    check_finite("tables", {name: value.numpy() for name, value in whole.items()})
    return whole


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in arrays.items()}
