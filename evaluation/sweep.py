"""A search over an agent's hyper-parameters: `bundlegym train --sweep TRIALS --agents AGENT [options]`.

It is a study of Optuna (Akiba et al. 2019), an extra; its `Study` and `Trial` are `Any` here. Each trial
trains the agents that a run would train, all seeds and assumptions, and is worth their mean incremental
margin a visit as they are evaluated while they train: with training shoppers in the validation weeks. The
test weeks, the held-out shoppers and the judges are never looked at, so the best trial still has to prove
itself in a run of its own.

The first trial has the values of the command line and the defaults. Hyper-parameters that the command line
names stay as they are. Trials come in batches that are tried side by side: they know the trials of earlier
batches and none of their own, so that it does not matter how many are tried at once, where, and which ends
first. A trial that at an evaluation lies below the median of the earlier ones there is given up.

All is kept below the run's folder, and the same command goes on where it stopped: `sweep.journal` holds the
study, `sweep/NUMBER/` the agents of a trial and how they were evaluated, `sweep.json` the table.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import field_of
from bundlegym.data.files import write_json
from bundlegym.data.lock import sole_user
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.fitting import fit
from bundlegym.evaluation.parallel import Engine
from bundlegym.evaluation.run import Run
from bundlegym.evaluation.training import evaluated, prepare_demonstrations, train
from bundlegym.options import Parser
from bundlegym.threads import one_thread

_JOURNAL, _TABLE, _EVALUATIONS = "sweep.journal", "sweep.json", "evaluations.json"
#: Trials of a batch, unless another number is asked for.
BATCH = 4
#: Trials that are never given up, so that there is a median.
_FIRST = 4
#: Values of a hyper-parameter, the default among them: (least, greatest) on a log scale, or a list.
Values = tuple[float, float] | list[Any]
_GAMMA: dict[str, Values] = {"gamma": [0.7, 0.85, 0.95, 0.98]}
_NETWORK: dict[str, Values] = {"width": [16, 32, 64], "learning_rate": (1e-4, 3e-3)}
_TABULAR: dict[str, Values] = {"learning_rate": (1e-3, 0.2), "final_exploration": (0.01, 0.3)}
_PPO: dict[str, Values] = {
    **_GAMMA,
    **_NETWORK,
    "imitate": [0, 512, 2048],
    "ent_coef": [0.0, 0.001, 0.005, 0.02],
    "n_steps": [16, 32, 64],
    "n_epochs": [1, 2, 4],
    "gae_lambda": [0.8, 0.9, 0.95, 1.0],
}
#: What is searched for each agent, by the names of its configuration; `gamma` is the run's.
SPACES: dict[str, dict[str, Values]] = {
    "ppo": _PPO,
    "dqn": {**_GAMMA, **_NETWORK, "gradient_steps": [2, 4, 8], "final_exploration": (0.01, 0.2)},
    "a2c": {**_GAMMA, **_NETWORK, "ent_coef": [0.0, 0.001, 0.01], "n_steps": [5, 16, 32]},
    "q-learning": {**_GAMMA, **_TABULAR},
    "sarsa": {**_GAMMA, **_TABULAR},
    "ppo-fast": _PPO,
}


def check_sweep(config: TrainConfig, given: Sequence[str]) -> None:
    """Raise a `UserError` where optuna is not installed, there are several agents, or nothing is left to try
    beside the options `given`."""
    if find_spec("optuna") is None:
        raise UserError("--sweep needs the extra `sweep`: pip install 'bundlegym[sweep]'")
    if config.start_from is not None:
        raise UserError("--sweep: agents of another shop have their hyper-parameters; leave out --start-from")
    if len(config.agents) > 1:
        raise UserError(f"--sweep: one agent at a time; give --agents {config.agents[0]}, say")
    if not searched(config.agents[0], given):
        raise UserError(f"--sweep: all that is tried of {config.agents[0]} is given already")


@dataclass(frozen=True)
class Trial:
    """A trial to be made.

    Attributes:
        number: of the study.
        config: the run's options with the hyper-parameters of the trial.
        earlier: of each trial of earlier batches that was not given up, its evaluations by their number.
    """

    number: int
    config: TrainConfig
    earlier: tuple[dict[int, float], ...]

    @property
    def folder(self) -> str:
        """Where its agents are kept in the run."""
        return f"sweep/{self.number}"

    def __str__(self) -> str:
        return f"trial {self.number}"


@dataclass(frozen=True)
class Tried:
    """What came of a trial.

    Attributes:
        margin: mean incremental margin a visit of its agents; None where it was given up.
        evaluations: by their number, those before the last of each agent.
    """

    margin: float | None
    evaluations: dict[int, float]


def sweep(run: Run, trials: int, given: Sequence[str], engine: Engine, batch: int = BATCH) -> str:
    """Search until the study holds so many trials, and say what came out.

    Args:
        given: the options of the command line, which are not searched.
        engine: who makes the trials.
        batch: trials that are made side by side. It decides on what is tried, the engine does not.

    Raises:
        UserError: another command is at work on the run.
    """
    with sole_user(run.folder):
        fit(run, engine, judges=False)
        study, space = _study(run.folder), searched(run.config.agents[0], given)
        while (made := sum(trial.state.is_finished() for trial in study.trials)) < trials:
            end = min((made // batch + 1) * batch, trials)
            for place in range(len(study.trials), end):
                _ask(study, run.config, space, place, _known(study, place, batch))
            asked = [
                Trial(number, configured(run.config, values), _evaluated(_known(study, number, batch)))
                for number, values in _unfinished(study, space)
            ]
            for trial in asked:
                prepare_demonstrations(run.part(trial.config, trial.folder), engine)
            for trial, tried in zip(asked, engine.run(_try, run.place(), asked), strict=True):
                _tell(study, trial.number, tried)
            write_json(run.folder / _TABLE, {"trials": [_row(trial) for trial in study.trials]})
        return as_text(study, run.config, given)


def searched(agent: str, given: Sequence[str]) -> dict[str, Values]:
    """The space of an agent without what the command line names."""
    named = {argument.split("=")[0].replace("_", "-") for argument in given}
    return {name: values for name, values in SPACES[agent].items() if _option(agent, name) not in named}


def configured(config: TrainConfig, values: dict[str, Any]) -> TrainConfig:
    """A run's options with these values; the last step size of an agent keeps its ratio to the first."""
    agent = config.agents[0]
    hyper, changed = config.hyper.of(agent), dict(values)
    gamma = changed.pop("gamma", config.gamma)
    if isinstance(hyper, PPOConfig) and "learning_rate" in changed:
        ratio = hyper.final_learning_rate / hyper.learning_rate
        changed["final_learning_rate"] = changed["learning_rate"] * ratio
    mine: dict[str, Any] = {field_of(agent): dataclasses.replace(hyper, **changed)}
    return dataclasses.replace(config, gamma=gamma, hyper=dataclasses.replace(config.hyper, **mine))


def as_text(study: Any, config: TrainConfig, given: Sequence[str]) -> str:
    """The trials of a study, best first, and the command that makes a run of the best."""
    done = sorted(_counted(study), key=lambda trial: math.inf if _given_up(trial) else -trial.value)
    names = sorted({name for trial in done for name in trial.params})
    lines = [f"{config.agents[0]}: incremental margin a visit, training shoppers, validation weeks", ""]
    lines.append("".join(f"{name:>19}" for name in ("trial", "margin", *names)))
    for trial in done:
        worth = "given up" if _given_up(trial) else f"{trial.value:+.4f}"
        cells = [str(trial.number), worth, *(_shown(trial.params.get(name, "")) for name in names)]
        lines.append("".join(f"{cell:>19}" for cell in cells))
    return "\n".join([*lines, "", f"the best as a run: {command(config, study.best_params, given)}"])


def command(config: TrainConfig, best: dict[str, Any], given: Sequence[str]) -> str:
    """`bundlegym train` with the options given and the best hyper-parameters, in a folder of its own."""
    agent, names = config.agents[0], list(best)
    if isinstance(config.hyper.of(agent), PPOConfig) and "learning_rate" in best:
        names.append("final_learning_rate")
    present = configured(config, best)
    chosen = [(_option(agent, name), _shown(_present(present, name))) for name in names]
    parser = Parser(add_help=False)
    parser.add_argument("--name")
    _, others = parser.parse_known_args(list(given))
    name = ("--name", f"{config.folder.name}-best")
    return shlex.join(["bundlegym", "train", *others, *itertools.chain(*chosen, name)])


def _study(folder: Path) -> Any:
    """The one that the run holds already, or a new one; what was asked for and not yet begun is begun."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / _JOURNAL))),
        study_name="sweep",
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(),  # never asked: all is told what to try
        load_if_exists=True,
    )
    for _ in study.get_trials(states=[optuna.trial.TrialState.WAITING]):
        study.ask()
    return study


def _ask(study: Any, config: TrainConfig, space: dict[str, Values], place: int, known: list[Any]) -> None:
    """Begin the trial at a place, chosen by what the `known` ones were worth."""
    import optuna

    # A sampler of its own for each trial: an interruption does not change what comes after it.
    sampler = optuna.samplers.TPESampler(seed=(config.seed + place) % 2**32)
    view = optuna.create_study(direction="maximize", sampler=sampler)
    view.add_trials(known)
    if place == 0:
        view.enqueue_trial({name: _present(config, name) for name in space})
    study.enqueue_trial(_values(view.ask(), space))
    study.ask()


def _values(trial: Any, space: dict[str, Values]) -> dict[str, Any]:
    return {name: _suggested(trial, name, among) for name, among in space.items()}


def _known(study: Any, place: int, batch: int) -> list[Any]:
    """The trials of earlier batches than that of a place."""
    return [trial for trial in _counted(study) if trial.number < place // batch * batch]


def _evaluated(trials: list[Any]) -> tuple[dict[int, float], ...]:
    return tuple(trial.intermediate_values for trial in trials if not _given_up(trial))


def _unfinished(study: Any, space: dict[str, Values]) -> list[tuple[int, dict[str, Any]]]:
    """Number and hyper-parameters of each trial that was begun and has not come to an end."""
    return [
        (trial.number, _values(_open(study, trial.number), space))
        for trial in study.trials
        if trial.state.name == "RUNNING"
    ]


def _open(study: Any, number: int) -> Any:
    """A trial that was begun, in this process or another one."""
    import optuna

    return optuna.trial.Trial(study, study.trials[number]._trial_id)


def _tell(study: Any, number: int, tried: Tried) -> None:
    import optuna

    for step, gain in tried.evaluations.items():
        _open(study, number).report(gain, step)
    given_up = tried.margin is None
    study.tell(number, tried.margin, state=optuna.trial.TrialState.PRUNED if given_up else None)


@one_thread()
def _try(run: Run, trial: Trial, line: int) -> Tried:
    """Make a trial, or what is left of it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_FIRST)
    view = optuna.create_study(direction="maximize", pruner=pruner)
    view.add_trials([optuna.create_trial(value=0.0, intermediate_values=one) for one in trial.earlier])
    return _tried(run.part(trial.config, trial.folder), view.ask(), line)


def _tried(part: Run, watched: Any, line: int = 0) -> Tried:
    """Train and evaluate the agents of a trial; where at an evaluation one is below the median of its like,
    as `watched` tells, the trial is given up. Evaluations are kept, so that one that is begun again knows
    them."""
    import optuna

    steps, every = part.config.steps_of(part.config.agents[0]), part.config.eval_every
    path = part.agents_folder / _EVALUATIONS
    evaluations = _read(path)

    def weigh(number: int, gain: float) -> None:
        watched.report(gain, number)
        if watched.should_prune():
            raise optuna.TrialPruned

    try:
        for number, gain in evaluations.items():
            weigh(number, gain)
        for place, job in enumerate(part.jobs):

            def told(done: int, gain: float, before: int = place * (steps // every)) -> None:
                number = before + done // every
                if done < steps and number not in evaluations:
                    evaluations[number] = gain
                    write_json(path, {"evaluations": list(evaluations.items())})
                    weigh(number, gain)

            train(part, job, line, on_evaluation=told)
    except optuna.TrialPruned:
        return Tried(None, evaluations)
    return Tried(sum(evaluated(part, job) for job in part.jobs) / len(part.jobs), evaluations)


def _read(path: Path) -> dict[int, float]:
    """The evaluations of a trial that was begun before, by their number."""
    return dict(json.loads(path.read_text(encoding="utf-8"))["evaluations"]) if path.exists() else {}


def _option(agent: str, name: str) -> str:
    """What the command line calls a hyper-parameter of a space."""
    return "--gamma" if name == "gamma" else f"--{agent}.{name}".replace("_", "-")


def _present(config: TrainConfig, name: str) -> Any:
    """The value that a hyper-parameter has in a run's options."""
    return config.gamma if name == "gamma" else getattr(config.hyper.of(config.agents[0]), name)


def _suggested(trial: Any, name: str, among: Values) -> Any:
    if isinstance(among, list):
        return trial.suggest_categorical(name, among)
    return trial.suggest_float(name, *among, log=True)


def _counted(study: Any) -> list[Any]:
    """Trials that came to an end or were given up."""
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _given_up(trial: Any) -> bool:
    return trial.state.name == "PRUNED"


def _row(trial: Any) -> dict[str, Any]:
    """What `sweep.json` says of a trial."""
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "margin": None if _given_up(trial) else trial.value,
        "evaluations": list(trial.intermediate_values.values()),
        "parameters": trial.params,
    }


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
