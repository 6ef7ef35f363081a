"""What is installed is what the folders hold, under one name only."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import bundlegym

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("data", "recommenders", "user_models", "envs", "agents", "evaluation", "deployment")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def packages_on_disk() -> dict[str, str]:
    """Dotted name -> folder relative to the root, of every folder with an `__init__.py`."""
    found = {"bundlegym": "bundlegym"}
    for folder in FOLDERS:
        for init in sorted((ROOT / folder).rglob("__init__.py")):
            path = init.parent.relative_to(ROOT)
            found["bundlegym." + ".".join(path.parts)] = path.as_posix()
    return found


def installed_folder(package: str) -> str:
    """The folder that setuptools takes a package from: its own entry, or else its parent's."""
    package_dir: dict[str, str] = SETUPTOOLS["package-dir"]
    if package in package_dir:
        return package_dir[package]
    parent, _, name = package.rpartition(".")
    return f"{installed_folder(parent)}/{name}"


def sources() -> Iterator[Path]:
    folders = ("bundlegym", *FOLDERS, "tests", "benchmarks", "examples", "docs")
    yield from sorted(ROOT.glob("*.py"))
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.resolve() == path:  # what a symlink leads to comes under its own folder
                yield path


def root_imports(tree: ast.AST) -> list[str]:
    """The absolute imports of a root folder by its bare name, which would make a second copy of it."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.append(node.module)
    return [name for name in names if name.split(".")[0] in FOLDERS]


def test_every_package_is_listed_once() -> None:
    assert sorted(SETUPTOOLS["packages"]) == sorted(packages_on_disk())


def test_every_package_is_installed_from_its_folder() -> None:
    assert {name: installed_folder(name) for name in SETUPTOOLS["packages"]} == packages_on_disk()


def test_every_folder_with_code_is_a_package() -> None:
    with_code = {
        path.parent.relative_to(ROOT).as_posix() for f in FOLDERS for path in (ROOT / f).rglob("*.py")
    }
    assert with_code <= set(packages_on_disk().values())


@pytest.mark.parametrize("folder", FOLDERS)
def test_symlink_leads_to_the_folder(folder: str) -> None:
    link = ROOT / "bundlegym" / folder
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == ROOT / folder
    assert (link / "__init__.py").is_file()


def test_nothing_but_the_folders_is_linked() -> None:
    assert {path.name for path in (ROOT / "bundlegym").iterdir() if path.is_symlink()} == set(FOLDERS)


def test_types_are_shipped() -> None:
    assert "py.typed" in SETUPTOOLS["package-data"]["bundlegym"]
    assert (ROOT / "bundlegym" / "py.typed").is_file()


def test_every_file_beside_the_code_is_shipped() -> None:
    """Templates and the like, which setuptools takes only where `package-data` names them."""
    data: dict[str, list[str]] = SETUPTOOLS["package-data"]
    for package, folder in packages_on_disk().items():
        shipped = {path for pattern in data.get(package, []) for path in (ROOT / folder).glob(pattern)}
        beside = {
            path
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc")
        }
        inner = [ROOT / other for other in packages_on_disk().values() if other.startswith(f"{folder}/")]
        mine = {path for path in beside if not any(part in path.parents for part in inner)}
        assert mine <= shipped, package


def test_version_is_in_the_changelog_and_the_citation() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", bundlegym.__version__)
    assert f"## [{bundlegym.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {bundlegym.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import envs", ["envs"]),
        ("import data.base as b", ["data.base"]),
        ("def f():\n    from agents import x", ["agents"]),
        ("import bundlegym.envs", []),
        ("from bundlegym import envs", []),
        ("from . import data", []),
        ("import database", []),
    ],
)
def test_root_imports_are_seen(code: str, found: list[str]) -> None:
    assert root_imports(ast.parse(code)) == found


def test_no_file_imports_a_root_folder() -> None:
    offenders = {
        path.relative_to(ROOT).as_posix(): names
        for path in sources()
        if (names := root_imports(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert not offenders, "say bundlegym.X"
