"""What an update by new days is worth beside a full refit: likelihood of the following week, and CPU seconds.

    python benchmarks/update.py --log complete-journey --weeks 8 --json update.json

The last weeks of a log are taken for new ones. From week to week the model is updated (each update begins
with the one before), refitted from nothing, and left as it is. Each then forecasts the items of the following
week, which nothing has seen: nats a line above popularity, for shoppers who are fitted on. Popularity is
counted anew every week. CPU seconds are those of the fit alone; reading the log takes as long for all. Every
figure is of one seed; the standard error of a difference is over shoppers. Seconds of an update are the mean
of all updates so far.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from bundlegym.data import DataConfig, Dataset, lines_of, prepare, visit_rows
from bundlegym.data.files import write_json
from bundlegym.errors import guarded
from bundlegym.evaluation.fidelity.likelihood import line_nll
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.user_models import ChoiceShopper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--log", default="synthetic-year")
    parser.add_argument("--weeks", type=int, default=8, help="updates, of a week each")
    parser.add_argument("--refit-every", type=int, default=1, help="weeks from one full refit to the next")
    parser.add_argument("--epochs", type=int, default=3, help="of a full refit, as bundlegym train has them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    dataset = prepare(DataConfig(log=options.log))
    shoppers = ~dataset.split.held_out
    first = dataset.n_weeks - options.weeks - 1

    def fit(end: int, start: ChoiceShopper | None = None) -> tuple[ChoiceShopper, float]:
        begin = time.process_time()
        model = ChoiceShopper.fit(
            dataset, weeks=(0, end), epochs=options.epochs, seed=options.seed, start=start,
            progress=lambda _: None,
        )  # fmt: skip
        return model, time.process_time() - begin

    stale, _ = fit(first)
    updated, seconds, rows = stale, list[float](), list[dict[str, float]]()
    head = "week", "above popularity: stale", "updated", "refitted", "refitted less updated"
    print("  ".join((*head, "CPU-s: updated", "refitted")))
    for end in range(first + 1, first + options.weeks + 1):
        updated, quick = fit(end, updated)
        seconds.append(quick)
        if (end - first) % options.refit_every:
            continue
        refitted, slow = fit(end)
        visits = visit_rows(dataset, (end, end + 1), shoppers)
        of = _shopper_of_lines(dataset, visits)
        popularity = _popularity(dataset, (0, end), shoppers, visits)
        gain = {
            name: popularity - line_nll(model, dataset, visits)
            for name, model in (("stale", stale), ("updated", updated), ("refitted", refitted))
        }
        row = {name: float(nats.mean()) for name, nats in gain.items()}
        row |= {"week": end, "lines": len(of), "cpu_updated": float(np.mean(seconds)), "cpu_refitted": slow}
        row["error"] = _error(gain["refitted"] - gain["updated"], of)
        rows.append(row)
        _tell(row)
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    print("mean of the weeks:")
    _tell(mean)
    print(
        f"an update gives {mean['updated'] / mean['refitted']:.1%} of a full refit's gain above popularity "
        f"in {mean['cpu_updated'] / mean['cpu_refitted']:.1%} of its CPU seconds; without any update "
        f"{mean['stale'] / mean['refitted']:.1%} of the gain is left"
    )
    if options.json is not None:
        write_json(options.json, {"log": options.log, "rows": rows})


def _tell(row: dict[str, float]) -> None:
    less = row["refitted"] - row["updated"]
    print(
        f"{row['week']:4.0f}  {row['stale']:23.4f}  {row['updated']:7.4f}  {row['refitted']:8.4f}  "
        f"{less:+8.4f} (error {row['error']:.4f})  {row['cpu_updated']:14.1f}  {row['cpu_refitted']:8.1f}",
        flush=True,
    )


def _shopper_of_lines(dataset: Dataset, visits: np.ndarray) -> np.ndarray:
    return dataset.visits["shopper"].to_numpy()[visits][lines_of(dataset, visits)[1]]


def _popularity(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, visits: np.ndarray
) -> np.ndarray:
    """(P,) nats of each line of some visits by what `shoppers` bought in `weeks`."""
    sold = np.asarray(line_counts(dataset, weeks)[shoppers].sum(0, dtype=np.float64)).ravel() + 0.5
    item = dataset.purchases["item"].to_numpy()[lines_of(dataset, visits)[0]]
    return -np.log(sold / sold.sum())[item]


def _error(difference: np.ndarray, shopper: np.ndarray) -> float:
    """Standard error of a mean over lines, clustered by shopper."""
    return float(np.sqrt((np.bincount(shopper, difference - difference.mean()) ** 2).sum()) / len(difference))


if __name__ == "__main__":
    guarded(main)
