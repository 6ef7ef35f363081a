"""`bundlegym experiment plan|read` and `bundlegym learn-offers`."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from bundlegym.data import DataConfig, Dataset, prepare
from bundlegym.data.checked import Count, Options, Part, Seed, Whole, check_output
from bundlegym.data.files import write_csv, write_json
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test import plan, reading
from bundlegym.evaluation.field_test.design import Design, Gain, expected_gains
from bundlegym.evaluation.field_test.learn import as_text, learn
from bundlegym.evaluation.field_test.off_policy import read_target
from bundlegym.evaluation.field_test.offer_log import read_offers
from bundlegym.evaluation.field_test.outcomes import day_of
from bundlegym.evaluation.run_folder import read_config
from bundlegym.evaluation.table import read_results
from bundlegym.options import parsed
from bundlegym.terminal import remark, say
from bundlegym.user_models import ChoiceShopper


@dataclass(frozen=True)
class PlanConfig(Options):
    """Plan the field experiment that would show a run's gain, from the log's own past; with --assignment,
    draw who is offered."""

    run: tyro.conf.Positional[Path | None] = None
    """Folder of a finished run, such as runs/NAME; or give a log, and --effect."""

    effect: float | None = None
    """Incremental margin a visit that is expected, in place of what the run's judges say."""

    weeks: Whole = 0
    """How long the test lasts; 0 takes the shortest of 1, 2, 4, 8, 12 weeks that shows the gain."""

    before: Count = 12
    """Weeks before the test that are adjusted for; who bought nothing in them does not take part."""

    share: Part = 0.5
    """Share of the households that is offered."""

    power: Part = 0.8
    """Chance with which the expected gain is to be found."""

    alpha: Part = 0.05
    """Level of the two-sided test."""

    splits: Count = 2000
    """Random assignments in the A/A check."""

    seed: Seed = 0
    """Of the A/A check, and of the assignment."""

    assignment: Path | None = None
    """File for who is in which arm: CSV of shopper, arm."""

    households: Whole = 0
    """So many households take part, drawn at random; 0 for all."""

    json: Path | None = None
    """File for the figures."""

    data: DataConfig = field(default_factory=DataConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_output("--json", self.json)
        check_output("--assignment", self.assignment)
        Design(self.share, self.power, self.alpha)  # which checks its own
        _check_one_log(self)


@dataclass(frozen=True)
class ReadConfig(Options):
    """Read a field experiment back: the log with its weeks, and who was in which arm."""

    arms: tyro.conf.Positional[Path]
    """File with shopper and arm, as `plan --assignment` writes it."""

    start: str
    """First day of the test, as 2024-05-13."""

    weeks: Count
    """That it lasted."""

    before: Count = 12
    """Weeks before it to adjust for."""

    share: Part = 0.5
    """Share of the households that was to be offered."""

    alpha: Part = 0.05
    """Level of the two-sided test; intervals hold the rest."""

    json: Path | None = None
    """File for the figures."""

    data: DataConfig = field(default_factory=DataConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_output("--json", self.json)
        Design(self.share, alpha=self.alpha)  # which checks its own


def experiment() -> None:
    """`bundlegym experiment plan [RUN] [options]` or `bundlegym experiment read ARMS [options]`."""
    commands = {"plan": _plan, "read": _read}
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in commands:
        if name in ("--help", "-h"):
            say(f"{experiment.__doc__}\nEach has a --help of its own.")
            return
        wrong = f"unknown word {name!r}" if name else "nothing to do"
        raise UserError(f"{wrong}; say experiment plan or experiment read")
    del sys.argv[1]
    sys.argv[0] += f" {name}"
    commands[name]()


def _plan() -> None:
    config = parsed(PlanConfig, config=(tyro.conf.OmitArgPrefixes,))
    test = Design(config.share, config.power, config.alpha)
    data, gains = _expected(config)
    dataset = whole_log(data)
    content = plan.plan(
        dataset, gains, test, weeks=config.weeks, before=config.before, splits=config.splits, seed=config.seed
    )
    say(plan.as_text(content))
    if config.assignment is not None:
        table = plan.assignment(
            dataset, test, before=config.before, households=config.households, seed=config.seed
        )
        write_csv(config.assignment, table)
        counts = table["arm"].value_counts()
        say(
            f"\n{config.assignment}: {counts['offers']:,} households in the arm 'offers' and "
            f"{counts['control']:,} in 'control', a simple random draw with seed {config.seed}"
        )
    if config.json is not None:
        write_json(config.json, content)


def _expected(config: PlanConfig) -> tuple[DataConfig, list[Gain]]:
    """The log, and what is expected of a test."""
    given = config.effect
    stated = [] if given is None else [Gain("as stated", "--effect", None, given, given, given)]
    if config.run is None:
        if not stated:
            raise UserError("give the folder of a run, such as runs/NAME, or --effect and a log")
        return config.data, stated
    # None of the run's code is imported: only its log and its figures are read.
    run = read_config(config.run, trust_code=True, cache_dir=config.data.cache_dir)
    return run.data, stated or expected_gains(read_results(config.run))


def _read() -> None:
    config = parsed(ReadConfig, config=(tyro.conf.OmitArgPrefixes,))
    dataset = whole_log(config.data)
    content = reading.read(
        dataset,
        config.arms,
        day_of(dataset, config.start, "--start"),
        config.weeks,
        before=config.before,
        share=config.share,
        alpha=config.alpha,
    )
    say(reading.as_text(content))
    if config.json is not None:
        write_json(config.json, content)


def whole_log(data: DataConfig) -> Dataset:
    """A log with all of its items, however rarely bought: a household's margin is that of all it bought."""
    return prepare(dataclasses.replace(data, min_purchases=1))


def _check_one_log(config: PlanConfig | LearnConfig) -> None:
    if config.run is not None and config.data != DataConfig(cache_dir=config.data.cache_dir):
        raise UserError("a run has a log of its own; give no options of a log beside it")


@dataclass(frozen=True)
class LearnConfig(Options):
    """Learn from the offers that were made and from what was bought then: the measured gain, what other
    policies would have earned, and the numbers that are assumed until then (docs/experiment.md)."""

    offers: Path
    """The offer log: offer_id, shopper, time, items, discount; propensity, arm, taken, basket, held_back."""

    run: tyro.conf.Positional[Path | None] = None
    """Folder of a run whose log, as it is now, holds what followed; or give options of a log."""

    policy: tuple[str, ...] = ()
    """Other policies, as NAME=FILE: a table of offer_id (or shopper, time), items, discount, probability."""

    window: Count = 7
    """Days after a decision whose purchases count as its own, where the offer log names no baskets."""

    draws: Count = 32
    """Simulated lucks of each visit, in the estimates of the two numbers."""

    fit_epochs: Count = 3
    """Passes over the visits when choice is fitted to the weeks before the offers."""

    seed: Seed = 0
    """Of the fit and of the simulated lucks."""

    json: Path | None = None
    """File for the figures; `bundlegym train --offers FILE` takes the two numbers from it."""

    data: DataConfig = field(default_factory=DataConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_output("--json", self.json)
        _check_one_log(self)


def learn_offers() -> None:
    """`bundlegym learn-offers [RUN] --offers FILE [options]`."""
    config = parsed(LearnConfig, config=(tyro.conf.OmitArgPrefixes,))
    data = config.data
    if config.run is not None:
        data = read_config(config.run, trust_code=True, cache_dir=data.cache_dir).data
    dataset = prepare(data)
    log = read_offers(config.offers, dataset, config.window)
    targets = {}
    for pair in config.policy:
        name, equals, file = pair.partition("=")
        if not (name and equals and file):
            raise UserError(f"--policy {pair!r}: must be of the form NAME=FILE")
        targets[name] = read_target(Path(file), log, dataset)

    def fitted(weeks: tuple[int, int]) -> ChoiceShopper:
        return ChoiceShopper.fit(
            dataset, weeks=weeks, epochs=config.fit_epochs, seed=config.seed, cache=data.cache_dir,
            progress=remark,
        )  # fmt: skip

    content = learn(dataset, log, targets, fitted, draws=config.draws, seed=config.seed)
    say(as_text(content))
    if config.json is not None:
        write_json(config.json, content)
