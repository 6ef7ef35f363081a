"""The door to `bundlegym.evaluation.cli.train`; `python train.py --help` lists its options."""

import sys

try:
    from bundlegym.evaluation.cli import guarded, train
except ImportError as error:  # something is not installed, or a clone has no symbolic links
    sys.exit(f"error: {error}")

if __name__ == "__main__":
    guarded(train)
