"""How long recommenders take: one request at 6,300 and at 100,000 items, and fits beside implicit's own.

    python benchmarks/recommender_speed.py --json FILE

Everything runs on one core and is timed in CPU seconds of this process, so that a busy machine does not
count. The log is made up: popularity falls as 1 / rank, a shopper's visits hold own favourites and popular
items. How long a network was trained does not change what a request costs, so it is for one epoch here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import CosineRecommender
from threadpoolctl import threadpool_limits

from bundlegym.evaluation.benchmark import write_lines
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.ranking import latency
from bundlegym.recommenders import RECOMMENDERS, Content, Interactions, make_recommender
from bundlegym.recommenders.registry import recommender_class

VISITS, BASKET, CATEGORIES = 30, 8, 200


@dataclass(frozen=True)
class Config:
    """Speed of recommenders."""

    output: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    """Where to write the rows."""

    items: tuple[int, ...] = (6_300, 100_000)
    """Sizes of the catalogue."""

    shoppers: int = 2_500
    """Shoppers in the log."""

    requests: int = 300
    """Requests that are timed."""

    models: tuple[str, ...] = tuple(name for name in RECOMMENDERS if name != "content-text")
    """Recommenders to time."""

    fits: bool = True
    """Also time fits beside implicit's own, on the first catalogue."""


def made_up_log(n_shoppers: int, n_items: int, seed: int = 0) -> Interactions:
    """`VISITS` visits of `BASKET` lines a shopper, half of them favourites, half drawn by popularity."""
    rng = np.random.default_rng(seed)
    chance = 1 / np.arange(1, n_items + 1)
    chance /= chance.sum()
    favourites = rng.choice(n_items, (n_shoppers, 40), p=chance)
    shape = (n_shoppers, VISITS, BASKET)
    own = np.take_along_axis(favourites, rng.integers(0, 40, shape).reshape(n_shoppers, -1), 1).reshape(shape)
    item = np.where(rng.random(shape) < 0.5, own, rng.choice(n_items, shape, p=chance))
    shopper, visit, _ = np.indices(shape)
    content = Content({"category": rng.integers(0, CATEGORIES, n_items)})
    return Interactions.from_columns(
        shopper.ravel(), item.ravel(), visit.ravel(), n_shoppers=n_shoppers, n_items=n_items, content=content
    )


def time_requests(name: str, log: Interactions, requests: int) -> dict[str, Any]:
    """Latency of a recommender on a log."""
    quick = {"epochs": 1, "iterations": 10}
    fields = recommender_class(name).__dataclass_fields__
    model = make_recommender(name, **{k: v for k, v in quick.items() if k in fields}).fit(log)
    shoppers = np.random.default_rng(0).integers(0, log.n_shoppers, requests)
    return {"model": name, "items": log.n_items, **latency(model, shoppers, clock=time.process_time)}


def cpu_seconds(call: Callable[[], Any], repeats: int = 3) -> float:
    """Least of several."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def time_fits(log: Interactions) -> list[dict[str, Any]]:
    """CPU seconds of our fits and of implicit's on the same matrix with the same settings."""
    counts, by_item = log.counts, log.counts.T.tocsr()
    quiet = {"show_progress": False}
    pairs: dict[str, tuple[str, Callable[[], Any]]] = {
        "als": ("als", lambda: AlternatingLeastSquares(
            factors=64, regularization=1.0, random_state=0, num_threads=1).fit(counts, **quiet)),
        "bpr": ("bpr", lambda: BayesianPersonalizedRanking(
            factors=64, learning_rate=0.05, random_state=0, num_threads=1).fit(counts, **quiet)),
        "item-knn": ("item-knn", lambda: CosineRecommender(K=100, num_threads=1).fit(counts, **quiet)),
        "user-knn": ("user-knn", lambda: CosineRecommender(K=300, num_threads=1).fit(by_item, **quiet)),
    }  # fmt: skip
    lines = []
    for name, (ours, theirs) in pairs.items():
        mine, other = cpu_seconds(lambda n=ours: make_recommender(n).fit(log)), cpu_seconds(theirs)
        lines.append({"model": name, "fit_seconds": mine, "implicit_seconds": other, "ratio": mine / other})
    return lines


def main(config: Config) -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    fits: list[dict[str, Any]] = []
    requests: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for size in config.items:
            log = made_up_log(config.shoppers, size)
            if config.fits and not fits:
                fits = time_fits(log)
                print(f"{'fit':<14}{'ours, s':>10}{'implicit, s':>14}{'ratio':>8}")
                for line in fits:
                    print(f"{line['model']:<14}{line['fit_seconds']:>10.2f}{line['implicit_seconds']:>14.2f}"
                          f"{line['ratio']:>8.2f}")  # fmt: skip
            print(f"{f'{size:,} items':<24}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'shoppers/s':>12}")
            for name in config.models:
                line = time_requests(name, log, config.requests)
                requests.append(line)
                print(f"{name:<24}{line['p50_ms']:>10.2f}{line['p95_ms']:>10.2f}{line['p99_ms']:>10.2f}"
                      f"{line['shoppers_per_second']:>12,.0f}", flush=True)  # fmt: skip
    if config.output:
        write_lines(config.output, requests, fits=fits, clock="CPU time, one thread")


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
