"""What an offer log and the purchases that followed teach: the measured gain, what other policies would have
earned, and the two numbers that are assumptions until then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.assumptions import estimate, moments
from bundlegym.evaluation.field_test.difference import difference
from bundlegym.evaluation.field_test.off_policy import (
    Outcome,
    Target,
    Value,
    clustered,
    nothing,
    support,
    value,
)
from bundlegym.evaluation.field_test.offer_log import OfferLog
from bundlegym.evaluation.field_test.outcomes import Visits, date_of
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.requirements import check_requirements

#: Estimators of `off_policy`, the one to go by first.
ESTIMATORS = {"doubly_robust": "doubly robust", "self_normalised": "self-normalised", "ips": "IPS"}
_WEEKS_BEFORE = 12


def learn(
    dataset: Dataset,
    log: OfferLog,
    targets: Mapping[str, Target],
    fitted: Callable[[tuple[int, int]], ChoiceShopper],
    *,
    draws: int = 32,
    seed: int = 0,
) -> dict[str, Any]:
    """In JSON's own types.

    Args:
        dataset: the log, with the weeks before the offers and what followed them.
        targets: other policies, by name.
        fitted: gives `choice` fitted to some weeks of the log.
        draws: lucks a visit, in the estimates of the two numbers.
    """
    notes: list[str] = []
    if log.unknown_shoppers:
        notes.append(f"{log.unknown_shoppers:,} rows are left out: their shoppers are not in {dataset.name}")
    known = bool(np.isfinite(log.propensity).all())
    if not known:
        notes.append(
            "without a propensity in each row nothing can be said of what other policies would have earned, "
            "nor what the offers brought, unless whole households were drawn into the arms 'offers' and "
            "'control'"
        )
    content: dict[str, Any] = {
        "log": dataset.name,
        "from": date_of(dataset, int(log.day.min())),
        "to": date_of(dataset, int(log.day.max())),
        "decisions": len(log.shopper),
        "offers": int(log.made.sum()),
        "households": len(np.unique(log.shopper)),
        "linked": "by basket" if log.by_basket else f"by time, {log.window} days at most",
        "arms": _arms(dataset, log),
        "gain": None,
        "policies": [],
    }
    if known:
        outcome = Outcome(log, dataset)
        none = value(log, nothing(log), outcome)
        content["gain"] = _against(value(log, None, outcome), none, log) | {
            "support": support(none.weight, log.shopper)
        }
        if not content["gain"]["support"]["told"]:
            notes.append(
                "nothing was offered less or more often than the propensities say, or could not happen at "
                "some decisions: do not believe the gain by propensities"
            )
        for name, target in targets.items():
            of = value(log, target, outcome)
            row = {"policy": name, "value": _figures(of, log), "gain": _against(of, none, log)}
            content["policies"].append(row | {"support": support(of.weight, log.shopper)})
    try:
        week = int(log.day.min()) // 7
        check_requirements("choice", dataset, (0, week), ~dataset.split.held_out)
        numbers = estimate(moments(dataset, fitted((0, week)), log, draws, seed))
    except UserError as error:
        numbers = {"offer_exposure": None, "bundle_pull": None, "fit": [], "visits": 0, "notes": [str(error)]}
    notes += numbers.pop("notes")
    return {**content, **numbers, "notes": [*notes, *dataset.notes]}


def _figures(of: Value, log: OfferLog) -> dict[str, Any]:
    return {name: clustered(getattr(of, name), log.shopper) for name in ESTIMATORS}


def _against(of: Value, none: Value, log: OfferLog) -> dict[str, Any]:
    """A policy's value less that of offering nothing, a decision."""
    return {name: clustered(getattr(of, name) - getattr(none, name), log.shopper) for name in ESTIMATORS}


def _arms(dataset: Dataset, log: OfferLog) -> dict[str, Any] | None:
    """Households with offers less households without, a household a week, or None where there are no arms."""
    offered = log.arms
    if offered is None:
        return None
    who, place = np.unique(log.shopper, return_index=True)
    arm, visits = offered[place], Visits.of(dataset)
    first, end = int(log.day.min()), min(int(log.day.max()) + log.window, visits.end)
    before = min(_WEEKS_BEFORE, (first - visits.first) // 7)
    if min(arm.sum(), (~arm).sum()) < 2 or before < 1:
        return None
    past = visits.margins(first - 7 * before, first)[who] / before
    found = difference(visits.margins(first, end)[who] * 7 / (end - first), arm, past)
    low, high = found.interval()
    counts = {"offers": int(arm.sum()), "control": int((~arm).sum())}
    figures = {"mean": found.gain, "error": found.error, "low": low, "high": high}
    return counts | {name: float(number) for name, number in figures.items()}


def as_text(content: dict[str, Any]) -> str:
    """For people."""
    parts = [
        f"{content['log']}: {content['decisions']:,} decisions on {content['households']:,} households from "
        f"{content['from']} to {content['to']}, {content['offers']:,} offers; linked with purchases "
        f"{content['linked']}; 95 % intervals, by household"
    ]
    if (arms := content["arms"]) is not None:
        parts.append(
            f"Measured gain by arms of households ({arms['offers']:,} with offers, {arms['control']:,} "
            f"without), margin a household a week: {_interval(arms)}"
        )
    if (gain := content["gain"]) is not None:
        parts.append(
            "Measured gain of the offers as they were made, margin a decision:\n"
            + _estimators(gain)
            + f"\n{_support(gain['support'])} (of offering nothing)"
        )
    for row in content["policies"]:
        parts.append(
            f"Policy {row['policy']}: margin a decision more than offering nothing\n"
            + _estimators(row["gain"])
            + f"\n{_support(row['support'])}"
        )
    if content["offer_exposure"] is not None:
        parts.append(
            "What no transaction log tells:\n"
            + "\n".join(
                f"  {name:<15} {_number(content[name])}" for name in ("offer_exposure", "bundle_pull")
            )
        )
        parts.append(
            "Take-up seen (and expected by choice at these numbers), by discount:\n"
            + "\n".join(
                f"  {row['discount']:>4.0%}: {row['offers']:,} offers, taken whole {row['taken']:.3f} "
                f"({row['taken_expected']:.3f}), items bought {row['bought']:.3f} "
                f"({row['bought_expected']:.3f})"
                for row in content["fit"]
            )
        )
    return "\n\n".join([*parts, *(f"Note: {note}" for note in content["notes"])])


def _estimators(figures: dict[str, Any]) -> str:
    return "\n".join(f"  {title:<16} {_interval(figures[name])}" for name, title in ESTIMATORS.items())


def _interval(figure: dict[str, float]) -> str:
    return f"{figure['mean']:+.4f} [{figure['low']:+.4f}, {figure['high']:+.4f}]"


def _number(number: dict[str, Any]) -> str:
    if number["error"] is None:
        return f"{number['estimate']:.3f}, not known"
    return (
        f"{number['estimate']:.3f}, standard error {number['error']:.3f} "
        f"[{number['low']:.3f}, {number['high']:.3f}]"
    )


def _support(found: dict[str, Any]) -> str:
    told = (
        f"  support: effective sample {found['effective_sample_size']:,.0f} of {found['decisions']:,} "
        f"decisions, greatest weight {found['greatest_weight']:.1f}, mean weight "
        f"{found['mean_weight']['mean']:.2f} (1 where all that it would do could have been done)"
    )
    if found["told"]:
        return told
    return (
        f"{told}. NOT SUPPORTED: {found['without_support']:.0%} of what it would do could not have been "
        "done; these figures are of another policy"
    )
