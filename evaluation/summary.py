"""The results of a run in words: its tables, one an assumption and user model, and what they rest on."""

from __future__ import annotations

import itertools
from typing import Any

from bundlegym.evaluation.table import MARGIN_LEGEND, format_table

#: What values of `offer_exposure` assume of an offer.
_MEANING = {0.0: "an offer is only its discount", 1.0: "an offer works like the log's own mailer"}
#: Kinds of policies that a shop could use; others know what no shop knows.
DEPLOYABLE = ("learned", "heuristic", "planner")
_PART_OF_MAILER = "an offer works like so much of the log's own mailer"


def assumption(exposure: float) -> str:
    """What a value of `offer_exposure` assumes, in words."""
    return f"Offer exposure {exposure:g}: {_MEANING.get(exposure, _PART_OF_MAILER)}"


def verdict(rows: list[dict[str, Any]]) -> str:
    """One sentence on the rows of an assumption: what earns more than offering nothing, by every judge.

    Only what could be deployed counts, and only what is better beyond its interval. Without judges the model
    that the agents trained on speaks, and the sentence says so.
    """
    rows = [row for row in rows if row["kind"] in DEPLOYABLE]
    judged = any(row["user_model"].endswith("judge") for row in rows)
    who = "by every judge" if judged else "by the model that the agents trained on, no judge was asked"
    pays = paying(rows)
    if not pays:
        return f"Nothing pays: no policy earns more than offering nothing, beyond its interval, {who}."
    return f"More than offering nothing, beyond their intervals, {who}: {', '.join(pays)}."


def paying(rows: list[dict[str, Any]]) -> list[str]:
    """Of the rows of an assumption the policies that could be deployed and earn more than offering nothing,
    beyond their intervals, by every judge, or where there is none by the model that agents trained on; those
    that the judge who sees least in them gives most come first."""
    rows = [row for row in rows if row["kind"] in DEPLOYABLE]
    judged = [row for row in rows if row["user_model"].endswith("judge")]
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for row in judged or rows:
        tables.setdefault(row["user_model"], {})[row["policy"]] = row["incremental_margin_per_visit"]
    first, *others = tables.values()
    pays = [name for name in first if all(table[name]["low"] > 0 for table in (first, *others))]
    return sorted(pays, key=lambda name: -min(table[name]["mean"] for table in (first, *others)))


def _other_sizes(results: dict[str, Any]) -> list[str]:
    """A sentence about the rows that rest on another number of episodes, where there are any."""
    fewer: dict[int, list[str]] = {}
    for row in results["rows"] + results["judges"]:
        policies = fewer.setdefault(row.get("episodes", results["episodes"]), [])
        policies += [row["policy"]] * (row["policy"] not in policies)
    fewer.pop(results["episodes"], None)
    told = "; ".join(f"{', '.join(policies)}: {n} episodes" for n, policies in fewer.items())
    return [f"With other numbers of episodes, the first of those of the other rows: {told}"] if told else []


def summary(results: dict[str, Any]) -> str:
    """The tables, one an assumption and user model, with what they rest on."""
    size = f"{results['episodes']} episodes, {results['seeds']} seed(s)"
    parts = [f"{results['log']}: held-out shoppers and test weeks, {size}; 95 % intervals"]
    parts += _other_sizes(results)

    def table_of(row: dict[str, Any]) -> tuple[float, str]:
        return row.get("offer_exposure", 0.0), row["user_model"]  # runs of earlier versions lack the first

    every = results["rows"] + results["judges"]
    for exposure in dict.fromkeys(table_of(row)[0] for row in every):
        parts.append(f"== {assumption(exposure)} ==")
        for (under, name), rows in itertools.groupby(every, table_of):
            if under == exposure:
                whose = "fitted on held-out shoppers" if name.endswith("judge") else "the model trained on"
                parts.append(f"Shoppers: {name}, {whose}\n\n{format_table(list(rows))}")
        parts.append(verdict([row for row in every if table_of(row)[0] == exposure]))
    parts.append(MARGIN_LEGEND)
    parts += [f"Note: {note}" for note in results["notes"]]
    return "\n\n".join(parts)
