"""`python -m bundlegym train ...` and `... evaluate ...`: the scripts, wherever the package is installed."""

import sys

from bundlegym.evaluation import cli

COMMANDS = {"train": cli.train, "evaluate": cli.evaluate}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(f"usage: python -m bundlegym {{{','.join(COMMANDS)}}} [options]", file=sys.stderr)
        sys.exit(2)
    command = sys.argv.pop(1)
    sys.argv[0] = f"bundlegym {command}"
    cli.guarded(COMMANDS[command])
