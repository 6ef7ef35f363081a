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
