"""A search over an agent's hyper-parameters: `train.py --sweep TRIALS --agents AGENT [options of train.py]`.

It is a study of Optuna (Akiba et al. 2019), an extra; its `Study` and `Trial` are `Any` here. Each trial
trains the agents that a run would train, all seeds and assumptions, and is worth their mean incremental
margin a visit as they are evaluated while they train: with training shoppers in the validation weeks. The
test weeks, the held-out shoppers and the judges are never looked at, so the best trial still has to prove
itself in a run of its own.

The first trial has the values of the command line and the defaults. Hyper-parameters that the command line
names stay as they are. A trial that at an evaluation lies below the median of the others there is given up.

All is kept below the run's folder, and the same command goes on where it stopped: `sweep.journal` holds the
study, `sweep/NUMBER/` the agents of a trial, `sweep.json` the table.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import shlex
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import field_of
from bundlegym.data.files import write_json
from bundlegym.data.lock import sole_user
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.run import Run
from bundlegym.evaluation.training import evaluated, train
from bundlegym.options import Parser

_JOURNAL, _TABLE = "sweep.journal", "sweep.json"
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


def sweep(run: Run, trials: int, given: Sequence[str]) -> str:
    """Search until the study holds so many trials, and say what came out.

    Args:
        given: the options of the command line, which are not searched.

    Raises:
        UserError: another command is at work on the run.
    """
    with sole_user(run.folder):
        run.fit()
        study = _study(run.folder)
        space = searched(run.config.agents[0], given)
        for _ in range(trials - len(_counted(study))):
            _one_trial(study, run, space)
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
    """`train.py` with the options given and the best hyper-parameters, in a folder of its own."""
    agent, names = config.agents[0], list(best)
    if isinstance(config.hyper.of(agent), PPOConfig) and "learning_rate" in best:
        names.append("final_learning_rate")
    present = configured(config, best)
    chosen = [(_option(agent, name), _shown(_present(present, name))) for name in names]
    parser = Parser(add_help=False)
    parser.add_argument("--name")
    _, others = parser.parse_known_args(list(given))
    name = ("--name", f"{config.folder.name}-best")
    return shlex.join(["python", "train.py", *others, *itertools.chain(*chosen, name)])


def _study(folder: Path) -> Any:
    """The one that the run holds already, or a new one; a trial that was interrupted is begun again."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / _JOURNAL))),
        study_name="sweep",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FIRST),
        load_if_exists=True,
    )
    for trial in study.trials:
        if trial.state == optuna.trial.TrialState.RUNNING:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params, user_attrs={"folder": _folder(trial)})
    return study


def _one_trial(study: Any, run: Run, space: dict[str, Values]) -> None:
    import optuna

    # A sampler of its own for each trial: an interruption does not change what comes after it.
    seed = (run.config.seed + len(_counted(study))) % 2**32
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    if not study.trials:
        study.enqueue_trial({name: _present(run.config, name) for name in space})
    trial = study.ask()
    values = {name: _suggested(trial, name, among) for name, among in space.items()}
    part = run.part(configured(run.config, values), f"sweep/{_folder(trial)}")
    try:
        study.tell(trial, _worth(part, trial))
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)


def _worth(part: Run, trial: Any) -> float:
    """Mean incremental margin a visit of the trial's agents.

    Raises:
        optuna.TrialPruned: at an evaluation, one is below the median of its like.
    """
    import optuna

    steps, every = part.config.steps_of(part.config.agents[0]), part.config.eval_every
    for place, job in enumerate(part.jobs):

        def told(done: int, gain: float, before: int = place * (steps // every)) -> None:
            if done < steps:
                trial.report(gain, before + done // every)
                if trial.should_prune():
                    raise optuna.TrialPruned

        train(part, job, on_evaluation=told)
    return sum(evaluated(part, job) for job in part.jobs) / len(part.jobs)


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


def _folder(trial: Any) -> str:
    """That of a trial's agents; one that is begun again keeps what it had."""
    return trial.user_attrs.get("folder", str(trial.number))


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
