"""`bundlegym report runs/NAME`: a run as one page for whoever decides."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from bundlegym.agents.base import Policy
from bundlegym.data.checked import Count, Whole, check, check_output
from bundlegym.data.files import write_text
from bundlegym.evaluation import population
from bundlegym.evaluation.cli import add_run_options
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.evaluation.report.assumptions import assumptions_section
from bundlegym.evaluation.report.card import card_section
from bundlegym.evaluation.report.document import Page, as_html
from bundlegym.evaluation.report.fidelity import fidelity_section
from bundlegym.evaluation.report.learning import learning_section
from bundlegym.evaluation.report.offers import (
    Scene,
    examples_section,
    first_offers,
    fixed,
    offers_section,
    planned,
)
from bundlegym.evaluation.report.results import Results, judges_section, league_section
from bundlegym.evaluation.report.results import learned as what_was_learned
from bundlegym.evaluation.report.synergies import synergies_section
from bundlegym.evaluation.report.words import Money, from_log, model_name, policy_name
from bundlegym.evaluation.run_folder import read_config
from bundlegym.evaluation.table import read_results
from bundlegym.options import Parser
from bundlegym.terminal import say
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel

#: Of the luck of the page's own visits: neither that of training nor that of the tables.
_SEED = 7_000_003
_CURRENCIES = {"complete-journey": "dollars"}


@one_thread()
def report() -> None:
    """Write the page of a run."""
    options = _parser().parse_args()
    for name, kind in (("visits", Count), ("episodes", Count), ("offers", Whole)):
        check(f"--{name}", getattr(options, name), kind)
    check_output("--out", options.out)
    page = page_of(
        options.run,
        visits=options.visits,
        episodes=options.episodes,
        examples=options.offers,
        currency=options.currency,
        trust_code=options.trust_code,
        cache_dir=options.cache_dir,
    )
    out = options.out or options.run / "report.html"
    write_text(out, as_html(page))
    say(f"The page is {out}")


def page_of(
    folder: Path,
    *,
    visits: int = 256,
    episodes: int = 1024,
    examples: int = 3,
    currency: str | None = None,
    trust_code: bool = False,
    cache_dir: Path | None = None,
) -> Page:
    """The page of a finished run; see `docs/report.md`.

    Args:
        visits: whose offers are told.
        episodes: behind each figure of what is assumed.
        examples: offers in words, a policy and assumption.
        currency: such as dollars; by default what is known of the log, or units of money.

    Raises:
        UserError: the folder holds no finished run, or a file in it is damaged.
    """
    content = read_results(folder)
    config = read_config(folder, trust_code=trust_code, cache_dir=cache_dir)
    experiment = Experiment(config)
    money = Money(currency or _CURRENCIES.get(config.data.log, "units of money"))
    results = Results(content, money)
    (judge, judged_by), agents, dataset = _judge(experiment, content), _agents(experiment), experiment.dataset
    scenes = _scenes(experiment, judge, agents, visits, with_planner=_has_planner(content))
    jobs = [Job(*job) for job in itertools.product(config.agents, config.all_seeds, config.exposures)]
    return Page(
        title=f"Which offers pay? {from_log(dataset.name)}",
        about=(
            f"Run '{from_log(folder.resolve().name)}'. Offers of several products at once, to simulated"
            " shoppers fitted to the shop's own log."
        ),
        learned=what_was_learned(results),
        sections=[
            league_section(results),
            judges_section(results),
            fidelity_section(folder),
            offers_section(scenes, dataset),
            examples_section(scenes, dataset, judged_by, Pseudonyms.of_run(folder), money, examples),
            synergies_section(dataset, experiment.user_models[config.exposures[0]]),
            assumptions_section(experiment, results, list(agents.items()), judge, judged_by, episodes, _SEED),
            learning_section(folder, jobs, money),
            card_section(folder, config, dataset, content["notes"]),
        ],
    )


def _has_planner(content: dict[str, Any]) -> bool:
    return any(row["kind"] == "planner" for row in content["rows"])


def _agents(experiment: Experiment) -> dict[str, Policy]:
    """The first agent, by what it trained on."""
    config, found = experiment.config, {}
    for exposure in config.exposures:
        name = config.agents[0]
        if len(config.exposures) > 1:
            name += f", trained at exposure {exposure:g}"
        job = Job(config.agents[0], config.seed, exposure)
        found[policy_name({"policy": name, "kind": "learned"})] = experiment.policy(job)
    return found


def _judge(experiment: Experiment, content: dict[str, Any]) -> tuple[UserModel, str]:
    """Who answers the page's own offers, and in words: the first judge, else the shoppers to train on."""
    config = experiment.config
    if content["judges"]:
        name = content["judges"][0]["user_model"]
        family = name.partition(",")[0]
        model = population.judge(experiment.folder, family, config, experiment.dataset, experiment.device)
        return model, f"by the judge '{model_name(name).removeprefix('Judge: ')}'"
    return experiment.user_models[config.exposures[0]], "by the shoppers that agents trained on"


def _scenes(
    experiment: Experiment, judge: UserModel, agents: dict[str, Policy], visits: int, with_planner: bool
) -> dict[float, Scene]:
    """First visits by assumption: what the agent that trained under it offers, and the planner."""
    agent = policy_name({"policy": experiment.config.agents[0], "kind": "learned"})
    found = {}
    for (exposure, model), policy in zip(experiment.user_models.items(), agents.values(), strict=True):
        core = experiment.judging_core(visits, population.under(judge, experiment.config, exposure))
        made = {agent: first_offers(core, fixed(policy), _SEED)}
        if with_planner:
            name = policy_name({"policy": "planner", "kind": "planner"})
            made[name] = first_offers(core, planned(model), _SEED)
        found[exposure] = Scene(core, made)
    return found


def _parser() -> Parser:
    parser = Parser(
        description="Write a finished run as one page that needs no network: report.html in its folder.",
    )
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/NAME")
    parser.add_argument(
        "--out", type=Path, help="the page's file; by default report.html in the run's folder"
    )
    parser.add_argument("--currency", help="what to call the log's money, such as dollars")
    parser.add_argument("--offers", type=int, default=3, help="example offers of each policy (3)")
    parser.add_argument("--visits", type=int, default=256, help="visits whose offers are told (256)")
    parser.add_argument(
        "--episodes", type=int, default=1024, help="episodes behind each figure of what is assumed (1024)"
    )
    add_run_options(parser)
    return parser
