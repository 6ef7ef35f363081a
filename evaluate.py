"""The door to `bundlegym.evaluation.cli.evaluate`; `python evaluate.py --help` lists its options."""

from bundlegym.evaluation.cli import evaluate, guarded

if __name__ == "__main__":
    guarded(evaluate)
