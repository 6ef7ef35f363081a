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
from bundlegym.evaluation.run import Run
from bundlegym.evaluation.sweep import SPACES, check_sweep, configured, searched, sweep

optuna = pytest.importorskip("optuna")

#: Shoppers of stated parameters, whom nothing is fitted for.
GIVEN = ["--agents", "q-learning", "--gamma", "0.9", "--log", "known-optimum", "--min-purchases", "1",
         "--user-model", "bundlegym.user_models.planted:PlantedShopper", "--n-candidates", "10",
         "--beyond-support", "--steps", "1024", "--n-envs", "16", "--episodes", "16", "--eval-every", "512",
         "--device", "cpu", "--visits", "2"]  # fmt: skip


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("sweeps")
    return [*GIVEN, "--runs", str(folder / "runs"), "--cache-dir", str(folder / "cache")]


def made(options: list[str], name: str) -> tuple[Run, list[str]]:
    given = [*options, "--name", name]
    return Run(tyro.cli(TrainConfig, args=given)), given


def trials(run: Run) -> list[dict]:
    return json.loads((run.folder / "sweep.json").read_text(encoding="utf-8"))["trials"]


@pytest.fixture(scope="module")
def whole(options) -> tuple[Run, str]:
    run, given = made(options, "whole")
    return run, sweep(run, 3, given)


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
    sweep(run, 1, given)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sweeping, "_worth", interrupted)
        sweep(run, 3, given)
    sweep(run, 3, given)
    ended = [(row["margin"], row["parameters"]) for row in trials(run) if row["state"] != "fail"]
    assert ended == [(row["margin"], row["parameters"]) for row in trials(whole[0])]


def test_it_looks_at_validation_weeks_and_training_shoppers_alone(whole, monkeypatch):
    run, _ = whole
    seen, core = [], Run.core
    monkeypatch.setattr(Run, "core", lambda self, n, **how: (seen.append(how), core(self, n, **how))[1])  # type: ignore[func-returns-value]
    part = run.part(run.config, "sweep/0")
    study = sweeping._study(run.folder)
    sweeping._worth(part, study.ask())
    test_weeks = run.dataset.split.test_weeks
    assert seen and all(not how["held_out"] and how["weeks"][1] <= test_weeks[0] for how in seen)


def test_a_poor_trial_is_given_up(options):
    run, given = made(options, "poor")
    sweep(run, 1, given)

    class Poor:
        def report(self, gain: float, step: int) -> None:
            self.step = step

        def should_prune(self) -> bool:
            return self.step >= 1

    with pytest.raises(optuna.TrialPruned):
        sweeping._worth(run.part(run.config, "sweep/poor"), Poor())


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
