"""`bundlegym fidelity`, also `evaluate.py --fidelity`: how like a log's shoppers a user model is."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundlegym.data import DataConfig, Dataset, prepare
from bundlegym.data.checked import Options, Seed, check_folder, check_output
from bundlegym.data.files import write_json
from bundlegym.devices import device_of
from bundlegym.errors import UserError
from bundlegym.evaluation import sensitivity
from bundlegym.evaluation.population import checked
from bundlegym.plugins import load
from bundlegym.terminal import remark, say
from bundlegym.user_models import UserModel
from bundlegym.user_models.choice.estimation.mechanisms import check_mechanisms
from bundlegym.user_models.registry import FAMILIES, parse_arguments


@dataclass(frozen=True)
class FidelityConfig(Options):
    """Fit a user model on all weeks before the test weeks, and compare what it buys in these with the log."""

    user_model: str = "choice"
    """Who is judged: choice, lookalike, replay, sequence, or module:Class of your own, installed or in the
    working directory."""

    user_model_args: tuple[str, ...] = ()
    """Arguments of a class of your own, as name=value."""

    seed: Seed = 0
    """Seed of the fit and of the simulations."""

    suite: Path | None = None
    """Instead, measure on each log in this folder, and print one table; NAME.toml is the columns file of the
    log NAME, an empty file stands for a built-in log; with --json, logs that are in the file are not measured
    again."""

    check: bool = False
    """Exit with 1, and name the rows, where a measure misses its bound (docs/fidelity.md)."""

    ablate: tuple[str, ...] | None = None
    """Instead, fit choice without each of these mechanisms in turn, all of them where none is named, and
    print what it costs on validation weeks; with --json, rows that are in the file are not made again."""

    sweep: bool = False
    """Also play a simple policy under a range of each assumption of choice."""

    json: Path | None = None
    """File for the figures."""

    page: Path | None = None
    """Folder for a page with plots."""

    device: str = "auto"
    """Of a class of your own that takes one: auto, cpu or cuda."""

    data: DataConfig = field(default_factory=DataConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_output("--json", self.json)
        if self.page is not None:
            check_folder("--page", self.page)
        if self.user_model not in FAMILIES and ":" not in self.user_model:
            known = ", ".join(FAMILIES)
            raise UserError(
                f"--user-model: unknown user model {self.user_model!r}; known are {known}, or module:Class"
            )
        if self.user_model_args and ":" not in self.user_model:
            raise UserError(f"--user-model-args: {self.user_model} takes none; they are for module:Class")
        if self.suite is not None:
            for option, asked in (
                ("--ablate", self.ablate is not None), ("--sweep", self.sweep), ("--page", self.page),
                ("--log", self.data.log != DataConfig.log), ("--user-model", ":" in self.user_model),
            ):  # fmt: skip
                if asked:
                    raise UserError(f"--suite takes no {option}, and no class of your own")
        if self.ablate is not None:
            check_mechanisms(self.ablate, "--ablate")
            for option, given in (
                ("--check", self.check), ("--sweep", self.sweep), ("--page", self.page),
                ("--seed", self.seed), ("--user-model", self.user_model != "choice"),
            ):  # fmt: skip
                if given:
                    raise UserError(f"--ablate fits choice with seeds of its own and takes no {option}")
        if self.sweep and self.user_model != "choice":
            raise UserError(f"--sweep: {self.user_model} makes no assumptions to vary; choice does")


def run(config: FidelityConfig) -> list[str]:
    """Measure, print and keep; the measures that miss their bounds.

    Raises:
        UserError: the log is too small, or the user's own shoppers do not keep the contract.
    """
    # Plots and classifiers are loaded by those who ask for them.
    from bundlegym.evaluation.fidelity import ablation, suite
    from bundlegym.evaluation.fidelity.bounds import failures
    from bundlegym.evaluation.fidelity.page import write_page
    from bundlegym.evaluation.fidelity.report import as_json, as_text, check_comparable, fidelity

    if config.suite is not None:
        found = suite.run_suite(
            config.suite, config.user_model, config.data, seed=config.seed, kept=config.json, progress=_say
        )
        say(suite.as_table(found))
        return [f"{name}: {text}" for name, one in found.items() for text in one.get("failures", [])]
    dataset = prepare(config.data)
    if config.ablate is not None:
        rows = ablation.ablate(dataset, config.ablate, kept=config.json, progress=_say)
        say(ablation.as_text(rows))
        return []
    check_comparable(dataset, dataset.split.test_weeks)
    how: Any = {"seed": config.seed, "cache": config.data.cache_dir, "progress": _say}
    model, notes = _own(config, dataset) if ":" in config.user_model else (None, [])
    results = fidelity(config.user_model, dataset, model=model, **how)
    content = as_json(config.user_model, dataset, results)
    content["notes"] += notes
    content["failures"] = failures(content)
    text = as_text(content)
    if config.sweep:
        content["sweep"] = sensitivity.sweep(dataset, **how)
        text = f"{text}\n\n{sensitivity.as_text(content['sweep'])}"
    say(text)
    if config.json is not None:
        write_json(config.json, content)
    if config.page is not None:
        say(f"\nThe page is {write_page(config.page, content, results['known'].samples, text)}")
    return content["failures"]


def _own(config: FidelityConfig, dataset: Dataset) -> tuple[UserModel, list[str]]:
    """The user's own shoppers, fitted on the weeks before the test weeks where their class lets one say so;
    and what must be said where not."""
    split, spec = dataset.split, config.user_model
    given = parse_arguments(config.user_model_args)
    named = load(spec, "--user-model")
    known = _parameters(getattr(named, "fit", named))
    usual = {"weeks": (split.train_weeks[0], split.test_weeks[0]), "seed": config.seed}
    arguments = {name: value for name, value in usual.items() if name in known} | given
    model = checked(spec, arguments, dataset, device_of(config.device, "--device"), check=True)
    if "weeks" in arguments:
        return model, []
    return model, [f"{spec} takes no weeks to be fitted on, so that it may have seen the test weeks"]


def _parameters(make: Any) -> list[str]:
    try:
        return list(inspect.signature(make).parameters)
    except (TypeError, ValueError):
        return []


def _say(text: str) -> None:
    remark(text)
