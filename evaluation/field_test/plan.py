"""The plan of a field experiment, in JSON's own types and in words; and who is offered, as a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.design import (
    Design,
    Gain,
    Spread,
    chance,
    eligible,
    lengths,
    needed,
    smallest,
    spread,
    windows,
)
from bundlegym.evaluation.field_test.difference import random_arms, rejections
from bundlegym.evaluation.field_test.outcomes import Visits
from bundlegym.evaluation.field_test.tables import CONTROL, OFFERS
from bundlegym.evaluation.summary import assumption

#: Households an arm, as a multiple of squared skewness, from which on a mean is near normal (`difference`).
_NORMAL_FROM = 355


def plan(
    dataset: Dataset,
    gains: Sequence[Gain],
    test: Design,
    *,
    weeks: int = 0,
    before: int = 12,
    splits: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """In JSON's own types.

    Args:
        gains: that are expected.
        weeks: that the test is to last; 0 takes for each gain the shortest of `design.WEEKS` that shows it.
        before: weeks to adjust for.
        splits: random assignments of past weeks in the A/A check.
        seed: of these.

    Raises:
        UserError: the log is too short or too small for any window.
    """
    visits = Visits.of(dataset)
    found = [one for length in lengths(weeks) if (one := spread(visits, length, before))]
    if not found or (weeks and all(one.weeks != weeks for one in found)):
        raise UserError(
            f"{dataset.name} holds {(visits.end - visits.first) // 7} weeks with {dataset.n_shoppers} "
            f"households; a plan needs four that bought before the {weeks or 1} week(s) of a test"
        )
    rows = [_row(one, test) for one in found]
    expected = [_expected(gain, found, test, weeks) for gain in gains]
    length = next((one["weeks"] for one in expected if one["shows"]), weeks or found[-1].weeks)
    return {
        "log": dataset.name,
        "test": dataclasses.asdict(test),
        "rows": rows,
        "expected": expected,
        "a_a": _a_a(visits, length, before, test, splits, seed),
        "notes": list(dataset.notes),
    }


def _row(one: Spread, test: Design) -> dict[str, Any]:
    offered = test.offered(one.households)
    plain, adjusted, worst = (smallest(one, test, sd) for sd in (one.sd, one.sd_adjusted, one.sd_worst))
    return {
        **dataclasses.asdict(one),
        "offered": offered,
        "smallest_gain": plain,
        "smallest_gain_adjusted": adjusted,
        "smallest_gain_at_worst": worst,
        "smallest_gain_adjusted_per_visit": adjusted / one.visits if one.visits else None,
        "near_normal": min(offered, one.households - offered) >= _NORMAL_FROM * one.skewness**2,
    }


def _expected(gain: Gain, found: Sequence[Spread], test: Design, weeks: int) -> dict[str, Any]:
    """A gain beside what each length would show; `weeks` and `shows` are those of the length chosen."""
    rows: list[dict[str, Any]] = []
    for one in found:
        a_week = gain.mean * one.visits
        rows.append(
            {
                "weeks": one.weeks,
                "gain": a_week,
                "chance": chance(a_week, one, test),
                "households_needed": needed(a_week, one, test, adjusted=False),
                "households_needed_adjusted": needed(a_week, one, test, adjusted=True),
            }
        )
    enough = [one.weeks for one, row in zip(found, rows, strict=True) if row["chance"] >= test.power]
    chosen = weeks or (enough[0] if enough else found[-1].weeks)
    return {**dataclasses.asdict(gain), "rows": rows, "weeks": chosen, "shows": chosen in enough}


def _a_a(visits: Visits, weeks: int, before: int, test: Design, splits: int, seed: int) -> dict[str, Any]:
    """The share of random assignments of the last weeks in which nothing was done that a test would find."""
    last = windows(visits, weeks, before)[0]
    offered = test.offered(len(last.margin))
    found = rejections(last.margin, last.before, offered, test.alpha, splits, seed)
    return {"weeks": weeks, "splits": splits, **found}


def assignment(
    dataset: Dataset, test: Design, *, before: int = 12, households: int = 0, seed: int = 0
) -> pd.DataFrame:
    """Who is offered: `shopper`, `arm`, a row an eligible household in the order of their codes.

    The draw is simple: each household is offered with the same chance, and exactly `test.share` of them are.
    There are no strata: adjusting for the weeks before does what strata by past margin would.

    Args:
        before: weeks at the log's end in which the household must have bought.
        households: so many of them, drawn at random, take part; 0 for all.

    Raises:
        UserError: there are fewer.
    """
    visits, rng = Visits.of(dataset), np.random.default_rng(seed)
    who = eligible(visits, visits.end, before)
    if households > len(who) or len(who) < 4 or 0 < households < 4:
        raise UserError(
            f"--households: {households} is out of range; {len(who)} bought in the last {before} weeks of "
            f"{dataset.name}, and a test needs at least 4"
        )
    if households:
        who = np.sort(rng.choice(who, households, replace=False))
    offered = random_arms(rng, len(who), test.offered(len(who)), 1)[0]
    return pd.DataFrame(
        {
            "shopper": dataset.shoppers["shopper"].to_numpy()[who],
            "arm": np.where(offered, OFFERS, CONTROL),
        }
    )


# --- in words ---------------------------------------------------------------------------------------------


def as_text(content: dict[str, Any]) -> str:
    """For people."""
    test, rows = content["test"], content["rows"]
    parts = [
        f"{content['log']}: a field experiment with households, {test['share']:.0%} of them offered; "
        f"outcome: margin a household a week; two-sided test at {test['alpha']:g}, power {test['power']:g}.\n"
        "How much it varies is read off the log's own past weeks. Adjusted: for each household's margin in "
        "the weeks before (CUPED).",
        _table(
            ("weeks", "weeks before", "households", "visits a week", "margin a week", "sd", "correlation",
             "sd adjusted", "smallest gain", "adjusted", "at worst", "adjusted, a visit"),
            [
                (row["weeks"], row["weeks_before"], f"{row['households']:,}", f"{row['visits']:.2f}",
                 f"{row['margin']:.2f}", f"{row['sd']:.2f}", f"{row['correlation']:.2f}",
                 f"{row['sd_adjusted']:.2f}", f"{row['smallest_gain']:.3f}",
                 f"{row['smallest_gain_adjusted']:.3f}", f"{row['smallest_gain_at_worst']:.3f}",
                 _figure(row["smallest_gain_adjusted_per_visit"]))
                for row in rows
            ],
        ),
        "Smallest gain: what a test with all of these households would find with that power, a household a "
        "week; at worst: adjusted, in weeks like those of the log in which households vary most; a visit: at "
        "their visits a week.",
    ]  # fmt: skip
    parts += [_told(one, content) for one in content["expected"]]
    a_a = content["a_a"]
    parts.append(
        f"A/A check: of {a_a['splits']:,} random assignments in the log's last {a_a['weeks']} week(s), in "
        f"which nothing differs, a test finds a difference in {a_a['plain']:.1%} (plain) and "
        f"{a_a['adjusted']:.1%} (adjusted); it should be {test['alpha']:.0%}."
    )
    last = rows[-1]
    short = [str(row["weeks"]) for row in rows if not row["near_normal"]]
    parts.append(
        f"Heavy tails: skewness {last['skewness']:.1f} at {last['weeks']} weeks. No household is trimmed or "
        "capped."
        + (
            f" By the rule of {_NORMAL_FROM} x skewness^2 an arm is too small for means that are surely near "
            f"normal at {', '.join(short)} week(s); go by the A/A check."
            if short
            else f" Each arm is larger than {_NORMAL_FROM} x skewness^2, so means are near normal."
        )
    )
    return "\n\n".join([*parts, *(f"Note: {note}" for note in content["notes"])])


def _told(one: dict[str, Any], content: dict[str, Any]) -> str:
    """An expected gain, and whether a test would show it."""
    at = {row["weeks"]: row for row in content["rows"]}
    chosen = next(row for row in one["rows"] if row["weeks"] == one["weeks"])
    row = at[one["weeks"]]
    head = "" if one["exposure"] is None else f"== {assumption(one['exposure'])} ==\n"
    spread_of = f" [{one['low']:+.4f}, {one['high']:+.4f}]" if one["low"] < one["high"] else ""
    head += (
        f"Expected gain: {one['mean']:+.4f}{spread_of} a visit ({one['policy']}, by {one['judge']}), "
        f"{chosen['gain']:+.4f} a household a week."
    )
    if one["mean"] == 0:
        return f"{head} There is nothing to test: the best that can be done is to offer nothing."
    if one["low"] <= 0 < one["high"]:
        head += " The run does not show it: it is not significantly different from zero."
    if one["kind"] == "heuristic":
        head += (
            " This policy is a rule, and bundlegym recommend makes offers by agents and the planner; "
            "--effect plans for their gain."
        )
    table = _table(
        ("weeks", "chance to show with all households", "households needed", "adjusted"),
        [
            (r["weeks"], f"{r['chance']:.2f}", _count(r["households_needed"]),
             _count(r["households_needed_adjusted"]))
            for r in one["rows"]
        ],
    )  # fmt: skip
    smallest_gain = f"{_figure(row['smallest_gain_adjusted_per_visit'])} a visit"
    everybody = f"With all {row['households']:,} households and {row['weeks']} week(s)"
    if one["shows"]:
        end = (
            f"{everybody} a test shows it with chance {chosen['chance']:.2f}; "
            f"{_count(chosen['households_needed_adjusted'])} households in both arms would do."
        )
    else:
        end = (
            f"{everybody} the smallest gain that would show is {smallest_gain}; the expected gain is "
            f"{one['mean']:+.4f}: too small a shop, or too small a gain. It would take "
            f"{_count(chosen['households_needed_adjusted'])} households."
        )
    return f"{head}\n\n{table}\n\n{end}"


def _count(number: int | None) -> str:
    return "no number" if number is None else f"{number:,}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
