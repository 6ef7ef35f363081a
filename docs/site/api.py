"""The pages of the API: directives for mkdocstrings, written from the public names."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, content in pages().items():
        files.append(File.generated(config, f"api/{path}", content=content))
    return files


def pages() -> dict[str, str]:
    """File name -> Markdown."""
    return {
        "bundlegym.md": page("Public names", "What `import bundlegym` gives.", names_of("bundlegym")),
        "contracts.md": page(
            "Contracts",
            "The `base.py` of each folder: what a part of that kind must have, and what others rely on.",
            sorted(f"bundlegym.{path.parent.name}.base" for path in ROOT.glob("*/base.py")),
        ),
        "environments.md": page("Environments", "What `bundlegym.envs` gives.", names_of("bundlegym.envs")),
        "agents.md": page(
            "Agents",
            "The registry of agents and their hyper-parameters.",
            ["bundlegym.agents.registry", "bundlegym.agents.config"]
            + [canonical(type(getattr(configs(), field))) for field in vars(configs())],
        ),
    }


def configs() -> object:
    return importlib.import_module("bundlegym.agents.registry").AgentConfigs()


def names_of(package: str) -> list[str]:
    """The canonical names of classes and functions in the package's `__all__`, but for contracts."""
    module = importlib.import_module(package)
    found = [getattr(module, name) for name in module.__all__]
    found = [each for each in found if inspect.isclass(each) or inspect.isfunction(each)]
    return [canonical(each) for each in found if not each.__module__.endswith(".base")]


def canonical(found: type | object) -> str:
    return f"{found.__module__}.{found.__qualname__}"  # type: ignore[attr-defined]


def label(name: str) -> str:
    """The last word of a class's name, all of a module's."""
    last = name.rpartition(".")[2]
    return last if last[0].isupper() else name.removeprefix("bundlegym.")


def page(title: str, about: str, names: list[str]) -> str:
    parts = [f"# {title}", about]
    parts += [f"::: {name}\n    options:\n      toc_label: {label(name)}" for name in names]
    return "\n\n".join(parts) + "\n"
