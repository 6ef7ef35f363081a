"""`bundlegym` as a person meets it: help, version, one line for what it does not know."""

from __future__ import annotations

import importlib
import sys

import pytest

import bundlegym
from bundlegym.__main__ import COMMANDS, main


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bundlegym", *arguments])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_help_tells_each_command_in_a_line_and_an_example(monkeypatch, capsys):
    assert call(monkeypatch, "--help") == 0
    told = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert command.purpose in told and f"bundlegym {name} {command.example}" in told


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there(name):
    module, _, function = COMMANDS[name].function.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_version(monkeypatch, capsys):
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"bundlegym {bundlegym.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("trian",), ("--verbose",)])
def test_what_is_no_command_is_one_line_and_code_2(arguments, monkeypatch, capsys):
    assert call(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and len(printed.err.splitlines()) == 1
    assert "recommend" in printed.err


NAME = "x" * 300


@pytest.mark.parametrize(
    "line",
    [
        "train --gamma 3", "train --gamma nan", "train --seed -1", "train --seed 99999999999",
        "train --episodes 0", "train --discounts nan", "train --discounts 0 1", "train --held-out-share 2",
        "train --offer-exposure nan", "train --bundle-pull inf", "train --visits -1", "train --runs file",
        "train --name ..", f"train --name {NAME}", f"train --runs {NAME}", "train --map item=SKU",
        "train --sweep 0", "train --sweep 3", "train --log synthetic --table items=file",
        "train --cache-dir file", "train --gross-margin nan",
        "train --ppo.learning-rate nan", "train --dqn.buffer-size 0", "train --max-quantity 0",
        "fidelity --seed -1", "fidelity --json .", "fidelity --page file", "fidelity --test-share nan",
        "recommend run --explore nan", "recommend run --budget -1", "recommend run --out .",
        "recommend run --out file/offers.csv", "recommend run --draws 0", "recommend run --least-margin inf",
        "export run file", "export run policy --offer-exposure nan", "export run policy --agent-seed -1",
        "serve policy --port 0", "serve policy --least-margin nan", f"serve {NAME}",
        "experiment plan --effect nan", "experiment plan --effect 1 --share nan",
        "experiment plan --effect 1 --power 0.01", "experiment plan --effect 1 --assignment file/arms.csv",
        "experiment read arms.csv --start 2024-05-13 --weeks 0",
        "learn-offers --offers offers.csv --window 0", "learn-offers --offers offers.csv --draws -1",
        "evaluate run --visits 0 --best-offers 1", "evaluate run --best-offers -1",
        "evaluate run --offers -1",
        "evaluate run --refits 1 --discount-levels", f"evaluate {NAME}", f"train --resume {NAME}",
        "report run --visits -1", "report run --episodes 0", "report run --offers -1", "report run --out .",
        f"report {NAME}", "compare a b --exposure nan", "compare a b --fail-below nan",
        "compare a b --csv file/a", f"compare {NAME} b", "inspect file --min-purchases -1",
        "inspect file --max-quantity 0", "inspect file --basket-hours nan", "inspect file --json .",
        f"inspect {NAME}",
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line_and_code_2_and_nothing_is_written(line, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUNDLEGYM_CACHE", str(tmp_path / "cache"))
    assert call(monkeypatch, *line.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and len(printed.err.splitlines()) == 1
    names = [part.removeprefix("--") for part in line.split() if part.startswith("--")]
    assert any(name in printed.err for name in [*names, "file", NAME[:20]])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
