"""The command lines behind train.py and evaluate.py; wrong input is one line and exit code 2."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from bundlegym.agents.planner import Planner
from bundlegym.data import DataConfig
from bundlegym.data.checked import Count, Several, Whole, check, check_output
from bundlegym.data.config import default_cache_dir
from bundlegym.data.files import write_json
from bundlegym.errors import UserError, guarded
from bundlegym.evaluation import best_offers, discount_levels
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.engines import RAY_ADDRESS_HELP, RAY_HELP, EngineOptions, add_engine_options
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.fidelity.command import FidelityConfig
from bundlegym.evaluation.fidelity.command import run as run_fidelity
from bundlegym.evaluation.field_test.learned import learned_numbers
from bundlegym.evaluation.presets import presets_in_words, train_config
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.evaluation.run_folder import read_config
from bundlegym.evaluation.several_shops import by_log, fit_apart, joined_runs
from bundlegym.evaluation.summary import assumption, summary
from bundlegym.evaluation.sweep import BATCH, check_sweep, sweep
from bundlegym.evaluation.table import format_report, read_results
from bundlegym.options import Parser, parsed, unknown
from bundlegym.terminal import remark, say
from bundlegym.threads import one_thread

__all__ = ["evaluate", "fidelity", "guarded", "train"]

#: What `evaluate.py` takes with --fidelity alone.
_FIDELITY_OPTIONS = tuple(
    field.name for field in (*dataclasses.fields(FidelityConfig), *dataclasses.fields(DataConfig))
)


#: Episodes behind each row of --discount-levels.
_LEVEL_EPISODES = 2048

_RESUME = (
    "`--resume runs/NAME [--trust-code] [--cache-dir DIR]` goes on with a run that was interrupted; `--sweep "
    "TRIALS [--sweep-batch N]` searches the agents' hyper-parameters instead, N trials side by side, and the "
    "same command goes on with the search; `--log A --log B` trains one agent on several logs, and each gets "
    f"a run of its own. `--ray`: {RAY_HELP}; `--ray-address ADDRESS`: {RAY_ADDRESS_HELP}."
)

_PRESET = (
    "`--preset NAME` begins from options that go together, which those that are given beside it overrule: "
    f"{presets_in_words()}."
)


@one_thread()
def train() -> None:
    """`train.py [options]`, `train.py --resume runs/NAME`, `train.py --sweep TRIALS [options]`, or `train.py
    --log A --log B [options]`."""
    jobs_by, arguments = EngineOptions.taken(sys.argv[1:])
    given, trials, batch = _sweep_of(arguments)
    if any(argument.split("=")[0] == "--resume" for argument in arguments):
        config = _resumed(arguments)
    else:
        about = f"{TrainConfig.__doc__} {_RESUME} {_PRESET}"
        if any(argument.split("=")[0] in ("--dqn-steps", "--dqn_steps") for argument in sys.argv[1:]):
            raise UserError("--dqn-steps is now --dqn.steps; --steps is for every agent")
        config, *others = (_with_offers(train_config(each, description=about)) for each in by_log(given))
        if others:
            if trials:
                raise UserError("--sweep searches with one --log")
            return _train_on_several([config, *others], jobs_by)
        if trials:
            check_sweep(config, given)
        _check_free(config)
    _train_on_one(config, jobs_by, given, trials, batch)


def _train_on_several(configs: Sequence[TrainConfig], jobs_by: EngineOptions) -> None:
    """See `several_shops`."""
    runs = joined_runs(configs)
    for config in runs:
        _check_free(config)
    for config in runs[1:]:
        fit_apart(config)
    for config in runs:
        _train_on_one(config, jobs_by)


def _check_free(config: TrainConfig) -> None:
    """Raise `UserError` where the folder of a run that is to be made holds another, or a finished one."""
    if (config.folder / "results.json").exists():
        raise UserError(f"{config.folder} holds a finished run; choose another --name, or remove it")
    # The code of the run that is there is not imported: it is compared, and what was asked for is run.
    if (config.folder / "config.json").exists() and read_config(
        config.folder, trust_code=True, cache_dir=config.data.cache_dir
    ) != read_config_like(config):
        raise UserError(
            f"{config.folder} holds a run with other options; choose another --name, or --resume it"
        )


def _train_on_one(
    config: TrainConfig,
    jobs_by: EngineOptions,
    given: Sequence[str] = (),
    trials: int = 0,
    batch: int = BATCH,
) -> None:
    """Make a run, or search hyper-parameters in it, and print what comes out."""
    experiment = Experiment(config)
    remark(format_report(experiment.dataset.report))
    with jobs_by.engine(config.workers, gpu=experiment.on_gpu) as engine:
        if trials:
            found = sweep(experiment, trials, given, engine, batch)
            return say(f"{found}\n\nThe trials are in {config.folder}")
        results = experiment.run(engine)
    say(f"{experiment.examples()}\n\n{summary(results)}\n\n{_what_now(config.folder)}")


def _what_now(folder: Path) -> str:
    run = shlex.quote(str(folder))
    return (
        f"The run is in {folder}. A page to show: bundlegym report {run}; offers: bundlegym recommend {run}; "
        f"the experiment: bundlegym experiment plan {run}"
    )


def _sweep_of(arguments: list[str]) -> tuple[list[str], int, int]:
    """The arguments without those of a sweep; how many trials it has, 0 for no sweep; and its batch."""
    parser = Parser(add_help=False)
    parser.add_argument("--sweep", type=int)
    parser.add_argument("--sweep-batch", type=int)
    known, others = parser.parse_known_args(arguments)
    if known.sweep is None:
        if known.sweep_batch is not None:
            raise UserError("--sweep-batch goes with --sweep")
        return others, 0, 0
    batch = BATCH if known.sweep_batch is None else known.sweep_batch
    for name, value in (("--sweep", known.sweep), ("--sweep-batch", batch)):
        check(name, value, Count)
    return others, known.sweep, batch


def _with_offers(config: TrainConfig) -> TrainConfig:
    """With what the shop's own offers have taught in place of assumptions, where --offers names a file."""
    if config.offers is None:
        return config
    if config.offer_exposure or config.bundle_pull:
        raise UserError("--offers says what --offer-exposure and --bundle-pull are; leave these out")
    exposure, pull = learned_numbers(config.offers)
    return dataclasses.replace(config, offer_exposure=(exposure,), bundle_pull=pull)


def _resumed(arguments: list[str]) -> TrainConfig:
    """The configuration of the run that --resume names."""
    parser = Parser(description="Go on with a run as it was begun.")
    parser.add_argument("--resume", type=Path, required=True, help="folder of the run, such as runs/NAME")
    add_run_options(parser)
    options, others = parser.parse_known_args(arguments)
    if others:
        raise UserError(f"--resume goes on with the run's own options; it takes no {others[0]}")
    return read_config(options.resume, trust_code=options.trust_code, cache_dir=options.cache_dir)


def add_run_options(parser: Parser) -> None:
    """What a run's own configuration does not decide."""
    parser.add_argument(
        "--trust-code",
        action="store_true",
        help="import the modules that the run names; give it only if you trust whoever made the run",
    )
    parser.add_argument(
        "--cache-dir", type=Path, default=default_cache_dir(), help="where logs are kept (%(default)s)"
    )


def read_config_like(config: TrainConfig) -> TrainConfig:
    """The configuration as `read_config` would give it back from its own folder."""
    folder = config.folder.resolve()
    return dataclasses.replace(config, runs=folder.parent, name=folder.name)


@one_thread()
def evaluate() -> None:
    """`evaluate.py runs/NAME`: the table again, and a few offers in words; `--best-offers 20`: the planner's
    best, taken apart; `--discount-levels`: take-up and gain at each discount; `--fidelity ...`: how like
    shoppers a user model is, as `bundlegym fidelity ...`."""
    if "--fidelity" in sys.argv[1:]:
        sys.argv = [argument for argument in sys.argv if argument != "--fidelity"]
        return fidelity()
    parser = Parser(
        description="Print a run's results and a few of its offers, or how like shoppers a user model is.",
    )
    parser.add_argument("run", type=Path, nargs="?", help="folder of a finished run, such as runs/NAME")
    parser.add_argument("--offers", type=int, default=5, help="how many example offers to tell (5)")
    add_run_options(parser)
    parser.add_argument(
        "--best-offers", type=int, default=0, metavar="N",
        help="plan with the run's user model and take its N best offers apart",
    )  # fmt: skip
    parser.add_argument("--visits", type=int, default=640, help="visits that --best-offers plans (640)")
    parser.add_argument(
        "--discount-levels",
        action="store_true",
        help="take-up and gain at each discount, with an interval that carries the fit's uncertainty",
    )
    parser.add_argument(
        "--refits", type=int, default=8, help="halves of the shoppers that --discount-levels fits on (8)"
    )
    parser.add_argument(
        "--fidelity",
        action="store_true",
        help="fit a user model and judge it; --fidelity --help: its options",
    )
    parser.add_argument(
        "--json", type=Path, help="file for the figures of --best-offers or --discount-levels"
    )
    add_engine_options(parser)
    options, others = parser.parse_known_args()
    if others:
        flag = others[0].split("=")[0]
        known = {f"--{name.replace('_', '-')}" for name in _FIDELITY_OPTIONS}
        if flag in known:
            raise UserError(f"{flag} goes with --fidelity")
        raise UserError(unknown(flag, parser.format_help()))
    if options.run is None:
        raise UserError("give the folder of a run, such as runs/NAME, or --fidelity")
    for name, kind in (("offers", Whole), ("best_offers", Whole), ("visits", Count), ("refits", Several)):
        check(f"--{name.replace('_', '-')}", getattr(options, name), kind)
    check_output("--json", options.json)
    jobs_by = EngineOptions(options.ray, options.ray_address)
    if jobs_by != EngineOptions() and not options.discount_levels:
        raise UserError("--ray and --ray-address go with --discount-levels, which fits user models")
    if options.best_offers:
        return _best_offers(options)
    if options.discount_levels:
        return _discount_levels(options, jobs_by)
    if options.json:
        raise UserError("--json goes with --fidelity, --best-offers or --discount-levels")
    results = read_results(options.run)
    if options.offers < 1:
        return say(summary(results))
    config = read_config(options.run, trust_code=options.trust_code, cache_dir=options.cache_dir)
    say(f"{Experiment(config).examples(options.offers)}\n\n{summary(results)}")


def _best_offers(options: argparse.Namespace) -> None:
    config = read_config(options.run, trust_code=options.trust_code, cache_dir=options.cache_dir)
    experiment, contents = Experiment(config), []
    for exposure, model in experiment.user_models.items():
        content = best_offers.best_offers(
            experiment.judging_core(options.visits, model),
            Planner(model),
            experiment.dataset,
            options.best_offers,
            Pseudonyms.of_run(experiment.folder),
            remark,
        )
        say(f"== {assumption(exposure)} ==\n\n{best_offers.as_text(content)}\n")
        contents.append({"offer_exposure": exposure} | content)
    if options.json is not None:
        write_json(options.json, {"assumptions": contents})


def _discount_levels(options: argparse.Namespace, jobs_by: EngineOptions) -> None:
    experiment = Experiment(
        read_config(options.run, trust_code=options.trust_code, cache_dir=options.cache_dir)
    )
    with jobs_by.engine(experiment.config.workers, gpu=experiment.on_gpu) as engine:
        rows = discount_levels.discount_levels(experiment, options.refits, _LEVEL_EPISODES, remark, engine)
    say(discount_levels.as_text(rows))
    if options.json is not None:
        write_json(options.json, {"rows": rows})


@one_thread()
def fidelity() -> None:
    """`bundlegym fidelity [options]`: how like shoppers a user model is; with --check, exit code 1 where it
    misses the bounds."""
    config = parsed(FidelityConfig, config=(tyro.conf.OmitArgPrefixes,))
    missed = run_fidelity(config)
    if config.check:
        for sentence in missed:
            remark(f"misses its bound: {sentence}")
        if missed:
            sys.exit(1)
        remark("every measure keeps its bound")
