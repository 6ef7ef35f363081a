"""A sweep: its first trial is the defaults, it goes on where it stopped, it never sees the test weeks."""

from __future__ import annotations

import json
import shlex

import pytest
import tyro

from bundlegym.data import DataConfig
from bundlegym.errors import UserError
from bundlegym.evaluation import sweep as sweeping
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.fitting import fit
from bundlegym.evaluation.parallel import Processes
from bundlegym.evaluation.run import Run
from bundlegym.evaluation.sweep import SPACES, check_sweep, configured, searched, sweep
from bundlegym.evaluation.training import train
from tests.engines import Backwards

optuna = pytest.importorskip("optuna")

#: Shoppers of stated parameters, whom nothing is fitted for.
GIVEN = ["--agents", "q-learning", "--gamma", "0.9", "--log", "known-optimum", "--min-purchases", "1",
         "--user-model", "bundlegym.user_models.planted:PlantedShopper", "--n-candidates", "10",
         "--beyond-support", "--steps", "512", "--n-envs", "16", "--episodes", "16", "--eval-every", "256",
         "--device", "cpu", "--visits", "2"]  # fmt: skip
ALONE = Processes(1)


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("sweeps")
    return [*GIVEN, "--runs", str(folder / "runs"), "--cache-dir", str(folder / "cache")]


def made(options: list[str], name: str) -> tuple[Run, list[str]]:
    given = [*options, "--name", name]
    return Run(tyro.cli(TrainConfig, args=given)), given


def trials(run: Run) -> list[dict]:
    return json.loads((run.folder / "sweep.json").read_text(encoding="utf-8"))["trials"]


class Watched:
    """A trial that is given up once an evaluation is below `least`."""

    def __init__(self, least: float = -1e9) -> None:
        self.least = least
        self.told: list[tuple[float, int]] = []

    def report(self, gain: float, step: int) -> None:
        self.told.append((gain, step))

    def should_prune(self) -> bool:
        return self.told[-1][0] < self.least


@pytest.fixture(scope="module")
def whole(options) -> tuple[Run, str]:
    run, given = made(options, "whole")
    return run, sweep(run, 3, given, ALONE)


def test_the_first_trial_has_the_defaults_and_what_is_given_is_not_searched(whole):
    run, _ = whole
    found = trials(run)
    hyper = run.config.hyper.of("q-learning")
    assert found[0]["parameters"] == {
        "learning_rate": hyper.learning_rate, "final_exploration": hyper.final_exploration,
    }  # fmt: skip
    assert len(found) == 3 and all(set(row["parameters"]) == set(found[0]["parameters"]) for row in found)
    assert (run.folder / "sweep/2/q-learning-0-exposure-0/checkpoint.safetensors").exists()


def test_the_best_stands_first_and_its_command_makes_that_run(whole):
    run, text = whole
    best = max(trials(run), key=lambda row: row["margin"])
    assert text.splitlines()[3].split()[:2] == [str(best["trial"]), f"{best['margin']:+.4f}"]
    words = shlex.split(text.splitlines()[-1].removeprefix("the best as a run: "))
    config = tyro.cli(TrainConfig, args=words[2:])
    assert config.folder.name == "whole-best" and config.gamma == 0.9
    for name, value in best["parameters"].items():
        assert getattr(config.hyper.of("q-learning"), name) == pytest.approx(value, rel=1e-3)


def test_an_interrupted_sweep_goes_on_and_ends_with_the_same_trials(whole, options, monkeypatch):
    run, given = made(options, "halves")
    sweep(run, 1, given, ALONE)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sweeping, "_tried", interrupted)
        sweep(run, 3, given, ALONE)
    sweep(run, 3, given, ALONE)
    assert trials(run) == trials(whole[0])


def test_who_makes_the_trials_and_in_which_order_does_not_matter(options):
    run, given = made(options, "forwards")
    sweep(run, 4, given, ALONE, batch=2)
    other, given = made(options, "backwards")
    sweep(other, 3, given, engine := Backwards(), batch=2)
    sweep(other, 4, given, engine, batch=2)
    assert trials(other) == trials(run) and engine.done == 4


def test_an_agent_is_evaluated_before_the_checkpoint_that_it_may_go_on_from(options):
    run, _ = made(options, "order")
    fit(run, ALONE, judges=False)
    (job,), there = run.jobs, []
    train(run, job, on_evaluation=lambda steps, gain: there.append(run.checkpoint(job).exists()))
    assert there == [False, True]  # after 256 steps, and at the end


def test_a_trial_that_is_begun_again_knows_how_it_was_evaluated(options, monkeypatch):
    run, _ = made(options, "again")
    fit(run, ALONE, judges=False)
    part = run.part(run.config, "sweep/again")

    def interrupted(part, job, line, on_evaluation):
        on_evaluation(256, 0.125)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sweeping, "train", interrupted)
        sweeping._tried(part, Watched())
    again = Watched()
    assert sweeping._tried(part, again).evaluations == {1: 0.125}
    assert again.told == [(0.125, 1)]


def test_it_looks_at_validation_weeks_and_training_shoppers_alone(whole, monkeypatch):
    run, _ = whole
    seen, core = [], Run.core
    monkeypatch.setattr(Run, "core", lambda self, n, **how: (seen.append(how), core(self, n, **how))[1])  # type: ignore[func-returns-value]
    part = run.part(run.config, "sweep/0")
    sweeping._tried(part, Watched())
    test_weeks = run.dataset.split.test_weeks
    assert seen and all(not how["held_out"] and how["weeks"][1] <= test_weeks[0] for how in seen)


def test_a_poor_trial_is_given_up(options):
    run, given = made(options, "poor")
    sweep(run, 1, given, ALONE)

    found = sweeping._tried(run.part(run.config, "sweep/poor"), Watched(least=1.0))
    assert found.margin is None and list(found.evaluations) == [1]


def test_a_smaller_step_size_ends_smaller():
    config = TrainConfig(agents=("ppo",), data=DataConfig(log="synthetic"))
    found = configured(config, {"learning_rate": 1e-3, "gamma": 0.8})
    assert found.gamma == 0.8 and found.hyper.ppo.final_learning_rate == pytest.approx(1e-4)


@pytest.mark.parametrize("agent", SPACES)
def test_every_space_names_hyper_parameters_that_there_are(agent):
    config = TrainConfig(agents=(agent,))
    values = {name: among[0] for name, among in SPACES[agent].items()}
    assert configured(config, values).hyper.of(agent) != config.hyper.of(agent)
    for name, among in SPACES[agent].items():
        default = sweeping._present(config, name)
        assert default in among if isinstance(among, list) else among[0] <= default <= among[1]
    every = [sweeping._option(agent, name) for name in SPACES[agent]]
    assert searched(agent, []) == SPACES[agent] and not searched(agent, every)


def test_what_cannot_be_swept_is_told():
    with pytest.raises(UserError, match="one agent at a time"):
        check_sweep(TrainConfig(agents=("ppo", "dqn")), [])
    every = ["--gamma=1", "--sarsa.learning_rate=1", "--sarsa.final-exploration", "0"]
    with pytest.raises(UserError, match="sarsa is given already"):
        check_sweep(TrainConfig(agents=("sarsa",)), every)
