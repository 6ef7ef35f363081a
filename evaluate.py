"""The door to `bundlegym.evaluation.cli.evaluate`; `python evaluate.py --help` lists its options."""

import sys

try:
    from bundlegym.evaluation.cli import evaluate, guarded
except ImportError as error:  # something is not installed, or a clone has no symbolic links
    sys.exit(f"error: {error}")

if __name__ == "__main__":
    guarded(evaluate)
