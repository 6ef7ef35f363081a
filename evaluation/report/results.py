"""What the tables of a run say: the sentences at the top, the league, the judges' verdict, other margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bundlegym.evaluation.pairing import Scored, best_chances, difference
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
from bundlegym.evaluation.summary import DEPLOYABLE, paying

GAIN = "incremental_margin_per_visit"


@dataclass(frozen=True)
class Results:
    """The tables of a run.

    Attributes:
        content: `results.json`.
        episodes: policies by user model and assumption, to pair them; empty where the run kept none.
        money: how to say amounts.
    """

    content: dict[str, Any]
    episodes: dict[tuple[str, float], list[Scored]]
    money: Money

    @property
    def exposures(self) -> list[float]:
        return list(dict.fromkeys(row["offer_exposure"] for row in self.content["rows"]))

    def rows(self, exposure: float) -> list[Figure]:
        """All rows under an assumption: those of the model that agents trained on first."""
        every = self.content["rows"] + self.content["judges"]
        return [row for row in every if row["offer_exposure"] == exposure]

    def judged(self, exposure: float) -> list[Figure]:
        """Rows by the judges, or where none was asked, by the model that agents trained on."""
        rows = self.rows(exposure)
        return [row for row in rows if row["user_model"].endswith("judge")] or rows

    def first_judge(self, exposure: float) -> list[Figure]:
        """The rows of one user model: the first judge, or else the model that agents trained on."""
        rows = self.judged(exposure)
        return [row for row in rows if row["user_model"] == rows[0]["user_model"]]

    def scored(self, row: Figure) -> Scored | None:
        """The episodes of a row, where they were kept."""
        table = self.episodes.get((row["user_model"], row["offer_exposure"]), [])
        return next((one for one in table if one.policy == row["policy"]), None)


def learned(results: Results) -> list[str]:
    """A sentence an assumption, and one on what is not known."""
    told = [_sentence(results, exposure) for exposure in results.exposures]
    if len(told) == 1:
        told.append(_against_rules(results, results.exposures[0]))
    which = "Which of these holds, no log can tell, and all" if len(results.exposures) > 1 else "All"
    return [
        *told,
        (
            f"{which} figures here come from simulated shoppers: they are a reason for an experiment in the"
            " shop, and do not replace one."
        ),
    ]


def _best(results: Results, exposure: float) -> tuple[Figure, bool]:
    """The row of the policy to tell of, by the judge who sees least in it: the best of those that earn more
    than offering nothing by every judge, or of all; and whether it earns more."""
    rows = [row for row in results.judged(exposure) if row["kind"] in DEPLOYABLE]
    pays = paying(rows)
    names = pays or list(dict.fromkeys(row["policy"] for row in rows if row["policy"] != "offer_nothing"))
    least = [
        min((row for row in rows if row["policy"] == name), key=lambda row: row[GAIN]["mean"])
        for name in names
    ]
    return max(least, key=lambda row: row[GAIN]["mean"]), bool(pays)


def _sentence(results: Results, exposure: float) -> str:
    row, pays = _best(results, exposure)
    tried = {one["policy"] for one in results.judged(exposure) if one["kind"] in DEPLOYABLE} - {
        "offer_nothing"
    }
    best = f"the best of the {len(tried)} ways that were tried is {in_sentence(row)}, which earns"
    gain = f"{more(row[GAIN], results.money.unit)} than making no offers"
    judged = row["user_model"].endswith("judge")
    by = "the most cautious judge" if judged else "the shoppers that agents trained on"
    if pays:
        earned = without_offers(results, exposure)
        part = f", {share(row[GAIN]['mean'] / earned, 1)} of what these visits earn" if earned else ""
        return f"If {assumed(exposure)}, offers pay: {best} {gain}{part}, by {by}."
    return (
        f"If {assumed(exposure)}, no way of making offers is shown to pay: {best} {gain} by {by}, and none is"
        " above zero beyond its range by all who were asked."
    )


def _against_rules(results: Results, exposure: float) -> str:
    """The best agent against the best rule."""
    rows = results.first_judge(exposure)
    agents, rules = ([row for row in rows if row["kind"] == kind] for kind in ("learned", "heuristic"))
    agent, rule = (max(group, key=lambda row: row[GAIN]["mean"]) for group in (agents, rules))
    one, other = results.scored(agent), results.scored(rule)
    if one is None or other is None:
        return f"This run kept no episodes, so {in_sentence(agent)} and {in_sentence(rule)} are not paired."
    gain = more(difference(one, other), results.money.unit)
    return (
        f"On the same visits {in_sentence(agent)} earns {gain} than the best simple rule,"
        f" {in_sentence(rule)}."
    )


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
        ordered = sorted(rows, key=lambda row: -row[GAIN]["mean"])
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
    usable = [row for row in ordered if row["kind"] in DEPLOYABLE]
    known = {row["policy"]: results.scored(row) for row in ordered}
    best = known.get(usable[0]["policy"])
    chances: dict[str, float] = {}
    if best is not None:
        policies = [one for row in usable if (one := known[row["policy"]]) is not None]
        chances = {p.policy: c for p, c in zip(policies, best_chances(policies), strict=True)}
    lines = []
    for row in ordered:
        cells = [policy_name(row)]
        for model in models:
            found = by_model.get((model, row["policy"]))
            cells.append("–" if found is None else many(found[GAIN]))
        if best is not None:
            mine = known[row["policy"]]
            cells.append("–" if mine is None else "best" if mine is best else many(difference(mine, best)))
            cells.append(share(chances.get(row["policy"])))
        lines.append(cells)
    columns = ["Who chooses the offers", *map(model_name, models)]
    if best is not None:
        columns += ["Against the best, on the same visits", "Chance to be best"]
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
    verdicts = [_verdict(results, exposure) for exposure in results.exposures]
    if isinstance(content.get("verdict"), str):
        verdicts.insert(0, content["verdict"])
    parts: list[Part] = [first, Bullets(verdicts)]
    if "lookalike, judge" in names:
        parts.append(
            Paragraph(
                "Look-alike shoppers repeat real visits of similar people. An offer at full price can change "
                "nothing for them, so they see only what a discount does.",
                remark=True,
            )
        )
    return Section("judges", "What the judges say", parts)


def _verdict(results: Results, exposure: float) -> str:
    """Who earns more than offering nothing by all who were asked."""
    rows = results.rows(exposure)
    judged = any(row["user_model"].endswith("judge") for row in rows)
    who = "by every judge" if judged else "by the shoppers that agents trained on"
    names = [policy_name({"policy": name, "kind": _kind(rows, name)}) for name in paying(rows)]
    if not names:
        return (
            f"If {assumed(exposure)}, nothing earns more than offering nothing beyond its {share(0.95)} range"
            f" {who}."
        )
    return (
        f"If {assumed(exposure)}, these earn more than offering nothing beyond their {share(0.95)} ranges"
        f" {who}: {'; '.join(names)}."
    )


def _kind(rows: Sequence[Figure], policy: str) -> str:
    return next(row["kind"] for row in rows if row["policy"] == policy)


def margins_parts(results: Results) -> list[Part]:
    """What gains owe to the margins that are assumed: of agents, planner and the best rule."""
    points = f"{100 * MARGIN_SHIFT:.0f} points"
    columns = ["Who chooses the offers", f"{points} lower", "As assumed", f"{points} higher"]
    parts: list[Part] = []
    for exposure in results.exposures:
        ordered = sorted(results.first_judge(exposure), key=lambda row: -row[GAIN]["mean"])
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
