"""Offers to ranges of shoppers, made side by side: the same offers, to the bit, as all at once.

A shopper's offer hangs on nobody else's unless money, offers or stock run short, which are shared out among
all: then there is one range. Ranges begin where a batch does, so that nothing is computed in other company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bundlegym.deployment.policy import BundlePolicy
from bundlegym.deployment.recommend import BATCH, Part, Recommended, Rules, part_of_offers, summed_up
from bundlegym.errors import UserError
from bundlegym.evaluation.parallel import Engine, Place
from bundlegym.terminal import remark


@dataclass(frozen=True)
class Shard:
    """A range of shoppers, and what is asked for them: see `make_offers`."""

    shoppers: tuple[str, ...]
    rules: Rules
    day: str | None
    draws: int

    def __str__(self) -> str:
        return f"{len(self.shoppers)} shoppers from {self.shoppers[0]}"


def make_offers_by(
    engine: Engine,
    place: Place[BundlePolicy],
    rules: Rules,
    *,
    shoppers: Sequence[str] | None = None,
    day: str | None = None,
    draws: int = 64,
) -> Recommended:
    """As `recommend.make_offers`, the jobs being done by an engine.

    Raises:
        UserError: as there, or nobody is asked for.
    """
    names = place.here.ledger.ask(shoppers).names
    if not names:
        raise UserError("--shoppers: names nobody to make offers to")
    at_once = engine.at_once if rules.of_each_alone else 1
    size = -(-len(names) // (BATCH * at_once)) * BATCH
    jobs = [Shard(names[i : i + size], rules, day, draws) for i in range(0, len(names), size)]
    return summed_up(engine.run(_offers_to, place, jobs), rules)


def _offers_to(policy: BundlePolicy, shard: Shard, line: int) -> Part:
    return part_of_offers(policy, shard.rules, shard.shoppers, shard.day, shard.draws, remark)
