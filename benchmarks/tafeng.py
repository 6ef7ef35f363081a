"""Next basket on Ta Feng: rank all 15,024 items for the basket that follows each shopper's history.

    python benchmarks/tafeng.py --data DIR --json FILE

DIR holds tafeng_history.json, tafeng_future.json and tafeng_keyset.json of github.com/lynEcho/NBR-fairness.
All 10,182 shoppers' histories are learned from; the baskets that follow are validation for 5,091 of them and
test for the other 5,091. Hyper-parameters were chosen on the former by `--tune`. The ideal list of NDCG is as
long as the basket. Rows called "published" have the settings of the papers. The line "oldest first" is the
published baseline of personal, then global frequency, with equal counts in the order of first purchase.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from bundlegym.errors import UserError
from bundlegym.evaluation.benchmark import Options, Row, Task, chosen, run, tune
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.ranking import ranking_metrics
from bundlegym.recommenders import Interactions

FREQUENCY = {"category_weight": 0.0, "item_weight": 0.0}
UP_CF = {"recency": 10, "locality": 2.0, "asymmetry": 0.75}
TIFU_KNN = {"own_weight": 0.1, "group_decay": 0.9, "neighbours": 900}
ITEM_KNN = {"neighbours": 20}
ROWS = (
    Row("popularity", "popularity"),
    Row("frequency", "frequency", parameters=FREQUENCY),
    Row("tifu-knn, published", "tifu-knn"),
    Row("up-cf, published", "up-cf"),
    Row(
        "up-cf", "up-cf", parameters=UP_CF,
        grid={"recency": (5, 10, 100), "locality": (1.5, 2.0, 2.5), "asymmetry": (0.5, 0.75, 1.0)},
    ),
    Row(
        "tifu-knn", "tifu-knn", parameters=TIFU_KNN,
        grid={"own_weight": (0.1, 0.2, 0.4, 0.7), "group_decay": (0.7, 0.9, 1.0), "neighbours": (300, 900)},
    ),
    Row("user-knn", "user-knn", parameters={"neighbours": 30}, grid={"neighbours": (30, 100, 300, 1000)}),
    Row(
        "item-knn", "item-knn", parameters=ITEM_KNN,
        grid={"weighting": ("cosine", "tfidf", "bm25"), "neighbours": (20, 100, 400)},
    ),
    Row("als", "als"),
    Row("rules", "rules", grid={"recency": (1, 5, 20), "shrinkage": (3.0, 10.0, 30.0)}),
    Row("markov", "markov", grid={"recency": (1, 5, 20), "shrinkage": (3.0, 10.0, 30.0)}),
    Row(
        "blend", "blend", kind="blend",
        parameters={"members": (
            ("tifu-knn", TIFU_KNN), ("up-cf", UP_CF), ("frequency", FREQUENCY), ("item-knn", ITEM_KNN),
            ("markov", {}), ("popularity", {}),
        )},
    ),
    Row("ranker", "ranker", kind="blend"),
)  # fmt: skip


@dataclass(frozen=True)
class Config(Options):
    """Next basket on Ta Feng."""

    data: Path
    """Folder with the three JSON files."""


def read(folder: Path) -> dict[str, Any]:
    """The content of the three files.

    Raises:
        UserError: a file is missing.
    """
    content = {}
    for part in ("history", "future", "keyset"):
        path = folder / f"tafeng_{part}.json"
        if not path.is_file():
            raise UserError(f"--data: {path} is missing; give the folder with the files of NBR-fairness")
        content[part] = json.loads(path.read_text(encoding="utf-8"))
    return content


def tasks_of(content: dict[str, Any]) -> dict[str, Task]:
    """The tasks "validation" and "test", which share one log."""
    shoppers, n_items = list(content["history"]), content["keyset"]["item_num"]
    # Each list of baskets stands between two marks, [-1].
    log, future = (
        Interactions.from_baskets([content[part][shopper][1:-1] for shopper in shoppers], n_items)
        for part in ("history", "future")
    )
    code = {shopper: s for s, shopper in enumerate(shoppers)}
    tasks = {}
    for name, key in (("validation", "val"), ("test", "test")):
        some = np.array([code[shopper] for shopper in content["keyset"][key]])
        tasks[name] = Task(log, some, future.counts[some], cut_ideal=False)
    return tasks


def oldest_first(content: dict[str, Any], task: Task) -> dict[str, float]:
    """Measures where equal counts of a shopper go to what stands first in the file, not to the popular."""
    histories = list(content["history"].values())
    popular = [int(item) for item in task.log.by_popularity[:1000]]
    lists = []
    for shopper in task.shoppers:
        own = Counter(item for basket in histories[shopper][1:-1] for item in basket)
        ranked = [item for item, _ in own.most_common()]
        lists.append([*ranked, *(item for item in popular if item not in own)][: task.k])
    return ranking_metrics(
        np.array(lists), task.truth, task.log.counts[task.shoppers], cut_ideal=task.cut_ideal
    )


def main(config: Config) -> None:
    """Print the table, or the grids."""
    content = read(config.data)
    tasks = tasks_of(content)
    rows = chosen(ROWS, config.models)
    if config.tune:
        for row in rows:
            for point, found in tune(row, tasks["validation"]):
                print(f"{row.model} {point} recall@10 {found['recall']:.4f} ndcg@10 {found['ndcg']:.4f}")
        return
    published = oldest_first(content, tasks["test"])
    print(f"frequency, oldest first: recall@10 {published['recall']:.4f} ndcg@10 {published['ndcg']:.4f}")
    about = "Ta Feng, split of NBR-fairness, test shoppers"
    run(rows, tasks["test"], config.seeds, config.output, data=about)


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
