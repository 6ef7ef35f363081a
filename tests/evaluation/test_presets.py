"""Presets are option defaults by name, which the command line overrules."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation.cli import guarded, train
from bundlegym.evaluation.config import TrainConfig, from_json, to_json
from bundlegym.evaluation.presets import PRESETS, train_config


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_changes_its_own_options_and_no_others(name):
    config = train_config(["--preset", name])
    default = {name: value for name, value in vars(TrainConfig()).items()}
    assert vars(config) == default | PRESETS[name] and config != TrainConfig()


def test_without_a_preset_there_are_the_defaults():
    assert train_config([]) == TrainConfig()


def test_what_is_given_overrules_it_wherever_it_stands():
    given = ["--agents", "a2c", "--shopper-embeddings", "", "--preset=graph", "--candidates", "gat"]
    config = train_config(given)
    assert (config.agents, config.candidates, config.shopper_embeddings) == (("a2c",), "gat", "")
    assert config.embeddings == PRESETS["graph"]["embeddings"]


def test_a_run_keeps_what_came_of_it(tmp_path):
    config = train_config(["--preset", "graph", "--runs", str(tmp_path), "--name", "mine"])
    kept = to_json(config)
    assert kept["shopper_embeddings"] == PRESETS["graph"]["shopper_embeddings"] and "preset" not in kept
    read = from_json(kept, config.folder, config.data.cache_dir)
    assert dataclasses.replace(read, runs=config.runs) == config


def test_an_unknown_one_is_answered_with_the_known_ones():
    with pytest.raises(UserError, match="--preset 'magic': is none of graph"):
        train_config(["--preset", "magic"])


def test_the_help_lists_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--help"])
    with pytest.raises(SystemExit) as exit:
        guarded(train)
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert exit.value.code == 0 and "--preset NAME" in said
    assert "`graph`, --agents ppo --candidates lightgcn" in said
