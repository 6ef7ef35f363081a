"""What offers are expected to do at each discount level, with an interval that carries how uncertain the
fitted shoppers are: `bundlegym evaluate runs/NAME --discount-levels`.

The offers are simple, so that nothing of the answer is chosen by the model that gives it: at each visit of
held-out shoppers in the test weeks the two items that the shopper buys most (`most_bought`), or what they buy
most and what goes with it (`co_purchase`).

The interval is of the fit on all training shoppers. Its variance is that of the episodes plus that of the
fit, which the delete-d jackknife gives (Wu 1986, Annals of Statistics 14(4), 1261-1295): the model is fitted
again on random halves of the shoppers, and with halves the variance of the fit is the mean squared distance
of what they say from what the whole says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bundlegym.agents.heuristics import SCORES, fill_by
from bundlegym.data.support import deepest_discount
from bundlegym.envs import BundleCore, EnvConfig
from bundlegym.envs.base import GAIN
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.fitting import refit
from bundlegym.evaluation.parallel import Engine
from bundlegym.evaluation.population import refitted, under
from bundlegym.evaluation.rollout import (
    AT_HIGHER_MARGINS,
    AT_LOWER_MARGINS,
    MARGIN_SHIFT,
    estimate,
    play,
    t_factor,
)
from bundlegym.evaluation.summary import assumption
from bundlegym.user_models import UserModel

#: What is offered, by the name of the rule that picks it.
OFFERS = {
    "most_bought": "the two items that the shopper buys most",
    "co_purchase": "what the shopper buys most, and what goes with it",
}
_TAKEN = "acceptance_rate"
_FIGURES = (_TAKEN, GAIN)
_SEED = 5_000_011


def discount_levels(
    experiment: Experiment, refits: int, episodes: int, progress: Callable[[str], None], engine: Engine
) -> list[dict[str, Any]]:
    """A row an assumption on exposure, kind of offer and discount level: `offer_exposure`, `offers`,
    `discount`, whether it is `beyond_support`, and by figure `mean`, `low`, `high` and the part of the
    interval's variance that is the fit's (`fit_share`); the gains at other margins besides.

    Args:
        refits: halves of the shoppers that the user model is fitted on again.
        episodes: of each row.
        engine: who fits it.

    Raises:
        UserError: the run's user model is no family, or a half of the shoppers is too small for it.
    """
    config, dataset = experiment.config, experiment.dataset
    refit(experiment, refits, engine)
    halves = [refitted(experiment.folder, half, config, dataset, experiment.device) for half in range(refits)]
    deepest = deepest_discount(dataset, dataset.split.train_weeks)
    rows = []
    for exposure, whole in experiment.user_models.items():
        models = [whole, *(under(half, config, exposure) for half in halves)]
        for offers in OFFERS:
            for discount in config.env.discounts:
                progress(f"exposure {exposure:g}, {offers}, {discount:.0%} off")
                found = [_played(experiment, model, offers, discount, episodes) for model in models]
                row = {"offer_exposure": exposure, "offers": offers, "discount": discount}
                row["beyond_support"] = discount > deepest
                row |= {figure: _with_fit([one[figure] for one in found]) for figure in _FIGURES}
                row |= {name: found[0][name]["mean"] for name in (AT_LOWER_MARGINS, AT_HIGHER_MARGINS)}
                rows.append(row)
    return rows


def _played(
    experiment: Experiment, model: UserModel, offers: str, discount: float, episodes: int
) -> dict[str, dict[str, Any]]:
    """The figures of `estimate` where all are offered two items at one discount."""
    split = experiment.dataset.split
    core = BundleCore(
        experiment.market,
        model,
        EnvConfig(n_candidates=experiment.env.n_candidates, max_size=2, discounts=(discount,)),
        n=episodes,
        shoppers=np.flatnonzero(split.held_out),
        weeks=split.test_weeks,
    )
    return estimate([play(core, fill_by(SCORES[offers], 0), _SEED)])


def _with_fit(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """The figure by the fit on all shoppers, the first of `found`, with the interval of episodes and fit."""
    whole, *halves = found
    episodes = ((whole["high"] - whole["low"]) / 2 / 1.96) ** 2
    fit = float(np.mean([(half["mean"] - whole["mean"]) ** 2 for half in halves]))
    width = t_factor(len(found)) * math.sqrt(episodes + fit)
    share = fit / (episodes + fit) if episodes + fit else 0.0
    mean = whole["mean"]
    return {"mean": mean, "low": mean - width, "high": mean + width, "fit_share": share}


def as_text(rows: list[dict[str, Any]]) -> str:
    """The rows as tables for people."""
    lines = []
    for exposure in dict.fromkeys(row["offer_exposure"] for row in rows):
        lines += [f"== {assumption(exposure)} ==", ""]
        for offers, about in OFFERS.items():
            lines.append(f"Offered: {about}")
            lines.append(
                f"  {'discount':12}{'taken [95 %]':26}{'gain a visit [95 %]':34}{'of the fit':>10}"
                f"  gain at margins {MARGIN_SHIFT:.0%} lower, higher"
            )
            for row in rows:
                if (row["offer_exposure"], row["offers"]) == (exposure, offers):
                    lines.append(_line(row))
            lines.append("")
    lines.append(
        "of the fit: part of the gain's variance that comes from the shoppers that the model is fitted on"
    )
    if any(row["beyond_support"] for row in rows):
        lines.append(
            "*: deeper than any promotion that the log knows well; what shoppers do is an extrapolation"
        )
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    taken, gain = row[_TAKEN], row[GAIN]
    mark = "*" if row["beyond_support"] else ""
    shares = f"{taken['mean']:.3f} [{max(taken['low'], 0):.3f}, {min(taken['high'], 1):.3f}]"
    gains = f"{gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
    margins = f"{row[AT_LOWER_MARGINS]:+.4f}, {row[AT_HIGHER_MARGINS]:+.4f}"
    level = f"{row['discount']:.0%} off{mark}"
    return f"  {level:12}{shares:26}{gains:34}{gain['fit_share']:>10.0%}  {margins}"
