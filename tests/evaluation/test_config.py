"""What a configuration refuses, and what of somebody else's run is obeyed."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import torch

from bundlegym.data import DataConfig
from bundlegym.data.config import default_cache_dir
from bundlegym.data.sealed import write_sealed_json
from bundlegym.envs import EnvConfig, make_core
from bundlegym.envs.base import BLOCKS
from bundlegym.errors import UserError
from bundlegym.evaluation.cli import evaluate, guarded, train
from bundlegym.evaluation.config import TrainConfig, to_json
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.run_folder import read_config, resuming
from bundlegym.evaluation.table import read_results
from tests.sealing import edit_sealed

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"seed": -1}, "--seed: must be a whole number, from 0 to 4294967295, not -1"),
        ({"seed": 2**32}, "--seed: must be .* not 4294967296"),
        ({"seed": 0.5}, "--seed: must be .* not 0.5"),
        ({"seed": 2**32 - 2, "seeds": 3}, "--seed: 4294967294 is too great"),
        ({"steps": -1}, "--steps: must be a whole number, 0 or more, not -1"),
        ({"gamma": 3.0}, "--gamma: must be from 0 to 1, not 3.0"),
        ({"gamma": -0.1}, "--gamma: must be .* not -0.1"),
        ({"gamma": NAN}, "--gamma: must be .* not nan"),
        ({"offer_exposure": (NAN,)}, "--offer-exposure: must be 0 or more, not nan"),
        ({"offer_exposure": (0.0, INF)}, "--offer-exposure: must be 0 or more, not inf"),
        ({"offer_exposure": (-1.0,)}, "--offer-exposure: must be 0 or more, not -1.0"),
        ({"offer_exposure": (1.0, 1.0)}, "--offer-exposure: 1 is given twice"),
        ({"offer_exposure": (1.0,), "user_model": "lookalike"}, "--offer-exposure: lookalike makes no"),
        ({"bundle_pull": NAN}, "--bundle-pull: must be 0 or more, not nan"),
        ({"bundle_pull": -INF}, "--bundle-pull: must be 0 or more, not -inf"),
        ({"agents": ()}, "--agents: none"),
        ({"also": (Path("a"), Path("b")), "n_envs": 2}, "--n-envs: 2 shoppers at once .* 3 shops"),
        ({"start_from": Path("a"), "embeddings": "als"}, "--embeddings: agents of --start-from know"),
        ({"agents": ("ppo", "ppo")}, "--agents: ppo is named twice"),
        ({"name": ".."}, "--name: '..'"),
        ({"name": "."}, "--name: '.'"),
        ({"name": "../elsewhere"}, "--name: '../elsewhere'"),
        ({"name": "/tmp/elsewhere"}, "--name: '/tmp/elsewhere'"),
        ({"name": "a\0b"}, "--name: 'a.x00b'"),
        ({"name": "é" * 128}, "--name: éé.* is longer than 255 bytes"),
        ({"data": DataConfig(log=f"{'x' * 250}.csv")}, "--name: xx.* is longer than 255 bytes"),
    ],
)
def test_what_is_out_of_range_is_refused_when_the_configuration_is_made(options, words):
    with pytest.raises(UserError, match=words):
        TrainConfig(**options)


def test_limits_themselves_are_taken():
    TrainConfig(seed=2**32 - 1, gamma=1.0, offer_exposure=(0.0,), name="x" * 255, workers=0)
    TrainConfig(gamma=0.0, name="five-seeds.2")


CODE = [
    {"user_model": "stranger:Shopper"},
    {"env": EnvConfig(reward="stranger:reward")},
    {"env": EnvConfig(observation=(*BLOCKS, "stranger:block"))},
]


def strangers_run(folder: Path, **options) -> Path:
    """A finished run that somebody sent: it names code that lies in the working directory, and a cache."""
    data = DataConfig(log="synthetic", cache_dir=folder / "their-cache")
    config = TrainConfig(runs=folder / "their-runs", name="theirs", data=data, **options)
    run = folder / "sent"
    run.mkdir()
    write_sealed_json(run / "config.json", to_json(config))
    write_sealed_json(run / "results.json", {})
    (folder / "stranger.py").write_text("raise SystemExit('imported')\n")
    return run


@pytest.mark.parametrize("options", CODE)
@pytest.mark.parametrize("command", ["evaluate", "resume"])
def test_the_code_of_a_run_is_imported_only_when_the_person_says_so(
    command, options, tmp_path, monkeypatch, capsys
):
    run = strangers_run(tmp_path, **options)
    monkeypatch.chdir(tmp_path)
    main, arguments = (evaluate, [str(run)]) if command == "evaluate" else (train, ["--resume", str(run)])
    monkeypatch.setattr(sys, "argv", ["script", *arguments])
    with pytest.raises(SystemExit) as exit:
        guarded(main)
    assert exit.value.code == 2
    assert "stranger:" in (said := capsys.readouterr().err) and "--trust-code" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sent", "stranger.py"]
    config = read_config(run, trust_code=True, cache_dir=tmp_path / "mine")
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit, match="imported"):
        Experiment(config)


def test_the_paths_of_a_run_are_not_obeyed(tmp_path):
    run = strangers_run(tmp_path)
    config = read_config(run)
    assert config.folder == run.resolve() and config.data.cache_dir == default_cache_dir()
    assert read_config(run, cache_dir=tmp_path / "mine").data.cache_dir == tmp_path / "mine"


@pytest.mark.parametrize(
    "change",
    [{"seed": "../x"}, {"agents": 3}, {"data": None}, {"user_model": 3}, {"gamma": "x"}, {"colour": 1}],
)
def test_a_damaged_configuration_is_refused(change, tmp_path):
    run = strangers_run(tmp_path)
    edit_sealed(run / "config.json", **change)
    with pytest.raises(UserError):
        read_config(run)


@pytest.mark.parametrize("name", ["config.json", "results.json"])
def test_a_file_of_a_run_that_was_edited_is_refused(name, tmp_path):
    run = strangers_run(tmp_path)
    (run / name).write_text((run / name).read_text().replace("files", "fi1es", 1))
    with pytest.raises(UserError, match=rf"{name}.*SHA-256"):
        read_config(run) if name == "config.json" else read_results(run)


def test_the_command_that_goes_on_says_what_the_run_does_not_decide(tmp_path):
    config = TrainConfig(runs=tmp_path, name="mine", user_model="mine:Shopper")
    assert resuming(config) == f"bundlegym train --resume {tmp_path}/mine --trust-code"
    elsewhere = dataclasses.replace(config, user_model="choice", data=DataConfig(cache_dir=Path("a b")))
    assert resuming(elsewhere) == f"bundlegym train --resume {tmp_path}/mine --cache-dir 'a b'"


def test_the_help_tells_of_resuming(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--help"])
    with pytest.raises(SystemExit) as exit:
        train()
    assert exit.value.code == 0 and "--resume runs/NAME" in capsys.readouterr().out


def test_no_gpu_is_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: torch sees no GPU here"):
        Experiment(TrainConfig(device="cuda", runs=tmp_path))
    for device, words in (
        ("cuda", "device cuda: torch sees no GPU"),
        ("magic", "device 'magic': is none of"),
    ):
        with pytest.raises(UserError, match=words):
            make_core(1, device=device)
