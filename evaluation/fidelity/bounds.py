"""What a user model should reach on any log, stated once: the table prints it, `--check` asks for it.

A log of a few weeks and shoppers cannot show more than luck allows. So a figure that misses its bound passes
where no better one could be told from it:

- KS-complements and the lift: where it is as good as one simulation is like another (`of_luck`);
- the calibration error: where it is what luck makes of a perfect model;
- base rates and AUC: where the 95 % interval over shoppers reaches the bound;
- the elasticity: where it is within two standard errors of the log's own.

Nor can a log in which one month is unlike the next show what a fit on the past could not know. So
KS-complements, base rates and AUC also pass where they come as near to the test weeks as the log's own weeks
before (`of_drift`).

What a log is too small to tell (None) is no failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bundlegym.evaluation.fidelity.distributions import RETAILSYNTH

GROUPS = {"known": "known shoppers", "held_out": "held-out shoppers"}


@dataclass(frozen=True)
class Bounds:
    """The bounds of each measure of `docs/fidelity.md`."""

    ks: float = 0.95
    """Least KS-complement of each of RetailSynth's eight distributions."""

    base_rate: float = 0.02
    """Greatest distance from 1 of a simulated base rate over the real one."""

    lift: float = 0.10
    """Greatest share by which the worst decile of co-purchase lift is off, of categories and of items."""

    calibration: float = 0.01
    """Greatest expected error of the chance to buy from a category."""

    auc: float = 0.60
    """Greatest AUC of a classifier told to tell simulated from real; 0.5 is chance."""

    elasticity: tuple[float, float] = (-3.5, -1.5)
    """Least and greatest price elasticity of simulated units."""


BOUNDS = Bounds()


def failures(content: dict[str, Any], bounds: Bounds = BOUNDS) -> list[str]:
    """A sentence for each measure of each group that misses its bound; `content` is that of `as_json`."""
    parts = {"known": content, "held_out": content["held_out"]}
    return [
        f"{GROUPS[group]}: {sentence}" for group, part in parts.items() for sentence in _missed(part, bounds)
    ]


def _missed(part: dict[str, Any], bounds: Bounds) -> Iterator[str]:
    for name in RETAILSYNTH:
        found, luck = part["ks_complement"][name], part["ks_complement_of_luck"][name]
        drift = part.get("ks_complement_of_drift", {}).get(name)
        reached = min(limit for limit in (bounds.ks, luck, drift) if limit is not None)
        if found is not None and found < reached:
            yield f"KS-complement of {name} is {found:.3f}, below {bounds.ks}"
    for name, rate in part["base_rates"].items():
        ratio, low, high = rate["ratio"], rate["low"], rate["high"]
        drift = rate.get("ratio_of_drift")
        if ratio is None or abs(ratio - 1) <= max(bounds.base_rate, abs((drift or 1.0) - 1)):
            continue
        if low is None or high is None or low > 1 + bounds.base_rate or high < 1 - bounds.base_rate:
            yield f"base rate {name} is {ratio:.3f} of the real one, not within 1 +- {bounds.base_rate}"
    for key, label in (("co_purchase_lift", "categories"), ("co_purchase_lift_items", "items")):
        off, luck = part[key]["worst_decile"], part[key]["worst_decile_of_luck"]
        if off is not None and off > max(bounds.lift, luck or 0.0):
            yield f"co-purchase lift of {label} is off by {off:.3f} in its worst decile, above {bounds.lift}"
    error = part["calibration_error"]
    if error is not None and error > max(bounds.calibration, part.get("calibration_error_of_luck") or 0.0):
        yield f"calibration error is {error:.4f}, above {bounds.calibration}"
    for name, told in part["two_sample"].items():
        reached = max(bounds.auc, told.get("auc_of_drift") or 0.0)
        if told["auc"] is not None and (told["auc"] if told["low"] is None else told["low"]) > reached:
            yield f"two-sample AUC of {name} is {told['auc']:.3f}, above {reached:.2f}"
    yield from _elasticity(part["response"], bounds)


def _elasticity(response: dict[str, Any], bounds: Bounds) -> Iterator[str]:
    found = response["simulated"]["elasticity"]
    least, greatest = bounds.elasticity
    if found is None or least <= found <= greatest:
        return
    real = response["real"]["elasticity"]
    errors = [response[side]["elasticity_error"] for side in ("real", "simulated")]
    if real is not None and None not in errors:
        if abs(found - real) <= 2 * (errors[0] ** 2 + errors[1] ** 2) ** 0.5:
            return
    told = "not known" if real is None else f"{real:.2f}"
    yield f"elasticity is {found:.2f}, not within {greatest} to {least}, and that of the log is {told}"
