"""The verdict on a run, one sentence an assumption: does a gain survive on judges, on whom nobody trained?

A judge for whom an offer is only its discount cannot see what an offer at full price gains, since that
changes nothing for them: such a judge is named with this reason, and does not count for policies whose offers
are mostly at full price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bundlegym.envs.base import GAIN
from bundlegym.evaluation.rollout import DEEPEST, FULL_PRICE

#: Kinds of policies that a shop could use; others know what no shop knows.
DEPLOYABLE = ("learned", "heuristic", "planner")
#: Shares of offers, and of visits, from which on a policy is called by what it mostly does.
MOSTLY, NEARLY_ALWAYS = 0.5, 0.9

#: How the name of a judge's table ends.
_JUDGE = ", judge"

Row = dict[str, Any]


def is_judge(user_model: str) -> bool:
    """Whether a table's user model only judges."""
    return user_model.endswith(_JUDGE)


def gains(row: Row) -> bool:
    """Whether a policy earns more than offering nothing, beyond its interval."""
    return row[GAIN]["low"] > 0


def is_blind(row: Row) -> bool:
    """Whether the user model of a row cannot see what the policy does."""
    return bool(row.get("offer_is_only_discount")) and _rate(row, FULL_PRICE) >= MOSTLY


def at_the_edge(row: Row) -> bool:
    """Whether a policy offers the largest discount at nearly every visit."""
    return _rate(row, DEEPEST) >= NEARLY_ALWAYS


def note(row: Row) -> str:
    """What stands beside a row of a table, in a few words."""
    notes = []
    if at_the_edge(row):
        notes.append(f"at the edge of its range: largest discount at {_rate(row, DEEPEST):.0%} of visits")
    if is_blind(row) and row["kind"] in DEPLOYABLE:
        notes.append(f"{_rate(row, FULL_PRICE):.0%} of offers at full price, which change nothing here")
    return "; ".join(notes)


def verdict(rows: Sequence[Row]) -> dict[str, Any]:
    """On the rows of all tables of an assumption, what the sentence says and the sentence itself.

    Returns:
        survives: policies that gain on every judge that can see them; without judges, where they learned.
        only_where_learned: policies that gain on the model trained on, and on no judge that can see them.
        disputed: policy -> the judges that see no gain, where others do.
        unseen: policy -> the judges that cannot see its gain.
        untold: policies that gain on the model trained on, and that no judge can see.
        at_the_edge: policies that offer the largest discount at nearly every visit.
    """
    rows = [row for row in rows if row["kind"] in DEPLOYABLE]
    judges = list(dict.fromkeys(row["user_model"] for row in rows if is_judge(row["user_model"])))
    by_policy: dict[str, list[Row]] = {}
    for row in rows:
        by_policy.setdefault(row["policy"], []).append(row)
    survives, learned_only, untold = [], [], []
    disputed: dict[str, list[str]] = {}
    unseen: dict[str, list[str]] = {}
    for policy, own in by_policy.items():
        judged = [row for row in own if is_judge(row["user_model"])]
        trained = any(gains(row) for row in own if not is_judge(row["user_model"]))
        seeing = [row for row in judged if not is_blind(row)]
        yes = [row for row in seeing if gains(row)]
        if trained or yes:
            if blind := [row["user_model"] for row in judged if is_blind(row)]:
                unseen[policy] = blind
        if judged and not seeing and trained:
            untold.append(policy)
        elif (yes and len(yes) == len(seeing)) or (trained and not judges):
            survives.append(policy)
        elif yes:
            disputed[policy] = [row["user_model"] for row in seeing if row not in yes]
        elif trained:
            learned_only.append(policy)
    survives.sort(key=lambda name: -min(_worth(row) for row in by_policy[name] if not is_blind(row)))
    edge = [policy for policy, own in by_policy.items() if any(map(at_the_edge, own))]
    found = {
        "survives": survives,
        "only_where_learned": learned_only,
        "disputed": disputed,
        "unseen": unseen,
        "untold": untold,
        "at_the_edge": edge,
    }
    return {"sentence": _sentence(found, judges, by_policy), **found}


def _sentence(found: dict[str, Any], judges: list[str], by_policy: dict[str, list[Row]]) -> str:
    """One sentence, a part for each thing that is found."""
    parts = []
    unable = {judge for blind in found["unseen"].values() for judge in blind}
    able = [judge for judge in judges if judge not in unable]
    who = f"on every judge{' that can see it' if unable else ''} ({_list(able or judges)})"
    if found["survives"] and not judges:
        parts.append(f"no judge was asked; on the model trained on, {_list(found['survives'])} gain(s)")
    elif found["survives"]:
        parts.append(f"the gain of {_list(found['survives'])} survives {who}")
    elif found["only_where_learned"] or found["disputed"]:
        parts.append(f"NO GAIN SURVIVES {who}")
    elif not found["untold"]:
        asked = f"on the model trained on and on {_list(judges)}" if judges else "and no judge was asked"
        parts.append(
            f"nothing pays: no policy earns more than offering nothing, beyond its interval, {asked}"
        )
    if found["only_where_learned"]:
        parts.append(
            f"that of {_list(found['only_where_learned'])} EXISTS ONLY WHERE IT WAS LEARNED: no judge sees it"
        )
    for against, policies in _grouped(
        {policy: [_list(no)] for policy, no in found["disputed"].items()}
    ).items():
        parts.append(f"that of {_list(policies)} is not seen by {against}")
    if found["untold"]:
        parts.append(f"NO JUDGE CAN TELL whether the gain of {_list(found['untold'])} survives")
    for judge, policies in _grouped(found["unseen"]).items():
        parts.append(
            f"{_list([judge])} cannot see that of {_list(policies)}: mostly offers at full price, which "
            "change nothing for that judge"
        )
    for policy in found["at_the_edge"]:
        rate = max(_rate(row, DEEPEST) for row in by_policy[policy])
        parts.append(
            f"{_list([policy])} is AT THE EDGE OF ITS RANGE, the largest discount at {rate:.0%} of visits"
        )
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def paying(rows: Sequence[Row]) -> list[str]:
    """The policies that a shop could use and that earn more than offering nothing, beyond their intervals, by
    every judge that can see them, or without judges by the model trained on; the surest first."""
    return verdict(rows)["survives"]


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Of `results.json`, a verdict an assumption, with its `offer_exposure`."""
    every = results["rows"] + results["judges"]
    return [
        {"offer_exposure": exposure, **verdict([row for row in every if exposure_of(row) == exposure])}
        for exposure in dict.fromkeys(map(exposure_of, every))
    ]


def exposure_of(row: Row) -> float:
    """The assumption that a row is made under; runs of earlier versions lack it."""
    return row.get("offer_exposure", 0.0)


def _rate(row: Row, name: str) -> float:
    """A share that a row tells, or 0 where it tells none."""
    return (row.get(name) or {}).get("mean") or 0.0


def _worth(row: Row) -> float:
    return row[GAIN]["mean"]


def _grouped(judges_of: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Policy -> judges, the other way round."""
    found: dict[str, list[str]] = {}
    for policy, judges in judges_of.items():
        for judge in judges:
            found.setdefault(judge, []).append(policy)
    return found


def _list(names: Iterable[str]) -> str:
    """Names of policies and judges; a name with a comma stands in quotation marks."""
    plain = (name.removesuffix(_JUDGE) for name in names)
    return ", ".join(f"'{name}'" if "," in name else name for name in plain)
