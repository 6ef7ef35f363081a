"""A table: every contender with the shoppers of one user model, and how the best compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from bundlegym.envs import BundleCore
from bundlegym.envs.base import GAIN
from bundlegym.evaluation.baselines import Contender
from bundlegym.evaluation.episodes import EpisodeLog
from bundlegym.evaluation.pairing import Scored
from bundlegym.evaluation.rivals import against_the_best
from bundlegym.evaluation.rollout import check_figures, estimate, play
from bundlegym.terminal import shown


@dataclass
class Table:
    """Rows of results.json, and the entries of `paired` that belong to them."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    paired: list[dict[str, Any]] = field(default_factory=list)


def judge(
    contenders: Sequence[Contender],
    core_of: Callable[[int, Contender], BundleCore],
    episodes: Callable[[str], int],
    *,
    name: str,
    exposure: float,
    seed: int,
    kept: EpisodeLog | None = None,
) -> Table:
    """A row a contender: its figures, as the user model called `name` sees them.

    Args:
        core_of: makes a simulator of n shoppers for a contender; the first n of a larger one live the same.
        episodes: how many each kind of contender plays.
        exposure: the assumption that `name` stands under.
        seed: of the luck, the same for all.
        kept: takes all episodes.
    """
    table, scored = Table(), []
    for rival in tqdm(contenders, desc=f"held-out shoppers and weeks ({shown(name)}, exposure {exposure:g})"):
        n = episodes(rival.kind)
        core = core_of(n, rival)
        plays = [play(core, policy, seed) for policy in rival.policies]
        figures = estimate(plays)
        check_figures(f"{rival.name}, judged by {name}", figures)
        scored.append(Scored(rival.name, rival.kind, np.stack([each[GAIN] for each in plays])))
        who = {"policy": rival.name, "kind": rival.kind, "user_model": name, "offer_exposure": exposure}
        blind = {"offer_is_only_discount": core.user_model.offer_is_only_discount}
        table.rows.append({**who, **blind, "episodes": n, **figures})
        if kept is not None:
            kept.add(who, core.user_model, plays)
    table.paired = [
        {"user_model": name, "offer_exposure": exposure, **entry} for entry in against_the_best(scored)
    ]
    return table
