"""The one command line: `bundlegym COMMAND [options]`; also `python -m bundlegym COMMAND [options]`."""

import importlib
import sys
from typing import NamedTuple


class Command(NamedTuple):
    """A sub-command.

    Attributes:
        function: module:function that runs it; loaded when it is called, so that looking at a file does not
            wait for what only training needs.
        purpose: one line on what it does.
        example: its options in a call that works.
    """

    function: str
    purpose: str
    example: str


COMMANDS = {
    "inspect": Command(
        "bundlegym.data.inspect_cli:inspect", "say what a log holds and how it is understood", "sales.csv"
    ),
    "train": Command(
        "bundlegym.evaluation.cli:train",
        "fit shoppers to a log, train agents, judge them",
        "--log sales.csv --columns sales.columns.toml --name first",
    ),
    "evaluate": Command(
        "bundlegym.evaluation.cli:evaluate", "print a run's tables and example offers", "runs/first"
    ),
    "update": Command(
        "bundlegym.evaluation.update_cli:update_run",
        "bring a run up to date with later days of its log, as a new run",
        "runs/first --log new.csv",
    ),
    "fidelity": Command(
        "bundlegym.evaluation.cli:fidelity", "measure how like shoppers a user model is", "--log sales.csv"
    ),
    "report": Command(
        "bundlegym.evaluation.report.command:report", "write a run as a page to show", "runs/first"
    ),
    "compare": Command(
        "bundlegym.evaluation.compare:compare", "put runs side by side", "runs/first runs/second"
    ),
    "watch": Command(
        "bundlegym.evaluation.watch.command:watch",
        "serve a page on this machine to watch shoppers react to offers",
        "runs/first",
    ),
    "recommend": Command(
        "bundlegym.deployment.recommend_cli:recommend",
        "make offers for each shopper, as a file",
        "runs/first --out offers.csv",
    ),
    "experiment": Command(
        "bundlegym.evaluation.field_test.command:experiment",
        "plan the experiment that would confirm or refute a run's gain",
        "plan runs/first",
    ),
    "learn-offers": Command(
        "bundlegym.evaluation.field_test.command:learn_offers",
        "learn from the offers that were made and what came back",
        "runs/first --offers offers.csv",
    ),
    "export": Command(
        "bundlegym.deployment.export_cli:export",
        "write an agent as a folder that answers without torch",
        "runs/first policy",
    ),
    "serve": Command("bundlegym.deployment.serve_cli:serve", "answer over HTTP from such a folder", "policy"),
}


def usage() -> str:
    """What `bundlegym --help` prints: a line and an example a command."""
    width = max(map(len, COMMANDS))
    lines = ["usage: bundlegym COMMAND [options]    bundlegym COMMAND --help    bundlegym --version", ""]
    for name, command in COMMANDS.items():
        lines += [f"  {name:{width}}  {command.purpose}"]
        lines += [f"  {'':{width}}    bundlegym {name} {command.example}"]
    return "\n".join(lines)


def main() -> None:
    """Run the command that the first argument names; exit code 2 where it names none."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in ("--help", "-h"):
        importlib.import_module("bundlegym.errors").guarded(lambda: print(usage(), flush=True))
    elif name == "--version":
        print(f"bundlegym {importlib.import_module('bundlegym').__version__}")
    elif name not in COMMANDS:
        wrong = f"unknown command '{name}'" if name else "no command is given"
        sys.exit(_refusal(f"{wrong}; known are {', '.join(COMMANDS)}; see bundlegym --help"))
    else:
        del sys.argv[1]
        sys.argv[0] = f"bundlegym {name}"
        _run(COMMANDS[name])


def _run(command: Command) -> None:
    module, _, function = command.function.partition(":")
    try:
        run = getattr(importlib.import_module(module), function)
    except ImportError as error:
        sys.exit(_refusal(f"{sys.argv[0]}: something that it needs is not installed ({error})"))
    importlib.import_module("bundlegym.errors").guarded(run)


def _refusal(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
