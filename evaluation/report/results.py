"""What the tables of a run say: the sentences at the top, the league, the judges' verdict, other margins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bundlegym.envs.base import GAIN
from bundlegym.evaluation.report import pictures
from bundlegym.evaluation.report.document import Bullets, Heading, Paragraph, Part, Picture, Section, Table
from bundlegym.evaluation.report.words import (
    PER,
    Figure,
    Money,
    assumed,
    in_sentence,
    many,
    model_name,
    more,
    number,
    policy_name,
    share,
)
from bundlegym.evaluation.rollout import AT_HIGHER_MARGINS, AT_LOWER_MARGINS, MARGIN_SHIFT
from bundlegym.evaluation.verdict import DEPLOYABLE, exposure_of, is_blind, is_judge, verdict


@dataclass(frozen=True)
class Results:
    """The tables of a run.

    Attributes:
        content: `results.json`.
        money: how to say amounts.
    """

    content: dict[str, Any]
    money: Money

    @property
    def exposures(self) -> list[float]:
        return list(dict.fromkeys(map(exposure_of, self.content["rows"])))

    def rows(self, exposure: float) -> list[Figure]:
        """All rows under an assumption: those of the model that agents trained on first."""
        every = self.content["rows"] + self.content["judges"]
        return [row for row in every if exposure_of(row) == exposure]

    def judged(self, exposure: float) -> list[Figure]:
        """Rows by the judges, or where none was asked, by the model that agents trained on."""
        rows = self.rows(exposure)
        return [row for row in rows if is_judge(row["user_model"])] or rows

    def first_judge(self, exposure: float) -> list[Figure]:
        """The rows of one user model: the first judge, or else the model that agents trained on."""
        rows = self.judged(exposure)
        return [row for row in rows if row["user_model"] == rows[0]["user_model"]]

    def paired(self, row: Figure) -> Figure | None:
        """How a row compares with its best rival on the same episodes, where the run tells."""
        for entry in self.content.get("paired", []):
            if all(entry[name] == row.get(name) for name in ("user_model", "offer_exposure", "policy")):
                return entry
        return None


def learned(results: Results) -> list[str]:
    """A sentence an assumption, and one on what is not known."""
    told = [_sentence(results, exposure) for exposure in results.exposures]
    if len(told) == 1:
        told.append(_against_rival(results, results.exposures[0]))
    which = "Which of these holds, no log can tell, and all" if len(results.exposures) > 1 else "All"
    return [
        *told,
        (
            f"{which} figures here come from simulated shoppers: they are a reason for an experiment in the"
            " shop, and do not replace one."
        ),
    ]


def _best(results: Results, exposure: float) -> tuple[Figure, int]:
    """The row of the policy to tell of, by the judge who sees least in it: the best of those whose gains
    survive, or of all; and how many survive."""
    rows = [row for row in results.judged(exposure) if row["kind"] in DEPLOYABLE]
    survives = verdict(results.rows(exposure))["survives"]
    names = survives or [
        name for name in dict.fromkeys(row["policy"] for row in rows) if name != "offer_nothing"
    ]
    least = []
    for name in names:
        own = [row for row in rows if row["policy"] == name]
        least.append(min([row for row in own if not is_blind(row)] or own, key=_gain))
    return max(least, key=_gain), len(survives)


def _gain(row: Figure) -> float:
    return row[GAIN]["mean"]


def _sentence(results: Results, exposure: float) -> str:
    row, survives = _best(results, exposure)
    usable = [one for one in results.judged(exposure) if one["kind"] in DEPLOYABLE]
    tried = {one["policy"] for one in usable} - {"offer_nothing"}
    gain = f"{in_sentence(row)}, which earns {more(row[GAIN], results.money.unit)} than making no offers"
    judged = is_judge(row["user_model"])
    by = "the most cautious judge" if judged else "the shoppers that agents trained on"
    if survives:
        who = "every judge who can see it" if judged else "the shoppers that agents trained on"
        earned = without_offers(results, exposure)
        part = f", {share(_gain(row) / earned, 1)} of what these visits earn" if earned else ""
        return (
            f"If {assumed(exposure)}, offers pay: {survives} of the {len(tried)} ways that were tried gain by"
            f" {who}, and the best of these is {gain}{part}, by {by}."
        )
    return (
        f"If {assumed(exposure)}, no way of making offers is shown to pay: of the {len(tried)} that were"
        f" tried none is above zero beyond its range by all who were asked. The best is {gain}, by {by}."
    )


def _against_rival(results: Results, exposure: float) -> str:
    """The best agent against its best rival."""
    rows = results.first_judge(exposure)
    agent = max((row for row in rows if row["kind"] == "learned"), key=_gain)
    entry = results.paired(agent)
    if entry is None:
        return f"This run kept no episodes, so {in_sentence(agent)} is not paired with its rivals."
    rival = in_sentence(next(row for row in rows if row["policy"] == entry["rival"]))
    gain = more(entry["difference"], results.money.unit)
    return f"On the same visits {in_sentence(agent)} earns {gain} than its best rival, {rival}."


def without_offers(results: Results, exposure: float) -> float | None:
    """What a visit earns without offers."""
    for row in results.first_judge(exposure):
        if row["policy"] == "offer_nothing":
            return row["margin_per_visit"]["mean"]
    return None


def league_section(results: Results) -> Section:
    """What each policy earns, by each user model, with paired differences."""
    money = results.money
    size = f"{results.content['episodes']:,} simulated shopping histories"
    seeds = results.content["seeds"]
    parts: list[Part] = [
        Paragraph(
            f"Each figure is what shoppers' visits earn (price less cost, {money.unit}) more than the same"
            f" visits of the same shoppers without any offer, for {PER:,} visits, in weeks and of shoppers"
            " that nothing was learned from. In brackets: the range that holds the true figure in 95 of 100"
            f" cases ({size}, "
            + (f"{seeds} agents of each kind)." if seeds > 1 else "one agent of each kind).")
        )
    ]
    for exposure in results.exposures:
        rows = results.first_judge(exposure)
        parts.append(Heading(f"If {assumed(exposure)}"))
        earned = without_offers(results, exposure)
        if earned is not None:
            parts.append(Paragraph(f"A visit earns {money.amount(earned)} without offers."))
        ordered = sorted(rows, key=lambda row: -_gain(row))
        shown = [row for row in ordered if row["kind"] in DEPLOYABLE and row["policy"] != "offer_nothing"]
        parts.append(
            Picture(
                pictures.intervals(
                    [(policy_name(row), row[GAIN], row["kind"] == "learned") for row in shown], money.unit
                ),
                f"{model_name(rows[0]['user_model'])}. Agents that learned are orange; the line is the"
                f" {share(0.95)} range.",
            )
        )
        parts.append(_league(results, exposure, ordered))
        parts.append(_offers_table(ordered))
    parts.append(
        Paragraph(
            "'Planner' computes at each visit the offer that the fitted shoppers would answer best. 'Planner"
            " that knows the judge' plans with the judge itself, which no shop could: it shows what is left"
            " to gain.",
            remark=True,
        )
    )
    return Section("league", "Who earns how much", parts)


def _league(results: Results, exposure: float, ordered: Sequence[Figure]) -> Table:
    models = list(
        dict.fromkeys(row["user_model"] for row in results.judged(exposure) + results.rows(exposure))
    )
    by_model = {(row["user_model"], row["policy"]): row for row in results.rows(exposure)}
    paired = any(results.paired(row) for row in ordered)
    lines = []
    for row in ordered:
        cells = [policy_name(row)]
        for model in models:
            found = by_model.get((model, row["policy"]))
            cells.append("–" if found is None else many(found[GAIN]))
        if paired:
            entry = results.paired(row)
            cells += (
                ["–", "–"] if entry is None else [many(entry["difference"]), share(entry["probability_best"])]
            )
        lines.append(cells)
    columns = ["Who chooses the offers", *map(model_name, models)]
    if paired:
        columns += ["Against the best rival, on the same visits", "Chance to be best"]
    marked = [place for place, row in enumerate(ordered) if row["kind"] == "learned"]
    caption = f"{results.money.unit.capitalize()} in {PER:,} visits more than without offers"
    return Table(columns, lines, caption, marked)


def _offers_table(ordered: Sequence[Figure]) -> Table:
    """What the offers are like and how shoppers answer."""
    offering = [row for row in ordered if row["policy"] != "offer_nothing"]
    rows = [
        [
            policy_name(row),
            share(row["acceptance_rate"]["mean"]),
            share(row["cherry_pick_rate"]["mean"]),
            number(row["size"]["mean"], 1),
            share(row["discount"]["mean"], 1),
        ]
        for row in offering
    ]
    columns = ["Who chooses the offers", "Taken whole", "Taken in part, at shelf prices", "Items", "Discount"]
    marked = [place for place, row in enumerate(offering) if row["kind"] == "learned"]
    caption = "The offers, and how simulated shoppers answer them"
    return Table(columns, rows, caption, marked, compact=True)


def judges_section(results: Results) -> Section:
    """Does what was learned hold where it was not learned?"""
    content = results.content
    names = list(dict.fromkeys(row["user_model"] for row in content["judges"]))
    if names:
        told = ", ".join(model_name(name).removeprefix("Judge: ") for name in names)
        first = Paragraph(
            f"A judge is a second set of simulated shoppers, fitted to people whom no agent has met: {told}."
            " A gain that only the shoppers see on whom an agent was trained is one in the model, not in the"
            " log."
        )
    else:
        first = Paragraph(
            "No judge was asked: all figures are by the shoppers on whom the agents trained, who may flatter"
            " them."
        )
    parts: list[Part] = [first]
    for exposure in results.exposures:
        parts += [Heading(f"If {assumed(exposure)}", minor=True), Bullets(_verdict(results, exposure))]
    if ranks := [one for one in content.get("rank_correlation", []) if one["spearman"] is not None]:
        alike = [
            [assumed(one["offer_exposure"]), *map(model_name, one["between"]), number(one["spearman"])]
            for one in ranks
        ]
        caption = (
            "How alike two sets of shoppers order the policies (1: the same order; 0: nothing in common)"
        )
        parts.append(Table(["If", "One", "Other", "Likeness"], alike, caption))
    return Section("judges", "What the judges say", parts)


def _verdict(results: Results, exposure: float) -> list[str]:
    """Whose gain holds by whom."""
    rows = results.rows(exposure)
    found = verdict(rows)
    asked = any(is_judge(row["user_model"]) for row in rows)
    named = {row["policy"]: policy_name(row) for row in rows}

    def those(policies: Iterable[str]) -> str:
        return "; ".join(named[policy] for policy in policies)

    told = []
    if found["survives"]:
        who = "by the shoppers that they trained on" if not asked else "by every judge who can see it"
        told.append(
            f"Earn more than offering nothing, beyond their {share(0.95)} ranges, {who}:"
            f" {those(found['survives'])}."
        )
    else:
        told.append(
            f"Nothing earns more than offering nothing, beyond its {share(0.95)} range, by all who were"
            " asked."
        )
    if found["only_where_learned"]:
        told.append(
            "Gain with the shoppers that agents trained on alone, so do not count on it:"
            f" {those(found['only_where_learned'])}."
        )
    for policy, judges in found["disputed"].items():
        told.append(f"{named[policy]}: no gain is seen by {_judges(judges)}.")
    for policy, judges in found["unseen"].items():
        told.append(
            f"{named[policy]} mostly offers at full price, which changes nothing for {_judges(judges)}: they"
            " cannot see its gain."
        )
    if found["untold"]:
        told.append(f"No judge can tell of: {those(found['untold'])}.")
    if found["at_the_edge"]:
        told.append(
            "Offer the greatest discount that they may at nearly every visit, so what is best may lie beyond"
            f" it: {those(found['at_the_edge'])}."
        )
    return told


def _judges(names: Iterable[str]) -> str:
    return " and ".join(model_name(name).removeprefix("Judge: ") for name in names)


def margins_parts(results: Results) -> list[Part]:
    """What gains owe to the margins that are assumed: of agents, planner and the best rule."""
    points = f"{100 * MARGIN_SHIFT:.0f} points"
    columns = ["Who chooses the offers", f"{points} lower", "As assumed", f"{points} higher"]
    parts: list[Part] = []
    for exposure in results.exposures:
        ordered = sorted(results.first_judge(exposure), key=lambda row: -_gain(row))
        rules = [row for row in ordered if row["kind"] == "heuristic" and row["policy"] != "offer_nothing"]
        shown = [row for row in ordered if row["kind"] in ("learned", "planner") or row in rules[:1]]
        rows = [
            [policy_name(row), *map(many, (row[AT_LOWER_MARGINS], row[GAIN], row[AT_HIGHER_MARGINS]))]
            for row in shown
            if AT_LOWER_MARGINS in row  # runs of earlier versions lack it
        ]
        if rows:
            parts += [Heading(f"If {assumed(exposure)}", minor=True), Table(columns, rows)]
    if not parts:
        return []
    about = (
        f"Gains of the same offers, {results.money.unit} in {PER:,} visits, if what each item earns were so"
        " many points of its list price less or more: margins are often assumed, and an offer gives part of"
        " them away."
    )
    return [Heading("Margins"), Paragraph(about), *parts]
