"""The two scripts as a person meets them: a run, its resumption, one clear line for each mistake."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

from bundlegym.evaluation import cli
from bundlegym.evaluation.cli import evaluate, guarded, train
from tests.commands import Ended, command
from tests.sealing import edit_sealed
from tests.world import made_once

ROOT = Path(__file__).parents[2]
SMALL = ["--log", "synthetic", "--min-purchases", "10", "--steps", "512", "--ppo.imitate", "16",
         "--n-envs", "16", "--visits", "5", "--fit-epochs", "1", "--planner-episodes", "4",
         "--hindsight-episodes", "4",
         "--greedy", "item-knn", "--judges", "choice", "lookalike", "--episodes", "32",
         "--eval-every", "256", "--device", "cpu", "--workers", "1"]  # fmt: skip
# More workers would each import torch anew; test_parallel.py has two.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, few_steps: None) -> Path:
    def make(folder: Path) -> None:
        done = command(train, *SMALL, "--name", "small", "--cache-dir", str(folder / "cache"), cwd=folder)
        assert done.code == 0, done.err

    return made_once(tmp_path_factory, "by-command", make) / "runs" / "small"


def test_results_hold_every_policy_with_intervals(run):
    rows = json.loads((run / "results.json").read_text(encoding="utf-8"))["rows"]
    assert {row["policy"] for row in rows} == {
        "ppo", "dqn", "ppo, trained at exposure 0", "dqn, trained at exposure 0",
        "ppo, trained at exposure 1", "dqn, trained at exposure 1", "offer_nothing", "random",
        "popularity", "most_bought", "co_purchase", "greedy_item-knn", "planner", "oracle",
        "hindsight",
    }  # fmt: skip
    assert {row["offer_exposure"] for row in rows} == {0.0, 1.0}
    for row in rows:
        gain = row["incremental_margin_per_visit"]
        assert gain["low"] <= gain["mean"] <= gain["high"]


def test_run_folder_tells_how_it_was_made(run):
    assert "--name small" in (run / "command.txt").read_text(encoding="utf-8")
    assert json.loads((run / "config.json").read_text(encoding="utf-8"))["steps"] == 512
    assert list((run / "ppo-0-exposure-0").glob("events.out.tfevents.*"))
    assert (run / "ppo-0-exposure-0" / "checkpoint.safetensors").exists()


def test_fidelity_of_what_was_fitted_is_kept(run):
    figures = json.loads((run / "fidelity.json").read_text(encoding="utf-8"))
    for part in (figures, figures["held_out"]):
        assert 0 < part["ks_complement"]["quantity"] <= 1 and part["shoppers"] > 0


def test_tensorboard_has_the_promised_curves(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "ppo-0-exposure-0"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert "eval/incremental_margin_per_visit" in tags and "time/fps" in tags
    assert any(tag.startswith("train/") for tag in tags)


def test_evaluate_prints_the_table_and_offers(run):
    shown = command(evaluate, str(run), "--cache-dir", str(run.parents[1] / "cache"), cwd=run.parent)
    assert shown.code == 0, shown.err
    assert "planner, oracle, hindsight: 4 episodes" in shown.out
    assert "most_bought" in shown.out and "was offered" in shown.out


def test_the_scripts_are_doors_to_the_same(run, tmp_path):
    def script(name: str, *arguments: str) -> Ended:
        def main() -> None:
            runpy.run_path(str(ROOT / name), run_name="__main__")

        return command(main, *arguments, cwd=tmp_path)

    shown = script("evaluate.py", str(run), "--offers", "0")
    assert shown.code == 0, shown.err
    assert "most_bought" in shown.out
    refused = script("train.py", "--resume", "nowhere")
    assert refused.code == 2 and refused.err.startswith("error: nowhere")


def test_best_offers_are_told_in_words_and_figures(run, tmp_path):
    figures = tmp_path / "best.json"
    arguments = [str(run), "--best-offers", "2", "--visits", "24", "--json", str(figures)]
    shown = command(evaluate, *arguments, cwd=run.parent)
    assert shown.code == 0, shown.err
    assert "expected gain a visit" in shown.out
    under = json.loads(figures.read_text())["assumptions"]
    assert under and all(content["summary"]["visits"] == 24 for content in under)


def test_discount_levels_are_told_with_the_uncertainty_of_the_fit(run, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "_LEVEL_EPISODES", 64)  # of each row
    figures = tmp_path / "levels.json"
    arguments = [str(run), "--discount-levels", "--refits", "2", "--json", str(figures)]
    shown = command(evaluate, *arguments, cwd=run.parent)
    assert shown.code == 0, shown.err
    assert "10% off" in shown.out
    rows = json.loads(figures.read_text())["rows"]
    taken = [row["acceptance_rate"]["mean"] for row in rows if row["offers"] == "most_bought"]
    assert len(rows) == 20 and taken[:5] == sorted(taken[:5])  # a greater discount is taken more often
    assert any(row["incremental_margin_per_visit"]["fit_share"] > 0 for row in rows)


def test_resume_continues_an_unfinished_run(run, tmp_path):
    options = {"agents": ["ppo"], "steps": 768, "judges": [], "planner_episodes": 0}
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_bytes((run / "config.json").read_bytes())
    edit_sealed(tmp_path / "half" / "config.json", **options)
    (tmp_path / "half" / "ppo-0-exposure-0").mkdir()
    checkpoint = "ppo-0-exposure-0/checkpoint.safetensors"
    (tmp_path / "half" / checkpoint).write_bytes((run / checkpoint).read_bytes())
    (tmp_path / "half" / "ppo-0-exposure-0" / "progress.csv").write_text(
        "of the first part", encoding="utf-8"
    )
    cache = str(run.parents[1] / "cache")
    done = command(train, "--resume", "half", "--cache-dir", cache, cwd=tmp_path)
    assert done.code == 0, done.err
    assert "512/768" in done.err and "768/768" in done.err
    assert (tmp_path / "half" / "results.json").exists()
    assert (tmp_path / "half" / "ppo-0-exposure-0" / "progress.csv").read_text(
        encoding="utf-8"
    ) == "of the first part"
    assert (tmp_path / "half" / "ppo-0-exposure-0" / "progress-512.csv").stat().st_size > 100


def small_log(folder: Path, **columns: list) -> str:
    path = folder / "log.csv"
    table = {
        "shopper": [1, 2],
        "item": ["a", "b"],
        "time": ["2024-01-01", "2024-01-02"],
        "price_paid": [1.0, 2.0],
    }
    pd.DataFrame({**table, **columns}).to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--agents", "magic"], ["--agents", "magic", "ppo"]),
        (["--greedy", "magic"], ["--greedy", "magic", "tifu-knn"]),
        (["--user-model", "oracle"], ["--user-model", "oracle", "choice"]),
        (["--log", "absent.csv"], ["absent.csv"]),
        (["--log", "LOG", "--map", "price_paid=cost"], ["log.csv", "cost"]),
        (["--log", "FREE"], ["log.csv", "price_paid"]),
        (["--log", "LOG", "--min-purchases", "1"], ["too small"]),
        (["--log", "BROKEN"], ["broken.parquet"]),
        (["--resume", "nowhere"], ["nowhere", "no such run"]),
        (["--resume", "nowhere", "--steps", "3"], ["--resume", "--steps"]),
        (["--agents"], ["--agents", "ppo"]),
        (["--dqn-steps", "3"], ["--dqn-steps", "--dqn.steps"]),
        (["--ppo.learning-rate", "-1"], ["--ppo.learning-rate", "above 0", "-1"]),
        (["--seed", "-1"], ["--seed", "-1"]),
        (["--log", "synthetic", "--split-seed", "-1"], ["--split-seed", "-1"]),
        (["--min-size", "9"], ["min_size 9"]),
        (["--observation", "magic"], ["observation", "magic", "profile"]),
        (["--observation", "context", "profile"], ["--observation", "shopper, candidates, picked missing"]),
        (
            [
                "--log",
                "synthetic",
                "--min-purchases",
                "10",
                "--user-model",
                "replay",
                "--observation",
                "shopper",
                "context",
                "candidates",
                "picked",
                "forecasts",
            ],
            ["--observation", "no forecasts with replay"],
        ),
        (["--preset", "magic"], ["--preset", "magic", "graph"]),
        (["--shopper-embeddings", "magic"], ["--shopper-embeddings", "magic", "lightgcn"]),
        (
            ["--log", "synthetic", "--min-purchases", "10", "--shopper-embeddings", "item-knn"],
            ["item-knn", "has no vectors of shoppers", "lightgcn"],
        ),
        (
            ["--observation", "shopper", "context", "candidates", "picked", "shopper_embedding"],
            ["--observation", "--shopper-embeddings NAME"],
        ),
        (["--reward", "magic"], ["reward", "magic", "incremental_margin"]),
    ],
)
def test_mistakes_get_one_line_and_code_2(arguments, words, tmp_path, monkeypatch, capsys):
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    stand_in = {
        "LOG": lambda: small_log(tmp_path),
        "FREE": lambda: small_log(tmp_path, price_paid=["free", "2.0"]),
        "BROKEN": lambda: str(tmp_path / "broken.parquet"),
    }
    arguments = [stand_in[a]() if a in stand_in else a for a in arguments]
    refused(arguments, words, tmp_path, monkeypatch, capsys)


CARELESS = """
from bundlegym.user_models import Answer
class Shopper:
    def reset(self, shopper, day): return {}
    def respond(self, state, visit, luck): return Answer(basket={0: -3}, days=-1)
"""


def test_shoppers_who_break_the_contract_are_refused_before_they_are_trained_on(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "careless.py").write_text(CARELESS)
    monkeypatch.setattr(sys, "path", list(sys.path))
    words = ["--user-model careless:Shopper", "quantity -3 is out of range", "days -1 is out of range"]
    arguments = ["--log", "synthetic", "--min-purchases", "10", "--user-model", "careless:Shopper"]
    refused(arguments, words, tmp_path, monkeypatch, capsys)


def refused(arguments, words, tmp_path, monkeypatch, capsys):
    if arguments[0] != "--resume":
        arguments += ["--cache-dir", str(tmp_path / "cache")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    with pytest.raises(SystemExit) as exit:  # in this process, since each start imports torch anew
        guarded(train)
    assert exit.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert all(word in last for word in words), last
    assert not (tmp_path / "runs").exists()
