"""The command lines behind train.py and evaluate.py; wrong input is one line and exit code 2."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import tyro

from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment, read_config, summary
from bundlegym.evaluation.table import format_report, read_results


def guarded(main: Callable[[], None]) -> None:
    """Run a command; a `UserError` becomes one line on stderr and exit code 2."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)


def train() -> None:
    """`train.py [options]` or `train.py --resume runs/NAME`."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--resume"]:
        if len(arguments) != 2:
            raise UserError("--resume takes the folder of a run and no other option")
        config = read_config(Path(arguments[1]))
    else:
        config = tyro.cli(TrainConfig, config=(tyro.conf.OmitArgPrefixes,))
        if (config.folder / "results.json").exists():
            raise UserError(f"{config.folder} holds a finished run; choose another --name, or remove it")
        if (config.folder / "config.json").exists() and read_config(config.folder) != read_config_like(
            config
        ):
            raise UserError(
                f"{config.folder} holds a run with other options; choose another --name, or --resume it"
            )
    experiment = Experiment(config)
    print(format_report(experiment.dataset.report), file=sys.stderr)
    results = experiment.run()
    print(summary(results))
    print(f"\nExample offers:\n{experiment.examples()}\n\nThe run is in {config.folder}")


def read_config_like(config: TrainConfig) -> TrainConfig:
    """The configuration as `read_config` would give it back from its own folder."""
    folder = config.folder.resolve()
    return dataclasses.replace(config, runs=folder.parent, name=folder.name)


def evaluate() -> None:
    """`evaluate.py runs/NAME`: the table again, and a few offers in words."""
    parser = argparse.ArgumentParser(description="Print the results of a run and a few of its offers.")
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/NAME")
    parser.add_argument("--offers", type=int, default=5, help="how many example offers to tell (5)")
    options = parser.parse_args()
    print(summary(read_results(options.run)))
    if options.offers > 0:
        print(f"\nExample offers:\n{Experiment.open(options.run).examples(options.offers)}")
