"""The results of a run in words: its tables, one an assumption and user model, and what they rest on."""

from __future__ import annotations

import itertools
from typing import Any

from bundlegym.evaluation.table import MARGIN_LEGEND, format_paired, format_table
from bundlegym.evaluation.verdict import exposure_of, is_judge, verdicts

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
    """The tables, one an assumption and user model, with what they rest on; the verdict comes last."""
    size = f"{results['episodes']} episodes, {results['seeds']} seed(s)"
    parts = [f"{results['log']}: held-out shoppers and test weeks, {size}; 95 % intervals"]
    parts += _other_sizes(results)

    def table_of(row: dict[str, Any]) -> tuple[float, str]:
        return exposure_of(row), row["user_model"]

    every, paired = results["rows"] + results["judges"], results.get("paired", [])
    for exposure in dict.fromkeys(map(exposure_of, every)):
        parts.append(f"== {assumption(exposure)} ==")
        for table, rows in itertools.groupby(every, table_of):
            if table[0] == exposure:
                whose = "fitted on held-out shoppers" if is_judge(table[1]) else "the model trained on"
                parts.append(f"Shoppers: {table[1]}, {whose}\n\n{format_table(list(rows))}")
                if entries := [entry for entry in paired if table_of(entry) == table]:
                    parts.append(f"On the episodes that both played:\n\n{format_paired(entries)}")
        parts += _ranks(results, exposure)
    parts.append(MARGIN_LEGEND)
    parts += [f"Note: {note}" for note in results["notes"]]
    parts += [f"Verdict, {assumption(one['offer_exposure'])}: {one['sentence']}" for one in verdicts(results)]
    return "\n\n".join(parts)


def _ranks(results: dict[str, Any], exposure: float) -> list[str]:
    """A sentence on how alike the orders are in which user models put the policies."""
    told = [
        f"{' and '.join(one['between'])}: {one['spearman']:+.2f}"
        for one in results.get("rank_correlation", [])
        if one["offer_exposure"] == exposure and one["spearman"] is not None
    ]
    return [f"Rank correlation of the policies' orders (Spearman): {'; '.join(told)}"] if told else []
