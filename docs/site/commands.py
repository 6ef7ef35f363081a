"""The page of the command line: what `bundlegym COMMAND --help` prints, of every command."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from unittest import mock

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from bundlegym.__main__ import COMMANDS, main, usage

#: Words that have a --help of their own.
WORDS = {"experiment": ("plan", "read")}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    files.append(File.generated(config, "command_line.md", content=page()))
    return files


def page() -> str:
    """The page as Markdown."""
    parts = [
        "# Command line",
        "In a clone the command is `.venv/bin/bundlegym`; `train.py` is `bundlegym train`, and `evaluate.py` "
        "is `bundlegym evaluate`. Each prints what stands here with `--help`.",
        block(usage()),
    ]
    for name, command in COMMANDS.items():
        parts += [
            f"## {name}",
            f"`bundlegym {name} {command.example}`: {command.purpose}.",
            block(help_of(name)),
        ]
        for word in WORDS.get(name, ()):
            parts += [f"### {name} {word}", block(help_of(name, word))]
    return "\n\n".join(parts) + "\n"


def block(text: str) -> str:
    return f"```text\n{text.strip()}\n```"


def help_of(*words: str) -> str:
    """What `bundlegym WORDS --help` prints, at a width of 100."""
    printed = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["bundlegym", *words, "--help"]),
        mock.patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        main()
    return printed.getvalue().replace(os.path.expanduser("~"), "~")
