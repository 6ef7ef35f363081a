"""A table: every contender with the shoppers of one user model, and how the best compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from bundlegym.envs import BundleCore
from bundlegym.evaluation.baselines import Contender
from bundlegym.evaluation.paired import GAIN, against_the_best
from bundlegym.evaluation.rollout import check_figures, estimate, play


@dataclass
class Table:
    """Rows of results.json, the entries of `paired` that belong to them, and the gains by episode of each
    policy, from each of its seeds."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    paired: list[dict[str, Any]] = field(default_factory=list)
    gains: dict[str, list[np.ndarray]] = field(default_factory=dict)


def judge(
    contenders: Sequence[Contender],
    core_of: Callable[[int], BundleCore],
    episodes: Callable[[str], int],
    *,
    name: str,
    exposure: float,
    seed: int,
) -> Table:
    """A row a contender: its figures, as the user model called `name` sees them.

    Args:
        core_of: makes a simulator of n shoppers; the first n of a larger one live the same.
        episodes: how many each kind of contender plays.
        exposure: the `offer_exposure` of this user model's assumption.
        seed: of the luck, the same for all.
    """
    table = Table()
    for rival in tqdm(contenders, desc=f"held-out shoppers and weeks ({name}, exposure {exposure:g})"):
        n = episodes(rival.kind)
        core = core_of(n)
        plays = [play(core, policy, seed) for policy in rival.policies]
        figures = estimate(plays)
        check_figures(f"{rival.name}, judged by {name}", figures)
        table.gains[rival.name] = [each[GAIN] for each in plays]
        who: Mapping[str, Any] = {
            "policy": rival.name,
            "kind": rival.kind,
            "user_model": name,
            "offer_exposure": exposure,
            "offer_is_only_discount": core.user_model.offer_is_only_discount,
            "episodes": n,
        }
        table.rows.append({**who, **figures})
    table.paired = against_the_best(table.rows, table.gains)
    return table
