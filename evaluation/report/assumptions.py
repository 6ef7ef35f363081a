"""How far the result hangs on what is assumed: margins, what being offered does, the pull of a bundle."""

from __future__ import annotations

from collections.abc import Sequence

from bundlegym.agents.base import Policy
from bundlegym.envs import BundleCore
from bundlegym.envs.base import GAIN
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.report.document import Heading, Paragraph, Part, Section, Table
from bundlegym.evaluation.report.results import Results, margins_parts
from bundlegym.evaluation.report.words import PER, assumed, many
from bundlegym.evaluation.rollout import estimate, play
from bundlegym.evaluation.sensitivity import KNOBS
from bundlegym.user_models import ChoiceShopper, UserModel


def assumptions_section(
    experiment: Experiment,
    results: Results,
    policies: Sequence[tuple[str, Policy]],
    judge: UserModel,
    judged_by: str,
    episodes: int,
    seed: int,
) -> Section:
    """Other margins, from the tables of the run; and the policies, as they are, before shoppers about whom
    something else is assumed: one assumption at a time."""
    parts = margins_parts(results)
    parts += [Heading("What an offer does")]
    if isinstance(judge, ChoiceShopper):
        parts += _knobs(experiment, policies, judge, judged_by, episodes, seed, results.money.unit)
    else:
        told = (
            "The shoppers of this run make no assumption on what being offered does, so there is none to"
            " change."
        )
        parts.append(Paragraph(told))
    return Section("assumptions", "How much hangs on what is assumed", parts)


def _knobs(
    experiment: Experiment,
    policies: Sequence[tuple[str, Policy]],
    judge: ChoiceShopper,
    judged_by: str,
    episodes: int,
    seed: int,
    unit: str,
) -> list[Part]:
    rows = []
    given = {"offer_exposure": 0.0, "bundle_pull": experiment.config.bundle_pull}
    for knob, values in KNOBS.items():
        for value in values:
            core = experiment.judging_core(episodes, judge.under(**(given | {knob: value})))
            rows.append([_setting(knob, value), *_gains(core, policies, seed)])
    return [
        Paragraph(
            "No public log holds offers that were made by chance, so what being offered does by itself is"
            " assumed. Here the agents stay as they are, and the shoppers change, one assumption at a time,"
            f" {judged_by}, in {episodes:,} histories. Where an assumption carries the result, only an"
            " experiment in the shop can tell. A pull of 1 is great: the odds that a bundle is taken are up"
            " to 2.7 times as high."
        ),
        Table(
            ["Assumption", *(name for name, _ in policies)],
            rows,
            f"Gain, {unit} in {PER:,} visits",
        ),
    ]


def _setting(knob: str, value: float) -> str:
    """A value of an assumption in words."""
    if knob == "offer_exposure":
        return f"If {assumed(value)}"
    return "A bundle has no pull as such" if value == 0 else f"A bundle has a pull of {value:g} as such"


def _gains(core: BundleCore, policies: Sequence[tuple[str, Policy]], seed: int) -> list[str]:
    return [many(estimate([play(core, policy, seed)])[GAIN]) for _, policy in policies]
