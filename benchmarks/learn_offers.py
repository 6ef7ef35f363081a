"""Whether what is learned from offers is true: `python benchmarks/learn_offers.py [--times 200] [--refits
100]`.

Offer logs are simulated with planted `offer_exposure` and `bundle_pull`, then read back as if from a shop. A
row each: the share of 95 % intervals that hold the truth, and the mean of the estimates.

- The measured gain, a decision. The truth is the mean gain of all simulated decisions, each against the same
  visit without its offer.
- The two numbers, where `choice` of the learner is the one that reacts: what chance does to the offer log is
  then all that an interval must hold.
- The two numbers, where the learner fits `choice` on other households than those whose `choice` reacts: what
  is then wrong in the fitted model stands in no interval. `offer_exposure` is a share of each model's own
  mailer effect, so the truth is the planted share times the ratio of these effects.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.agents.heuristics import SCORES, fill_by
from bundlegym.data import Dataset, synthetic_dataset
from bundlegym.data.files import write_json
from bundlegym.envs import Market, build_market
from bundlegym.errors import guarded
from bundlegym.evaluation.field_test.assumptions import estimate, moments
from bundlegym.evaluation.field_test.off_policy import Outcome, clustered, nothing, value
from bundlegym.evaluation.field_test.offer_log import offer_log
from bundlegym.evaluation.field_test.simulate import Randomised, simulate_offers
from bundlegym.threads import one_thread
from bundlegym.user_models import ChoiceShopper

PLANTED = {"offer_exposure": 0.6, "bundle_pull": 0.3}
_HOW = Randomised(held_back=0.5, explore=0.3)


def one(
    dataset: Dataset, market: Market, reacts: ChoiceShopper, learner: ChoiceShopper, seed: int
) -> dict[str, dict[str, float]]:
    """Interval, estimate and, of the gain, what was true in this log."""
    weeks = (dataset.split.train_weeks[1], dataset.n_weeks)
    policy = fill_by(SCORES["co_purchase"], 2)
    made = simulate_offers(dataset, market, reacts, policy, weeks, how=_HOW, seed=seed)
    log = offer_log(made.offers, made.dataset)
    outcome = Outcome(log, made.dataset)
    brought, none = value(log, None, outcome), value(log, nothing(log), outcome)
    found = {}
    for name in ("doubly_robust", "self_normalised", "ips"):
        figure = clustered(getattr(brought, name) - getattr(none, name), log.shopper)
        found[f"gain, {name}"] = figure | {"estimate": figure["mean"], "true": float(made.gain.mean())}
    numbers = estimate(moments(made.dataset, learner, log, seed=seed))
    return found | {name: numbers[name] for name in PLANTED}


def rows(title: str, results: list[dict[str, Any]], truth: dict[str, float]) -> list[dict[str, Any]]:
    """A row a number of `truth`."""
    made = []
    for name, true in truth.items():
        every = [result[name] for result in results]
        estimates = np.array([result["estimate"] for result in every])
        row = {
            "learner": title,
            "number": name,
            "times": len(every),
            "true": true,
            "covered": float(np.mean([result["low"] <= true <= result["high"] for result in every])),
            "estimate": float(estimates.mean()),
            "spread": float(estimates.std(ddof=1)),
            "error": float(np.mean([result["error"] for result in every])),
        }
        made.append(row)
        print(
            f"{title:<22}{name:<24} covered {row['covered']:.3f} of {row['times']}; true {true:.3f}, mean "
            f"estimate {row['estimate']:.3f}, spread {row['spread']:.3f}, mean standard error "
            f"{row['error']:.3f}",
            flush=True,
        )
    return made


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--times", type=int, default=200, help="logs with the model that reacts (200)")
    parser.add_argument("--refits", type=int, default=100, help="logs with a model of its own (100)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    dataset = synthetic_dataset()
    market = build_market(dataset)
    half = np.arange(dataset.n_shoppers) % 2 == 0
    silent: Any = {"epochs": 3, "progress": lambda text: None}
    first, second = (ChoiceShopper.fit(dataset, shoppers=who, **silent) for who in (half, ~half))
    reacts = first.under(**PLANTED)
    made = []
    if options.times:
        results = [one(dataset, market, reacts, first, seed) for seed in range(options.times)]
        truth = {
            name: float(np.mean([result[name]["true"] for result in results]))
            for name in results[0]
            if name.startswith("gain")
        }
        made += rows("that reacts", results, truth | PLANTED)
    if options.refits:
        results = [one(dataset, market, reacts, second, 10_000 + seed) for seed in range(options.refits)]
        ratio = float(first.params.coefficients.mailer) / float(second.params.coefficients.mailer)
        exposure = PLANTED["offer_exposure"] * ratio
        made += rows("fitted on the others", results, PLANTED | {"offer_exposure": exposure})
    if options.json is not None:
        write_json(options.json, {"rows": made})


if __name__ == "__main__":
    guarded(main)
