"""Estimates that are not significant: cut to no effect at two standard errors, or shrunk toward it.

    python benchmarks/shrinkage.py [--log complete-journey] [--columns FILE] [--splits 4] [--json FILE]

The estimates are the synergy share, the habit share and the coupon effect of a fit on the training weeks.
Three tables:

- the estimate and what either rule makes of it;
- of each half of the shoppers, drawn at random `splits` times, what either rule makes of the estimate, held
  against the estimate of the other half: nats, of a normal with that estimate's standard error, that
  shrinkage gains on the cut and on the estimate as it is; with the standard error over splits;
- nats a line in the validation weeks with the coupon effect as shrunk less those with it as cut, paired, with
  a standard error clustered by shopper; of all lines, and of those at visits with a coupon in hand. Synergy
  and habit are no part of a share before the visit: they are in what an offer does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro

from bundlegym.data import DataConfig, Dataset, lines_of, prepare, synthetic_dataset, visit_rows
from bundlegym.data.config import default_cache_dir
from bundlegym.data.files import write_json
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.fidelity.likelihood import line_nll
from bundlegym.threads import one_thread
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.choice.estimation.state_dependence import state_dependence_share
from bundlegym.user_models.components.complementarity import synergy_share
from bundlegym.user_models.components.coupons import coupon_effect, coupons_of, usual_effect
from bundlegym.user_models.components.trip_effects import shares_by_category
from bundlegym.user_models.numeric.shrink import shrink

_CONFIG = ChoiceConfig()
#: Prior spread and range of each estimate.
RULES = {
    "synergy share": (_CONFIG.complementarity.spread, 0.0, 0.5),
    "habit share": (_CONFIG.state_dependence.spread, 0.0, 1.0),
    "coupon effect": (_CONFIG.coupons.spread, -np.inf, np.inf),
}


@dataclass(frozen=True)
class Config:
    """Estimates that are not significant: cut or shrunk."""

    log: str = "complete-journey"
    """A log, as in `DataConfig`, or synthetic."""

    columns: Path | None = None
    """Its columns file."""

    splits: int = 4
    """How often the shoppers are split in halves."""

    output: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    """Where to write the rows."""


def by_rule(name: str, estimate: float, error: float) -> dict[str, float]:
    """What each rule makes of an estimate, within its range."""
    spread, low, high = RULES[name]
    found = {
        "as it is": estimate,
        "cut": estimate if abs(estimate) > 2 * error else 0.0,
        "shrunk": float(shrink(estimate, error, spread)),
    }
    return {rule: float(np.clip(value, low, high)) for rule, value in found.items()}


def foretold(
    name: str, estimator: Callable[[np.ndarray], tuple[float, float]], shoppers: np.ndarray, splits: int
) -> dict[str, Any] | None:
    """Nats that shrinkage gains on the other rules in foretelling the other half's estimate; None where the
    halves tell nothing."""
    gains: dict[str, list[float]] = {"cut": [], "as it is": []}
    for split in range(splits):
        codes = np.random.default_rng(split).permutation(np.flatnonzero(shoppers))
        halves = [np.isin(np.arange(len(shoppers)), half) for half in (codes[::2], codes[1::2])]
        found = [estimator(half) for half in halves]
        if not np.isfinite(found).all():
            return None
        for one, (other, error) in (found, found[::-1]):
            rules = by_rule(name, *one)
            surprise = {rule: (other - value) ** 2 / (2 * error**2) for rule, value in rules.items()}
            for rule, gained in gains.items():
                gained.append(surprise[rule] - surprise["shrunk"])
    row: dict[str, Any] = {}
    for rule, gained in gains.items():
        by_split = np.array(gained).reshape(splits, 2).mean(1)
        row[rule] = float(by_split.mean())
        row[f"{rule}, error"] = float(by_split.std(ddof=1) / np.sqrt(splits))
    return row


def with_coupons(
    model: ChoiceShopper, dataset: Dataset, weeks: tuple[int, int], effect: float
) -> ChoiceShopper:
    """The same shoppers by another effect of a coupon."""
    p = model.params
    coupons, short = coupons_of(dataset, p.coupons.coupon_effect, effect), p.shortlists.shortlist.numpy()
    usual = usual_effect(p.coupons, short, weeks) - usual_effect(coupons, short, weeks)
    shortlists = p.shortlists.changed(log_preference=p.shortlists.log_preference + torch.from_numpy(usual))
    return model.with_parameters(replace(p, coupons=coupons, shortlists=shortlists))


def main(config: Config) -> None:
    """Print the tables."""
    dataset = (
        synthetic_dataset()
        if config.log == "synthetic"
        else prepare(DataConfig(log=config.log, columns=config.columns))
    )
    weeks, shoppers = dataset.split.train_weeks, ~dataset.split.held_out
    model = ChoiceShopper.fit(dataset, cache=default_cache_dir(), progress=lambda _: None)
    push = (model.params.marketing.price_effect + model.params.marketing.promotion_effect).numpy()

    def synergy(who: np.ndarray) -> tuple[float, float]:
        return synergy_share(dataset, shares_by_category(dataset, weeks, who), push, weeks, who)

    estimators: dict[str, Callable[[np.ndarray], tuple[float, float]]] = {
        "synergy share": synergy,
        "habit share": lambda who: state_dependence_share(dataset, weeks, who, push),
        "coupon effect": lambda who: coupon_effect(dataset, weeks, who),
    }
    rows: list[dict[str, Any]] = []
    print(dataset.name)
    print(f"{'':16}{'estimate (error)':>20}{'cut':>8}{'shrunk':>8}   other half foretold: nats gained on the "
          "cut, and on the estimate as it is")  # fmt: skip
    with one_thread():
        for name, estimator in estimators.items():
            estimate, error = estimator(shoppers)
            rules = by_rule(name, estimate, error)
            gained = foretold(name, estimator, shoppers, config.splits)
            told = "-" if gained is None else "  ".join(
                f"{gained[rule]:+.2f} ({gained[f'{rule}, error']:.2f})" for rule in ("cut", "as it is")
            )  # fmt: skip
            both = f"{estimate:.3f} ({error:.3f})"
            print(f"{name:16}{both:>20}{rules['cut']:8.3f}{rules['shrunk']:8.3f}   {told}", flush=True)
            rows.append({"estimate": name, "measured": estimate, "error": error, **rules, "halves": gained})
        if np.isfinite(error) and rules["shrunk"] != rules["cut"]:
            rows += coupons_before_the_visit(model, dataset, rules)
    if config.output:
        write_json(config.output, {"log": dataset.name, "rows": rows})


def coupons_before_the_visit(
    model: ChoiceShopper, dataset: Dataset, rules: dict[str, float]
) -> list[dict[str, Any]]:
    """Print the third table."""
    split = dataset.split
    visits = visit_rows(dataset, split.validation_weeks)
    place = lines_of(dataset, visits)[1]
    shopper, week = (dataset.visits[name].to_numpy()[visits][place] for name in ("shopper", "week"))
    models = {
        rule: with_coupons(model, dataset, split.train_weeks, rules[rule]) for rule in ("cut", "shrunk")
    }
    nats = {rule: line_nll(one, dataset, visits) for rule, one in models.items()}
    held = next(one.params.coupons for one in models.values() if len(one.params.coupons.coupon_utility))
    holds = (held.campaign_member[shopper] * held.campaign_week[week]).sum(1).numpy() > 0
    rows = []
    for who, mine in (("known", ~split.held_out[shopper]), ("held out", split.held_out[shopper])):
        for what, some in (("all lines", mine), ("coupon in hand", mine & holds)):
            if not some.any():
                continue
            change = (nats["shrunk"] - nats["cut"])[some]
            mean = float(change.mean())
            by_shopper = np.bincount(shopper[some], change - mean)
            error = float(np.sqrt((by_shopper**2).sum())) / len(change)
            print(f"nats a line, {who}, {what}: {mean:+.6f} ({error:.6f}), {len(change)} lines")
            rows.append({"who": who, "lines": what, "nats": mean, "error": error, "n": len(change)})
    return rows


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
