"""How the policies of a table compare with their best rival, and how alike tables put them in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bundlegym.envs.base import GAIN
from bundlegym.evaluation.pairing import Scored, best_chances, difference
from bundlegym.evaluation.verdict import DEPLOYABLE


def against_the_best(policies: Sequence[Scored]) -> list[dict[str, Any]]:
    """Of each policy that a shop could use: its difference to the best other one, on the episodes that both
    played, and the probability that it is the best of all."""
    usable = [policy for policy in policies if policy.kind in DEPLOYABLE]
    found = []
    for one, chance in zip(usable, best_chances(usable) if usable else [], strict=True):
        rivals = [other for other in usable if other is not one]
        if not rivals:
            continue
        rival = max(rivals, key=lambda other: other.gain["mean"])
        found.append(
            {
                "policy": one.policy,
                "rival": rival.policy,
                "episodes": min(one.episodes, rival.episodes),
                "difference": difference(one, rival),
                "probability_best": chance,
            }
        )
    return found


def rank_correlations(tables: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Spearman's correlation of the orders in which each two user models put the policies that a shop could
    use; None where a model finds no difference at all."""
    from scipy.stats import spearmanr  # takes long to import, and who only trains needs none of it

    means = {
        name: {row["policy"]: row[GAIN]["mean"] for row in rows if row["kind"] in DEPLOYABLE}
        for name, rows in tables.items()
    }
    names, found = list(means), []
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            both = [policy for policy in means[one] if policy in means[other]]
            pair = [[means[name][policy] for policy in both] for name in (one, other)]
            varies = len(both) > 1 and all(len(set(values)) > 1 for values in pair)
            rank = float(spearmanr(*pair).statistic) if varies else None
            found.append({"between": [one, other], "policies": len(both), "spearman": rank})
    return found
