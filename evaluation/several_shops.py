"""One agent from several logs: `bundlegym train --log a.csv --log b.csv`, a run a shop.

The first log's run trains the agents, beside the shops of the others (`--also`). The run of each other log
then starts from these agents (`--start-from`) and leaves them as they are: it judges them in its own shop, by
its own judges, and is what offers to its shoppers are made from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bundlegym.agents.registry import field_of
from bundlegym.data import prepare
from bundlegym.data.files import private_files
from bundlegym.data.lock import sole_user
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.run import Run
from bundlegym.options import Parser
from bundlegym.terminal import remark


def by_log(arguments: Sequence[str]) -> list[list[str]]:
    """The arguments of each log's run, where --log is given several times; else those that are given. A
    --columns belongs to the log of its place, or to all where there is one.

    Raises:
        UserError: there are several --columns, and not as many as logs.
    """
    parser = Parser(add_help=False)
    parser.add_argument("--log", action="append", default=[])
    parser.add_argument("--columns", action="append", default=[])
    given, others = parser.parse_known_args(list(arguments))
    if len(given.log) < 2:
        return [list(arguments)]
    columns = given.columns * len(given.log) if len(given.columns) == 1 else given.columns
    if columns and len(columns) != len(given.log):
        raise UserError(f"--columns: give one, or one for each of the {len(given.log)} logs, in their order")
    of_each = [["--columns", name] for name in columns] or [[]] * len(given.log)
    return [[*others, "--log", log, *more] for log, more in zip(given.log, of_each, strict=True)]


def joined_runs(configs: Sequence[TrainConfig]) -> list[TrainConfig]:
    """The runs of several logs: the one that trains, then those that start from it. All may offer the
    discounts that every log knows well.

    Raises:
        UserError: two logs have the same name, or no discount is common to all.
    """
    named = [_named(config) for config in configs]
    if len({config.folder for config in named}) < len(named):
        raise UserError("--log: two logs have the same name; give their files different ones")
    known = [population.supported(config, prepare(config.data))[0].discounts for config in named]
    levels = tuple(level for level in known[0] if all(level in others for others in known))
    if not levels:
        raise UserError("--discounts: the logs know none in common; give 0, or --beyond-support")
    if levels != named[0].env.discounts:
        told = ", ".join(f"{level:.0%}" for level in levels)
        remark(f"every log knows promotions well enough to offer {told} off; no shop offers more")
    first, *others = (
        dataclasses.replace(config, env=dataclasses.replace(config.env, discounts=levels)) for config in named
    )
    first = dataclasses.replace(first, also=(*first.also, *(other.folder for other in others)))
    return [first, *(_as_it_is(other, first.folder) for other in others)]


def fit_apart(config: TrainConfig) -> None:
    """Begin the run of a further shop and fit its shoppers, from whom the first run's agents learn."""
    run = Run(config)
    with sole_user(run.folder), private_files():
        _ = run.user_models


def _named(config: TrainConfig) -> TrainConfig:
    """With the log's name behind the run's, where the run has one."""
    if not config.name:
        return config
    return dataclasses.replace(config, name=f"{config.name}-{Path(config.data.log).stem}")


def _as_it_is(config: TrainConfig, source: Path) -> TrainConfig:
    """A run whose agents are those of another."""
    none: dict[str, Any] = {
        field_of(agent): dataclasses.replace(config.hyper.of(agent), steps=0) for agent in config.agents
    }
    hyper = dataclasses.replace(config.hyper, **none)
    return dataclasses.replace(config, start_from=source, also=(), hyper=hyper, steps=0)
