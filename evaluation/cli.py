"""The command lines behind train.py and evaluate.py; wrong input is one line and exit code 2."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import tyro

from bundlegym.agents.planner import Planner
from bundlegym.data import DataConfig, prepare
from bundlegym.data.config import default_cache_dir
from bundlegym.data.files import write_json
from bundlegym.errors import UserError, guarded
from bundlegym.evaluation import best_offers, sensitivity
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment, read_config
from bundlegym.evaluation.summary import assumption, summary
from bundlegym.evaluation.table import format_report, read_results
from bundlegym.threads import one_thread
from bundlegym.user_models.registry import FAMILIES

__all__ = ["evaluate", "guarded", "train"]


_RESUME = "`--resume runs/NAME [--trust-code] [--cache-dir DIR]` goes on with a run that was interrupted."


@one_thread()
def train() -> None:
    """`train.py [options]` or `train.py --resume runs/NAME`."""
    if any(argument.split("=")[0] == "--resume" for argument in sys.argv[1:]):
        config = _resumed()
    else:
        about = f"{TrainConfig.__doc__} {_RESUME}"
        config = tyro.cli(TrainConfig, description=about, config=(tyro.conf.OmitArgPrefixes,))
        if (config.folder / "results.json").exists():
            raise UserError(f"{config.folder} holds a finished run; choose another --name, or remove it")
        # The code of the run that is there is not imported: it is compared, and what was asked for is run.
        if (config.folder / "config.json").exists() and read_config(
            config.folder, trust_code=True, cache_dir=config.data.cache_dir
        ) != read_config_like(config):
            raise UserError(
                f"{config.folder} holds a run with other options; choose another --name, or --resume it"
            )
    experiment = Experiment(config)
    print(format_report(experiment.dataset.report), file=sys.stderr)
    results = experiment.run()
    print(summary(results))
    print(f"\nExample offers:\n{experiment.examples()}\n\nThe run is in {config.folder}")


def _resumed() -> TrainConfig:
    """The configuration of the run that --resume names."""
    parser = argparse.ArgumentParser(description="Go on with a run as it was begun.", allow_abbrev=False)
    parser.add_argument("--resume", type=Path, required=True, help="folder of the run, such as runs/NAME")
    _add_run_options(parser)
    options, others = parser.parse_known_args()
    if others:
        raise UserError(f"--resume goes on with the run's own options; it takes no {others[0]}")
    return read_config(options.resume, trust_code=options.trust_code, cache_dir=options.cache_dir)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
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
    best, taken apart; `--fidelity`: a user model's."""
    parser = argparse.ArgumentParser(
        description="Print a run's results and a few of its offers, or how like shoppers a user model is."
    )
    parser.add_argument("run", type=Path, nargs="?", help="folder of a finished run, such as runs/NAME")
    parser.add_argument("--offers", type=int, default=5, help="how many example offers to tell (5)")
    _add_run_options(parser)
    parser.add_argument(
        "--best-offers", type=int, default=0, metavar="N",
        help="plan with the run's user model and take its N best offers apart",
    )  # fmt: skip
    parser.add_argument("--visits", type=int, default=640, help="visits that --best-offers plans (640)")
    parser.add_argument("--fidelity", action="store_true", help="fit a user model and judge it")
    parser.add_argument("--log", default=DataConfig.log, help="log for --fidelity (%(default)s)")
    parser.add_argument("--user-model", default="choice", help=f"for --fidelity: {', '.join(FAMILIES)}")
    parser.add_argument("--seed", type=int, default=0, help="seed of fit and simulation for --fidelity (0)")
    parser.add_argument(
        "--sweep", action="store_true", help="with --fidelity: a policy under a range of each assumption"
    )
    parser.add_argument("--json", type=Path, help="file for the figures of --fidelity, --best-offers")
    parser.add_argument("--page", type=Path, help="folder for a page with plots of --fidelity")
    options = parser.parse_args()
    if options.fidelity:
        return _fidelity(options)
    for name in ("sweep", "page"):
        if getattr(options, name):
            raise UserError(f"--{name} goes with --fidelity")
    if options.run is None:
        raise UserError("give the folder of a run, such as runs/NAME, or --fidelity")
    if options.best_offers:
        return _best_offers(options)
    if options.json:
        raise UserError("--json goes with --fidelity or --best-offers")
    results = read_results(options.run)
    if options.offers < 1:
        return print(summary(results))
    config = read_config(options.run, trust_code=options.trust_code, cache_dir=options.cache_dir)
    print(summary(results))
    print(f"\nExample offers:\n{Experiment(config).examples(options.offers)}")


def _best_offers(options: argparse.Namespace) -> None:
    for name in ("best_offers", "visits"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')}: {getattr(options, name)} is less than 1")
    config = read_config(options.run, trust_code=options.trust_code, cache_dir=options.cache_dir)
    experiment, contents = Experiment(config), []
    for exposure, model in experiment.user_models.items():
        content = best_offers.best_offers(
            experiment.judging_core(options.visits, model),
            Planner(model),
            experiment.dataset,
            options.best_offers,
            lambda text: print(text, file=sys.stderr),
        )
        print(f"== {assumption(exposure)} ==\n\n{best_offers.as_text(content)}\n")
        contents.append({"offer_exposure": exposure} | content)
    if options.json is not None:
        write_json(options.json, {"assumptions": contents})


def _fidelity(options: argparse.Namespace) -> None:
    if options.seed < 0:
        raise UserError(f"--seed: {options.seed} is less than 0")
    if options.user_model not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise UserError(f"--user-model: unknown user model {options.user_model!r}; known are {known}")
    if options.sweep and options.user_model != "choice":
        raise UserError(f"--sweep: {options.user_model} makes no assumptions to vary; choice does")
    # Plots and classifiers are loaded by those who ask for them.
    from bundlegym.evaluation.fidelity.page import write_page
    from bundlegym.evaluation.fidelity.report import as_json, as_text, fidelity

    data = DataConfig(log=options.log, cache_dir=options.cache_dir)
    dataset = prepare(data)
    how: Any = {
        "seed": options.seed,
        "cache": data.cache_dir,
        "progress": lambda text: print(text, file=sys.stderr),
    }
    results = fidelity(options.user_model, dataset, **how)
    content = as_json(options.user_model, dataset, results)
    text = as_text(content)
    if options.sweep:
        content["sweep"] = sensitivity.sweep(dataset, **how)
        text = f"{text}\n\n{sensitivity.as_text(content['sweep'])}"
    print(text)
    if options.json is not None:
        write_json(options.json, content)
    if options.page is not None:
        print(f"\nThe page is {write_page(options.page, content, results['known'].samples, text)}")
