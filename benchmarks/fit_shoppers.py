"""What a user model loses that is fitted on a sample of a log's shoppers (`--fit-shoppers`).

    python benchmarks/fit_shoppers.py [--log complete-journey] [--sizes 250 500 1000 0] [--seeds 0 1]

A row for each size of the sample, 0 for all, and seed: CPU seconds of the fit; nats a line in the validation
weeks of all shoppers who are not held out, and what that is more than with all of the same seed, with a
standard error clustered by shopper. A shopper's own preferences are counted from their own lines at any size.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from bundlegym.data import DataConfig, Dataset, lines_of, prepare, visit_rows
from bundlegym.data.files import write_json
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.fidelity.likelihood import line_nll
from bundlegym.evaluation.field_test.off_policy import clustered
from bundlegym.evaluation.population import sample
from bundlegym.threads import one_thread
from bundlegym.user_models import ChoiceShopper


@dataclass(frozen=True)
class Config:
    """What a fit on a sample of the shoppers loses."""

    log: str = "complete-journey"
    """A log, as in `DataConfig`, or synthetic."""

    sizes: tuple[int, ...] = (250, 500, 1000, 0)
    """Shoppers of the sample; 0 takes all, and is fitted first."""

    seeds: tuple[int, ...] = (0, 1)
    """Of samples and fits."""

    epochs: int = 3
    """Passes over the visits in a fit."""

    json: Path | None = None
    """Write the rows to this file too."""


def nats_of(dataset: Dataset, size: int, seed: int, epochs: int) -> tuple[np.ndarray, float]:
    """(P,) nats of each line of the validation weeks, and CPU seconds of the fit."""
    known, start = ~dataset.split.held_out, time.process_time()
    some = sample(known, TrainConfig(fit_shoppers=size, seed=seed))
    model = ChoiceShopper.fit(dataset, shoppers=some, epochs=epochs, seed=seed, progress=lambda _: None)
    seconds = time.process_time() - start
    nats = line_nll(model, dataset, visit_rows(dataset, dataset.split.validation_weeks, known))
    assert nats is not None
    return nats, seconds


@one_thread()
def main(config: Config) -> None:
    dataset = prepare(DataConfig(log=config.log))
    rows = visit_rows(dataset, dataset.split.validation_weeks, ~dataset.split.held_out)
    shopper = dataset.visits["shopper"].to_numpy()[rows][lines_of(dataset, rows)[1]]
    found: list[dict[str, Any]] = []
    for seed in config.seeds:
        whole: np.ndarray | None = None
        for size in sorted(config.sizes, key=lambda size: (size != 0, size)):
            nats, seconds = nats_of(dataset, size, seed, config.epochs)
            whole = nats if size == 0 else whole
            row: dict[str, Any] = {"shoppers": size, "seed": seed, "cpu_seconds": seconds}
            row["nats"] = float(nats.mean())
            told = f"{size or 'all':>6} shoppers, seed {seed}: {seconds:6.1f} CPU-s, {row['nats']:.4f} nats"
            if size and whole is not None:
                row["more"] = clustered(nats - whole, shopper)
                told += f", {row['more']['mean']:+.4f} ({row['more']['error']:.4f}) beside all"
            found.append(row)
            print(told, flush=True)
    if config.json is not None:
        write_json(config.json, {"log": config.log, "rows": found})


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
