"""Next basket on The Complete Journey, by time: every family of recommenders on the same visits.

    python benchmarks/complete_journey_next_basket.py --json FILE

All weeks before the test weeks are learned from, the first visit of each shopper in the test weeks is to be
told, and all items of the catalogue are ranked. Hyper-parameters were chosen by `--tune`: learned from the
training weeks, first visits in the validation weeks. Held-out shoppers are ranked by their own purchases and
not learned from. The data is simulated from real shopping patterns, as its packager says.
"""

from __future__ import annotations

from dataclasses import dataclass

import tyro

from bundlegym.data import DataConfig, prepare
from bundlegym.evaluation.benchmark import Options, Row, chosen, first_visits, run, tune
from bundlegym.evaluation.cli import guarded

TIFU_KNN = {"own_weight": 0.9, "group_decay": 0.7, "neighbours": 100}
UP_CF = {"recency": 30, "locality": 20.0, "asymmetry": 0.75}
FREQUENCY = {"category_weight": 0.0, "item_weight": 0.0}
ITEM_KNN = {"neighbours": 5}
MARKOV = {"decay": 0.95}
ROWS = (
    Row("popularity", "popularity"),
    Row(
        "frequency", "frequency", parameters=FREQUENCY,
        grid={"category_weight": (0.0,), "item_weight": (0.0, 1.0, 5.0, 15.0)},
    ),
    Row(
        "tifu-knn", "tifu-knn", parameters=TIFU_KNN,
        grid={"own_weight": (0.7, 0.9), "group_decay": (0.7, 0.9, 1.0), "neighbours": (100, 300)},
    ),
    Row(
        "up-cf", "up-cf", parameters=UP_CF,
        grid={"recency": (10, 30, 100), "locality": (5.0, 10.0, 20.0), "asymmetry": (0.25, 0.75)},
    ),
    Row("user-knn", "user-knn", parameters={"neighbours": 30}, grid={"neighbours": (30, 100, 300)}),
    Row(
        "item-knn", "item-knn", parameters=ITEM_KNN,
        grid={"weighting": ("cosine", "tfidf", "bm25"), "neighbours": (5, 20, 100)},
    ),
    Row("ease", "ease", grid={"regularization": (30.0, 100.0, 300.0, 1000.0)}),
    Row("als", "als"),
    Row("bpr", "bpr"),
    Row("rules", "rules", grid={"recency": (1, 5, 20)}),
    Row(
        "markov", "markov", parameters=MARKOV,
        grid={"recency": (1, 5, 20), "decay": (0.8, 0.95)},
    ),
    Row("content", "content", grid={"popularity_weight": (0.0, 0.25, 0.5, 1.0, 2.0)}),
    Row("content-text", "content-text"),
    Row("dmf", "dmf"),
    Row("caser", "caser"),
    Row("gru", "gru"),
    Row("lstm", "lstm"),
    Row("sasrec", "sasrec"),
    Row("bert4rec", "bert4rec"),
    Row("lightgcn", "lightgcn"),
    Row("gat", "gat"),
    Row("gae", "gae"),
    Row(
        "blend", "blend", kind="blend",
        parameters={"members": (
            ("tifu-knn", TIFU_KNN), ("up-cf", UP_CF), ("frequency", FREQUENCY), ("item-knn", ITEM_KNN),
            ("markov", MARKOV), ("popularity", {}),
        )},
    ),
    Row("ranker", "ranker", kind="blend"),
)  # fmt: skip


@dataclass(frozen=True)
class Config(Options):
    """Next basket on The Complete Journey."""

    data: DataConfig = DataConfig()


def main(config: Config) -> None:
    """Print the table, or the grids."""
    dataset = prepare(config.data)
    rows = chosen(ROWS, config.models)
    if config.tune:
        task = first_visits(dataset, dataset.split.validation_weeks)
        for row in rows:
            for point, found in tune(row, task):
                print(f"{row.model} {point} recall@10 {found['recall']:.4f} ndcg@10 {found['ndcg']:.4f}")
        return
    for note in dataset.notes:
        print(note)
    task = first_visits(dataset, dataset.split.test_weeks)
    run(rows, task, config.seeds, config.output, data=f"{dataset.name}, first visits in the test weeks")


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
