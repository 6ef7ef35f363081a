"""An offer of one item beside a shelf price cut as deep: `python benchmarks/price_cut.py --run runs/NAME`.

The same shoppers, items, week and luck: each of some items is offered by itself to every shopper on whose
shortlist it is, and once its shelf price is cut for all. Both elasticities are the log of how many times as
often it is bought as at the shelf price, over log(1 - discount); the error is over items.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from bundlegym.errors import guarded
from bundlegym.threads import one_thread
from bundlegym.user_models import ChoiceShopper, Draws, Offer

_WEEKS_BEFORE_END = 4


def bought(model: ChoiceShopper, shopper: torch.Tensor, day: int, offer: Offer, item: int, luck: int) -> int:
    """How many of the shoppers buy an item."""
    draws = Draws(luck, shopper, torch.zeros_like(shopper))
    response, _ = model.respond(model.reset(shopper, torch.full_like(shopper, day)), offer, draws)
    return int((response.item == item).sum())


def with_cut(model: ChoiceShopper, week: int, item: int, discount: float) -> ChoiceShopper:
    """The same shoppers where the shelf asks less for an item in a week, for those who know the item."""
    effect = model.params.marketing.price_effect.clone()
    effect[week, item] -= model.params.marketing.price_slope[item] * math.log(1 - discount)
    return model.with_parameters(model.params.changed(price_effect=effect))


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of a run whose user model is choice")
    parser.add_argument("--items", type=int, default=60, help="items, drawn among the 3,000 best known (60)")
    parser.add_argument("--repeats", type=int, default=8, help="visits of each shopper (8)")
    parser.add_argument("--discount", type=float, default=0.2, help="of offer and cut (0.2)")
    options = parser.parse_args()
    model = ChoiceShopper.load(options.run)
    short = model.params.shortlists.shortlist
    known = torch.bincount(short.flatten(), minlength=len(model.params.catalogue.subcategory)).numpy()
    best = np.argsort(-known, kind="stable")[:3_000]
    week = len(model.params.prices.shelf_price) - _WEEKS_BEFORE_END
    counts = []
    for item in np.random.default_rng(0).choice(best, options.items, replace=False).tolist():
        shopper = (short == item).any(1).nonzero()[:, 0]
        cheaper = with_cut(model, week, item, options.discount)
        nothing = Offer.nothing(len(shopper), 1, model.device)
        offer = Offer(torch.full((len(shopper), 1), item), torch.full((len(shopper),), options.discount))
        cases = ((model, nothing), (model, offer), (cheaper, nothing))
        counts.append(
            [
                sum(bought(one, shopper, 7 * week, made, item, luck) for luck in range(options.repeats))
                for one, made in cases
            ]
        )
    table = np.array(counts, dtype=float)
    scale = math.log(1 - options.discount)
    offered, cut = (math.log(total / table[:, 0].sum()) / scale for total in table[:, 1:].sum(0))
    less = table[:, 1] - table[:, 2]
    error = abs(less.std(ddof=1) * len(less) ** 0.5 / table[:, 2].sum() / scale)
    print(f"bought {table[:, 0].sum():.0f} times at the shelf price, {table[:, 1].sum():.0f} offered, "
          f"{table[:, 2].sum():.0f} at a price cut of {options.discount:.0%}")  # fmt: skip
    print(f"elasticity {offered:.3f} offered, {cut:.3f} by the price cut; difference {offered - cut:+.3f} "
          f"(standard error {error:.3f})")  # fmt: skip


if __name__ == "__main__":
    guarded(main)
