"""The command line of `bundlegym watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from bundlegym.agents.base import Policy
from bundlegym.agents.planner import Planner
from bundlegym.data.checked import Count, Range, check
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.cli import add_run_options
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.evaluation.report.words import assumed
from bundlegym.evaluation.run_folder import read_config
from bundlegym.evaluation.watch.server import ADDRESS, make_server
from bundlegym.evaluation.watch.visits import Watch
from bundlegym.options import Parser
from bundlegym.terminal import say
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel

PLANNER = "planner"
_Port = Annotated[int, Range("0..65535", least=0, most=65_535)]


@one_thread()
def watch() -> None:
    """Serve the page of a run until it is stopped."""
    options = _parser().parse_args()
    check("--shoppers", options.shoppers, Count)
    check("--port", options.port, _Port)
    watched, about = open_watch(
        options.run,
        policy=options.policy,
        exposure=options.exposure,
        judge=options.judge,
        shoppers=options.shoppers,
        trust_code=options.trust_code,
        cache_dir=options.cache_dir,
    )
    server = make_server(watched, about, options.port)
    say(f"Watch at http://{ADDRESS}:{server.server_port}/ (Ctrl-C ends it)")
    try:
        server.serve_forever()
    finally:
        server.server_close()


def open_watch(
    folder: Path,
    *,
    policy: str | None = None,
    exposure: float | None = None,
    judge: str | None = None,
    shoppers: int = 50,
    trust_code: bool = False,
    cache_dir: Path | None = None,
) -> tuple[Watch, dict[str, Any]]:
    """Held-out shoppers of a run in the test weeks, and the facts that the page tells of it.

    Args:
        policy: an agent of the run or `planner`, whose offers are shown; by default its first agent.
        exposure: of the assumptions of the run; by default the last.
        judge: a judge of the run, who then reacts; by default the model that agents trained on.
        shoppers: how many can be watched.

    Raises:
        UserError: there is no such run, agent, assumption or judge.
    """
    config = read_config(folder, trust_code=trust_code, cache_dir=cache_dir)
    name = policy or config.agents[0]
    under = config.exposures[-1] if exposure is None else exposure
    for option, given, known in (
        ("--policy", name, (*config.agents, PLANNER)),
        ("--exposure", under, config.exposures),
        *([("--judge", judge, config.judges)] if judge is not None else []),
    ):
        if given not in known:
            raise UserError(f"{option} {given}: {folder} has {', '.join(map(str, known)) or 'none'}")
    experiment = Experiment(config)
    reacts = _reacts(experiment, config, under, judge)
    core = experiment.judging_core(1, reacts)
    about = {
        "run": config.folder.name,
        "log": experiment.dataset.name,
        "policy": name,
        "reacts": f"the judge '{judge}'" if judge else f"'{config.user_model}', the model trained on",
        "assumed": assumed(under) + _pull(config),
        "shoppers": shoppers,
        "min_size": core.config.min_size,
        "max_size": core.config.max_size,
        "discounts": list(core.config.discounts),
        "notes": list(experiment.dataset.notes),
    }
    pseudonym = Pseudonyms.of_run(experiment.folder)
    return Watch(core, experiment.dataset, _policy(experiment, name, under), pseudonym, shoppers), about


def _pull(config: TrainConfig) -> str:
    """The other assumption on offers, where it is made."""
    return f" and a bundle as such pulls by {config.bundle_pull:g}" if config.bundle_pull else ""


def _reacts(experiment: Experiment, config: TrainConfig, exposure: float, judge: str | None) -> UserModel:
    if judge is None:
        return experiment.user_models[exposure]
    if sentence := population.judge_lacks(judge, config, experiment.dataset):
        raise UserError(f"--judge {judge}: {sentence}")
    fitted = population.judge(experiment.folder, judge, config, experiment.dataset, experiment.device)
    return population.under(fitted, config, exposure)


def _policy(experiment: Experiment, name: str, exposure: float) -> Policy:
    if name == PLANNER:
        return Planner(experiment.user_models[exposure])
    return experiment.policy(Job(name, experiment.config.seed, exposure))


def _parser() -> Parser:
    parser = Parser(
        description="Serve a page on this machine to watch held-out shoppers react to offers.",
    )
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/NAME")
    parser.add_argument("--policy", help="an agent of the run, or planner; by default the run's first agent")
    parser.add_argument(
        "--exposure",
        type=float,
        help="one of the run's assumptions on what being offered does; the last by default",
    )
    parser.add_argument(
        "--judge", help="a judge of the run, who reacts; by default the model that agents trained on"
    )
    parser.add_argument("--shoppers", type=int, default=50, help="shoppers that can be watched (50)")
    parser.add_argument("--port", type=int, default=8001, help="port at 127.0.0.1 (8001); 0 for any")
    add_run_options(parser)
    return parser
