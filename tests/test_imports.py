"""Imports point one way, from the top of CONTRIBUTING's table of folders to the bottom; none in a circle.

All `import` statements count, those inside functions and behind `TYPE_CHECKING` too. What a package's
`__init__` imports counts for those who import from the package, not for those who import a module inside it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: A folder may import those before it; `bundlegym` stands for the modules that all share, such as `errors`.
LAYERS = (
    "bundlegym", "data", "recommenders", "user_models", "envs", "agents", "evaluation", "deployment",
    "command line",
)  # fmt: skip
#: Modules that are above all folders, though they lie in `bundlegym`.
COMMAND_LINE = {"bundlegym.__main__", "train", "evaluate"}
Graph = dict[str, set[str]]


def module_files() -> dict[str, Path]:
    """Dotted name -> file of each module of the package and of the scripts in the root."""
    found = {path.stem: path for path in ROOT.glob("*.py")}
    for path in sorted((ROOT / "bundlegym").glob("*.py")):
        found[_dotted(Path("bundlegym") / path.name)] = path
    for folder in LAYERS[1:-1]:
        for path in sorted((ROOT / folder).rglob("*.py")):
            found[_dotted(Path("bundlegym") / path.relative_to(ROOT))] = path
    return found


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """The modules among `known` that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in known:
                    yield submodule
                elif node.module in known:
                    yield str(node.module)


def graph_of(files: dict[str, Path]) -> Graph:
    return {
        name: set(imported(ast.parse(path.read_text(encoding="utf-8")), set(files)))
        for name, path in files.items()
    }


def layer(module: str) -> int:
    if module in COMMAND_LINE:
        return LAYERS.index("command line")
    folder = module.split(".")[1] if "." in module else ""
    return LAYERS.index(folder) if folder in LAYERS else 0


def circles(graph: Graph) -> list[list[str]]:
    """Sets of modules of which each can be reached from each other (Tarjan 1972), sorted."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            place = stack.index(module)
            members = stack[place:]
            del stack[place:]
            if len(members) > 1 or module in graph[module]:
                found.append(sorted(members))

    for module in graph:
        if module not in number:
            visit(module)
    return found


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(module_files())


def test_all_modules_are_looked_at(graph: Graph) -> None:
    assert {"bundlegym.envs.core", "bundlegym.data", "bundlegym.__main__", "train"} <= set(graph)
    assert "bundlegym.envs.base" in graph["bundlegym.envs.core"]


def test_imports_point_one_way(graph: Graph) -> None:
    wrong = {
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if layer(other) > layer(module)
    }
    assert not wrong


def test_no_import_circle(graph: Graph) -> None:
    assert circles(graph) == []


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"a": {"b"}, "b": set()}, []),
        ({"a": {"b"}, "b": {"a"}}, [["a", "b"]]),
        ({"a": {"a"}}, [["a"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "c"}}, [["b", "c"]]),
    ],
)
def test_circles_are_seen(given: Graph, found: list[list[str]]) -> None:
    assert circles(given) == found


def test_imports_are_seen_wherever_they_stand() -> None:
    code = (
        "from typing import TYPE_CHECKING\nimport p.a\nfrom p import b, name\n"
        "if TYPE_CHECKING:\n    from p.c import X\ndef f():\n    from p.d import Y\n"
    )
    assert set(imported(ast.parse(code), {"p", "p.a", "p.b", "p.c", "p.d"})) == {
        "p",
        "p.a",
        "p.b",
        "p.c",
        "p.d",
    }
