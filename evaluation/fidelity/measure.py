"""All measures of fidelity in one pass: a nested dictionary for JSON, and the samples that the page draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data import Dataset, visit_rows
from bundlegym.evaluation.fidelity import (
    baskets,
    calibration,
    coupons,
    distributions,
    likelihood,
    rates,
    response,
    two_sample,
)
from bundlegym.terminal import say
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.components.coupons import take_up
from bundlegym.user_models.panel import logged_panel, simulated_panel

_PAIR_VISITS = {"categories": 40.0, "items": 3.0}
_SOME_VISITS = 3000  # that are simulated several times
_SEED = 5_000_011  # of the first simulation: not the luck of a model's simulated moments
#: KS-complements of the eight, base rates and lifts are means over all of them, the rest is of the first.
_SIMULATIONS, _NEXT_SEED = 4, 100_003


@dataclass
class Fidelity:
    """`figures` for JSON and table; `samples` by name, each (real, simulated), for the plots."""

    figures: dict[str, Any]
    samples: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def measure(
    model: UserModel,
    dataset: Dataset,
    *,
    name: str = "choice",
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int = 0,
    weeks_before: bool = True,
    progress: Callable[[str], None] = say,
) -> Fidelity:
    """Compare the log with an organic simulation of `shoppers` in `weeks`, which the model must not have
    seen; with `weeks_before` also as many real weeks before, and tell what these reach."""
    n_weeks = weeks[1] - weeks[0]
    progress(f"fidelity: simulating {len(shoppers):,} shoppers for {n_weeks} weeks")
    real = logged_panel(dataset, weeks, shoppers)
    simulated, *others = (
        simulated_panel(model, weeks, shoppers, _SEED + seed + n * _NEXT_SEED) for n in range(_SIMULATIONS)
    )
    eight, *eights = (
        distributions.eight(panel, dataset, weeks, shoppers) for panel in (real, simulated, *others)
    )
    mean = np.mean([rates.totals(panel, dataset, weeks, shoppers) for panel in (simulated, *others)], axis=0)
    totals = rates.totals(real, dataset, weeks, shoppers)
    more = [baskets.samples(panel) for panel in (real, simulated)]
    figures: dict[str, Any] = {
        "weeks": list(weeks),
        "shoppers": len(shoppers),
        "ks_complement": _mean([distributions.ks_complements(eight, one) for one in eights]),
        "ks_complement_of_luck": _mean(
            [distributions.ks_complements(one, two) for one, two in combinations(eights, 2)]
        ),
        "ks_complement_more": distributions.ks_complements(*more),
        "base_rates": rates.base_rates(totals, mean, seed),
    }
    earlier = (2 * weeks[0] - weeks[1], weeks[0])
    has_past = weeks_before and earlier[0] > 0  # a past needs one of its own
    past = logged_panel(dataset, earlier, shoppers) if has_past else None
    if past is not None:
        drift = distributions.eight(past, dataset, earlier, shoppers)
        figures["ks_complement_of_drift"] = distributions.ks_complements(eight, drift)
        for rate, found in rates.base_rates(totals, rates.totals(past, dataset, earlier, shoppers)).items():
            figures["base_rates"][rate]["ratio_of_drift"] = found["ratio"]
    samples = {what: (eight[what], eights[0][what]) for what in eight}
    samples |= {what: (more[0][what], more[1][what]) for what in more[0]}

    progress("fidelity: co-purchases, prices and promotions")
    category = pd.factorize(dataset.items["category"])[0]
    before = logged_panel(dataset, (0, weeks[0]), shoppers)
    for level, group in (("categories", category), ("items", np.arange(dataset.n_items))):
        pairs = baskets.frequent_pairs(before, group, _PAIR_VISITS[level] * weeks[0] / n_weeks)
        lift, *lifts = (baskets.lifts(panel, group, pairs) for panel in (real, simulated, *others))
        summary = _mean([baskets.lift_summary(lift, one) for one in lifts])
        luck = [baskets.lift_summary(one, two)["worst_decile"] for one, two in combinations(lifts, 2)]
        summary["worst_decile_of_luck"] = float(np.mean(luck))
        figures["co_purchase_lift" if level == "categories" else "co_purchase_lift_items"] = summary
        samples[f"lift_{level}"] = lift, lifts[0]
    answers = [response.promotion_response(panel, dataset, weeks) for panel in (real, simulated)]
    figures["response"] = {
        side: told.figures for side, told in zip(("real", "simulated"), answers, strict=True)
    }
    figures["response"]["differences"] = response.differences(*answers)
    if dataset.campaigns is not None:
        figures["coupons"] = {
            "take_up": take_up(dataset.campaigns),
            "real": coupons.coupon_lines(real, dataset),
            "simulated": coupons.coupon_lines(simulated, dataset),
        }
    mask = np.isin(np.arange(dataset.n_shoppers), shoppers)
    rows = visit_rows(dataset, weeks, mask)
    some = np.sort(np.random.default_rng(seed).permutation(rows)[:_SOME_VISITS])
    figures["response"]["offer_elasticity"] = response.offer_elasticity(model, dataset, some, seed)
    samples["elasticity"] = answers[0].by_category, answers[1].by_category

    progress("fidelity: calibration")
    curve = calibration.calibration_curve(*calibration.purchase_rates(model, dataset, some, category, seed))
    figures["calibration"] = calibration.calibration_errors(curve)
    figures["calibration_error"] = figures["calibration"]["calibration_error"]
    samples["calibration"] = curve[:, 0], curve[:, 1]

    progress("fidelity: telling simulated from real by gradient boosting")
    for expand_ranges, make in two_sample.FEATURES.items():
        table = make(real, dataset, weeks[0])
        auc = two_sample.two_sample_auc(table, make(simulated, dataset, weeks[0]), seed=seed)
        if past is not None:
            drifted = make(past, dataset, earlier[0])
            moved = two_sample.two_sample_auc(table, drifted, seed=seed)
            auc |= {"auc_of_drift": moved["auc"], "told_by_of_drift": moved["told_by"]}
        figures.setdefault("two_sample", {})[expand_ranges] = auc
    figures["two_sample_auc"] = max(part["auc"] for part in figures["two_sample"].values())
    progress("fidelity: likelihood")
    figures["nll_per_item"] = {name: likelihood.model_nll(model, dataset, rows)}
    return Fidelity(figures, samples)


def _mean(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each figure, or list of figures, over simulations."""
    return {name: np.mean([one[name] for one in figures], axis=0).tolist() for name in figures[0]}
