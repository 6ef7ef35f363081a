"""`bundlegym train ...` and the other commands by name; also `python -m bundlegym ...`."""

import importlib
import sys

#: Loaded when it is called, so that looking at a file does not wait for what only training needs.
COMMANDS = {
    "train": "bundlegym.evaluation.cli:train",
    "evaluate": "bundlegym.evaluation.cli:evaluate",
    "fidelity": "bundlegym.evaluation.cli:fidelity",
    "report": "bundlegym.evaluation.report.command:report",
    "compare": "bundlegym.evaluation.compare:compare",
    "inspect": "bundlegym.data.inspect_cli:inspect",
}


def main() -> None:
    """Run the command that the first argument names."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(f"usage: bundlegym {{{','.join(COMMANDS)}}} [options]", file=sys.stderr)
        sys.exit(0 if sys.argv[1:2] in (["--help"], ["-h"]) else 2)
    command = sys.argv.pop(1)
    sys.argv[0] = f"bundlegym {command}"
    module, _, function = COMMANDS[command].partition(":")
    guarded = importlib.import_module("bundlegym.errors").guarded
    guarded(getattr(importlib.import_module(module), function))


if __name__ == "__main__":
    main()
