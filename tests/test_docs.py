"""What the pages say can be done: commands parse, Python runs or means something, files are there."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tyro

from bundlegym.__main__ import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Programs of others: what they take is their concern.
OTHERS = ("pip", "podman", "tensorboard", "pre-commit", "curl")
#: Modules that only print a table.
PRINTERS = ("bundlegym.user_models.symbols", "bundlegym.user_models.hyper_parameters")
#: Words of a command that stand for something.
PLACEHOLDERS = ("OPTIONS",)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code: its page, its language and its text."""

    page: str
    language: str
    code: str


def blocks() -> Iterator[Block]:
    for page in PAGES:
        for language, code in _BLOCK.findall(page.read_text(encoding="utf-8")):
            yield Block(page.relative_to(ROOT).as_posix(), language, code)


def commands() -> list[str]:
    """Every line of a shell, and every line after a prompt, once."""
    found = [f"bundlegym {name} {command.example}" for name, command in COMMANDS.items()]
    for block in blocks():
        lines = block.code.replace("\\\n", " ").splitlines()
        if block.language == "sh":
            found += [line for line in lines if line.strip()]
        else:
            found += [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return list(dict.fromkeys(" ".join(shlex.split(line, comments=True)) and line for line in found))


class Parsed(Exception):
    """The options of a command are understood; nothing has been done yet."""


@pytest.fixture
def only_parse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands end, with `Parsed`, as soon as their options are understood."""
    parse, cli = argparse.ArgumentParser.parse_known_args, tyro.cli

    def parse_known_args(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
        options, others = parse(self, *args, **kwargs)
        if not others:
            raise Parsed
        return options, others

    def tyro_cli(*args: Any, **kwargs: Any) -> Any:
        found = cli(*args, **kwargs)
        if kwargs.get("return_unknown_args") and found[1]:
            return found
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", parse_known_args)
    monkeypatch.setattr(tyro, "cli", tyro_cli)
    monkeypatch.chdir(tmp_path)


def start(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a command of ours in this process."""
    program, *rest = words
    program = program.removeprefix(".venv/bin/")
    if program == "python" and rest[:1] == ["-m"]:
        program, rest = rest[1], rest[2:]
    elif program == "python":
        program, rest = rest[0], rest[1:]
    if program in ("train.py", "evaluate.py"):
        program, rest = "bundlegym", [program.removesuffix(".py"), *rest]
    monkeypatch.setattr(sys, "argv", [program, *rest])
    if program == "bundlegym":
        main()
    elif program.endswith(".py"):
        monkeypatch.syspath_prepend(str((ROOT / program).parent))  # as Python does
        runpy.run_path(str(ROOT / program), run_name="__main__")
    elif program.startswith("bundlegym."):
        runpy.run_module(program, run_name="__main__")
    else:
        pytest.fail(f"{program} is neither ours nor among OTHERS")


def jobs() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("line", commands())
def test_every_command_parses(line, only_parse, monkeypatch, capsys):
    words = [word for word in shlex.split(line, comments=True) if word not in (*PLACEHOLDERS, "&")]
    program = words[0].removeprefix(".venv/bin/")
    if program in OTHERS or words[1:3] == ["-m", "rl_zoo3.train"]:
        extras = re.findall(r"bundlegym\[(\w+)\]", line)
        assert set(extras) <= set(PYPROJECT["project"]["optional-dependencies"])
        files = [word for word in words if re.match(r"(examples|benchmarks|docs)/", word)]
        assert all((ROOT / file).exists() for file in files)
    elif program == "make":
        job, *settings = words[1:]
        assert job in jobs()
        given = dict(setting.split("=", 1) for setting in settings)
        options = shlex.split(given.get("ARGS", ""))
        if job == "test":
            assert all((ROOT / word).exists() for word in options if word.startswith("tests/"))
        elif job in COMMANDS and options not in ([], ["--help"]):
            with pytest.raises(Parsed):
                start(["bundlegym", job, *options], monkeypatch)
    elif words[1:] in (["--help"], ["--version"]):
        start(words, monkeypatch)
    elif words[-1] in PRINTERS:
        importlib.import_module(words[-1])
    else:
        with pytest.raises(Parsed):
            start(words, monkeypatch)


@pytest.mark.parametrize(
    "line",
    ["bundlegym train --seeed 3", "bundlegym serve policy --prt 1", "python benchmarks/kill.py --kils 5"],
)
def test_a_wrong_option_is_found(line, only_parse, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        start(shlex.split(line), monkeypatch)


#: Pages whose Python runs, and what of it is made small. Of the others, which take too long or need data that
#: cannot be shipped, it is seen that they mean something.
RUN: dict[str, list[tuple[str, str]]] = {
    "docs/environment.md": [
        ('"bundlegym/Bundle-v0", preset="complete-journey"', '"bundlegym/Bundle-v0"'),
        ('"bundlegym/Bundle-v0"', '"bundlegym/Bundle-v0", preset="quick", user_model="replay"'),
    ],
    "docs/plug_in.md": [],
    "docs/recommenders.md": [("DataConfig()", 'DataConfig(log="synthetic")')],
    "docs/start_research.md": [('preset="quick"', 'preset="quick", user_model="replay"')],
}
PYTHON: dict[str, list[str]] = {}
for each in blocks():
    if each.language == "python":
        PYTHON.setdefault(each.page, []).append(each.code)


@pytest.mark.parametrize("page", RUN)
def test_the_python_of_a_page_runs(page: str) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for code in PYTHON[page]:
        for old, new in RUN[page]:
            code = code.replace(old, new)
        if "dataset" in names:  # vectors that a page's reader has
            names["vectors"] = np.ones((names["dataset"].n_items, 4), np.float32)
        exec(compile(code, page, "exec"), names)
    for name in [name for name in names if name.startswith("test_")]:
        names[name]()


@pytest.mark.parametrize("page", [page for page in PYTHON if page not in RUN])
def test_the_python_of_a_page_names_what_there_is(page: str) -> None:
    imported: dict[str, Any] = {}
    for code in PYTHON[page]:
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                exec(compile(ast.Module([node], []), page, "exec"), imported)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                value_of(node, imported)
            if isinstance(node, ast.Call) and (called := value_of(node.func, imported)) is not None:
                keywords = {str(keyword.arg): None for keyword in node.keywords}
                inspect.signature(called).bind_partial(*[None] * len(node.args), **keywords)
    assert imported


def value_of(node: ast.expr, imported: dict[str, Any]) -> Any:
    """What an expression such as `module.Class.method` is; None where it begins with no imported name."""
    if isinstance(node, ast.Name):
        return imported.get(node.id)
    if isinstance(node, ast.Attribute) and (value := value_of(node.value, imported)) is not None:
        return getattr(value, node.attr)
    return None


@pytest.mark.parametrize("block", [block for block in blocks() if block.language == "toml"])
def test_toml_is_toml(block: Block) -> None:
    assert tomllib.loads(block.code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(
        r"\b((?:benchmarks|examples|tests|docs)/[\w/]+\.\w+)", page.read_text(encoding="utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists() and "NAME" not in name] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_benchmark_has_a_row() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [
        file.name for file in (ROOT / "benchmarks").glob("[!_]*.py") if f"benchmarks/{file.name}" not in page
    ] == []


def test_every_notebook_has_a_row() -> None:
    page = (ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8")
    assert [
        file.name for file in (ROOT / "examples" / "notebooks").glob("*.ipynb") if file.name not in page
    ] == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f" {page.name}" not in navigation] == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120
