"""Pre-built bundles on Youshu: rank all 4,771 bundles for 2,959 shoppers.

    python benchmarks/youshu.py --data DIR --json FILE

DIR holds the files of MultiCBR's datasets/Youshu. As in the code of CrossCBR and MultiCBR, models learn from
the training pairs, bundles of the training pairs are left out of the lists, and the ideal list of NDCG has
min(20, bundles in the truth) hits. Hyper-parameters, epochs and weights were chosen on the pairs of
user_bundle_tune.txt, on which `--tune` prints grids around the choice; models never learn from these. Each
fit's measures are in FILE as soon as it is done, and what FILE holds is not fitted again.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from scipy import sparse

from bundlegym.errors import UserError
from bundlegym.evaluation.benchmark import Options, chosen, line_of, write_lines
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.ranking import evaluate_ranking
from bundlegym.recommenders import Recommender
from bundlegym.recommenders.bundles.blend import BundleBlend
from bundlegym.recommenders.bundles.content import BundleContent
from bundlegym.recommenders.bundles.ease import BundleEASE
from bundlegym.recommenders.bundles.log import BundleLog
from bundlegym.recommenders.bundles.multi_view_graph import BundleViews
from bundlegym.recommenders.ease import EASE
from bundlegym.recommenders.popularity import Popularity

K = 20


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        model: what the table calls it.
        make: gives an unfitted recommender.
        kind: "single", or "blend" for one that combines others.
        seeded: whether another seed gives another result.
        grid: hyper-parameter -> values that `--tune` tries.
        scoring: the same for one that only scoring reads, so that one fit does for all values.
    """

    model: str
    make: Callable[..., Recommender]
    kind: str = "single"
    seeded: bool = False
    grid: dict[str, Sequence[Any]] = field(default_factory=dict)
    scoring: dict[str, Sequence[Any]] = field(default_factory=dict)


ROWS = (
    Row("popularity", Popularity),
    Row("bundle-content", BundleContent),
    Row("ease", partial(EASE, regularization=200.0), grid={"regularization": (100.0, 200.0, 400.0)}),
    Row(
        "bundle-ease", BundleEASE,
        grid={"regularization": (200.0, 300.0, 400.0), "part_weight": (100.0, 300.0), "power": (0.0, 0.5)},
    ),
    Row(
        "bundle-views", BundleViews, seeded=True,
        grid={"temperature": (0.18, 0.22, 0.26), "epochs": (6, 7, 9), "link_rate": (0.003, 0.01)},
    ),
    Row(
        "bundle-blend", BundleBlend, kind="blend", seeded=True,
        scoring={"weights": tuple(
            (ease, parts, 1.0, 1.0, 1.0) for ease in (0.0, 0.1, 0.2, 0.4) for parts in (0.0, 0.2, 0.4, 0.6)
        )},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Config(Options):
    """Pre-built bundles on Youshu."""

    data: Path
    """Folder with Youshu_data_size.txt, user_bundle_*.txt, user_item.txt and bundle_item.txt."""


def load(folder: Path) -> tuple[BundleLog, dict[str, sparse.csr_matrix]]:
    """The training log, and the pairs of the parts "tune" and "test" as (n_shoppers, n_bundles) 0 and 1.

    Raises:
        UserError: a file is missing, or is not a table of whole numbers.
    """

    def table(name: str, columns: int) -> np.ndarray:
        path = folder / f"{name}.txt"
        if not path.is_file():
            raise UserError(f"--data: {path} is missing; give the folder datasets/Youshu of MultiCBR")
        try:
            rows = np.loadtxt(path, dtype=np.int64, delimiter="\t", ndmin=2)
        except ValueError as error:
            raise UserError(f"--data: {path}: {error}; must be whole numbers between tabs") from error
        if rows.shape[1] != columns:
            raise UserError(f"--data: {path} has {rows.shape[1]} columns; must be {columns}")
        return rows

    n_shoppers, n_bundles, n_parts = (int(n) for n in table("Youshu_data_size", 3)[0])
    log = BundleLog.from_tables(
        table("user_bundle_train", 2), table("user_item", 2), table("bundle_item", 2),
        n_shoppers=n_shoppers, n_bundles=n_bundles, n_parts=n_parts,
    )  # fmt: skip
    truth = {}
    for part in ("tune", "test"):
        pairs = table(f"user_bundle_{part}", 2)
        shape = (n_shoppers, n_bundles)
        truth[part] = sparse.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape).sign()
    return log, truth


def measure(model: Recommender, truth: sparse.csr_matrix) -> dict[str, float]:
    """Measures at 20 of a fitted model, over the shoppers with truth."""
    shoppers = np.flatnonzero(np.diff(truth.indptr))
    found = evaluate_ranking(model, shoppers, truth[shoppers], k=K, exclude_seen=True)
    return {f"{name}@{K}": found[name] for name in ("recall", "ndcg", "precision", "hit_rate", "mrr")} | {
        "coverage": found["coverage"]
    }


def points(grid: dict[str, Sequence[Any]]) -> Iterable[dict[str, Any]]:
    """Every combination of the grid's values."""
    return (dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values()))


def summary(row: Row, runs: list[dict[str, float]]) -> dict[str, Any]:
    """A line of the JSON file, with the runs themselves."""
    return {**line_of(row.model, row.kind, runs), "runs": runs}


def finished(path: Path | None) -> dict[str, list[dict[str, float]]]:
    """The runs that a file of this benchmark holds, by model."""
    if path is None or not path.exists():
        return {}
    return {line["model"]: line["runs"] for line in json.loads(path.read_text(encoding="utf-8"))["rows"]}


def main(config: Config) -> None:
    """Print the table, or the grids."""
    rows = chosen(ROWS, config.models)
    log, truth = load(config.data)
    if config.tune:
        for row in rows:
            for point in points(row.grid):
                model = row.make(**point).fit(log)
                for scoring in points(row.scoring):
                    for name, value in scoring.items():
                        setattr(model, name, value)
                    found = measure(model, truth["tune"])
                    reached = " ".join(f"{name} {found[name]:.4f}" for name in ("recall@20", "ndcg@20"))
                    print(row.model, point | scoring, reached, flush=True)
        return
    runs = finished(config.output)
    print(f"{'model':<16}{'kind':<8}{'recall@20':>18}{'ndcg@20':>18}", flush=True)
    for row in rows:
        mine = runs.setdefault(row.model, [])
        for seed in range(len(mine), config.seeds if row.seeded else 1):
            start = time.process_time()
            model = (row.make(seed=seed) if row.seeded else row.make()).fit(log)
            mine.append({**measure(model, truth["test"]), "cpu_seconds": time.process_time() - start})
            if config.output:
                lines = [summary(r, runs[r.model]) for r in ROWS if runs.get(r.model)]
                write_lines(config.output, lines, data="Youshu, test pairs, training bundles left out")
        line = summary(row, mine)
        cells = (f"{line[f'{name}@20']:.4f} +-{line[f'{name}@20_std']:.4f}" for name in ("recall", "ndcg"))
        print(f"{row.model:<16}{row.kind:<8}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
