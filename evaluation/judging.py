"""How contenders fare with the shoppers of a user model, and tables of that: a row each, and how the best
compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bundlegym.envs import BundleCore
from bundlegym.envs.base import GAIN
from bundlegym.evaluation.baselines import Contender
from bundlegym.evaluation.pairing import Scored
from bundlegym.evaluation.rivals import against_the_best
from bundlegym.evaluation.rollout import check_figures, estimate, play


@dataclass
class Table:
    """Rows of results.json, and the entries of `paired` that belong to them."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    paired: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Judged:
    """How a contender fares with the shoppers of a user model.

    Attributes:
        scored: its incremental margins.
        figures: mean and interval by metric, as `rollout.estimate` gives them.
        offer_is_only_discount: whether it is for that user model.
    """

    scored: Scored
    figures: dict[str, dict[str, float | None]]
    offer_is_only_discount: bool


def judge(contender: Contender, core: BundleCore, *, name: str, seed: int) -> Judged:
    """A contender with the shoppers of `core`, an episode in each slot.

    Args:
        name: of the user model that reacts in it.
        seed: of the luck, the same for all; the first n slots of a larger core live the same.

    Raises:
        UserError: a figure is not finite.
    """
    plays = [play(core, policy, seed) for policy in contender.policies]
    figures = estimate(plays)
    check_figures(f"{contender.name}, judged by {name}", figures)
    gains = np.stack([each[GAIN] for each in plays])
    only_discount = core.user_model.offer_is_only_discount
    return Judged(Scored(contender.name, contender.kind, gains), figures, only_discount)


def table_of(found: Sequence[Judged], *, name: str, exposure: float) -> Table:
    """A row a contender: its figures, as the user model called `name` sees them.

    Args:
        exposure: the assumption that `name` stands under.
    """
    rows = []
    for each in found:
        scored = each.scored
        who = {"policy": scored.policy, "kind": scored.kind, "user_model": name, "offer_exposure": exposure}
        blind = {"offer_is_only_discount": each.offer_is_only_discount}
        rows.append({**who, **blind, "episodes": scored.episodes, **each.figures})
    paired = against_the_best([each.scored for each in found])
    return Table(rows, [{"user_model": name, "offer_exposure": exposure, **entry} for entry in paired])
