"""The results of a run in words: its tables, one an assumption and user model, and what they rest on."""

from __future__ import annotations

import itertools
from typing import Any

from bundlegym.evaluation.table import MARGIN_LEGEND, format_table

#: What values of `offer_exposure` assume of an offer.
_MEANING = {0.0: "an offer is only its discount", 1.0: "an offer works like the log's own mailer"}
_PART_OF_MAILER = "an offer works like so much of the log's own mailer"


def assumption(exposure: float) -> str:
    """What a value of `offer_exposure` assumes, in words."""
    return f"Offer exposure {exposure:g}: {_MEANING.get(exposure, _PART_OF_MAILER)}"


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
    parts.append(MARGIN_LEGEND)
    parts += [f"Note: {note}" for note in results["notes"]]
    return "\n\n".join(parts)
