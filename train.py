"""The door to `bundlegym.evaluation.cli.train`; `python train.py --help` lists its options."""

from bundlegym.evaluation.cli import guarded, train

if __name__ == "__main__":
    guarded(train)
