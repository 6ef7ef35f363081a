"""What the benchmarks of recommenders share: rows of a table, several seeds each, printed and as JSON."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import numpy as np
import tyro
from scipy import sparse

from bundlegym.data import Dataset
from bundlegym.data.files import write_json
from bundlegym.errors import UserError
from bundlegym.evaluation.ranking import evaluate_ranking
from bundlegym.recommenders import Interactions, make_recommender
from bundlegym.recommenders.registry import recommender_class
from bundlegym.terminal import say

#: Columns of the printed table; the JSON file holds every measure.
SHOWN = ("recall", "ndcg", "repeat_recall", "explore_recall", "precision", "hit_rate", "coverage")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command lines of benchmarks of rankings share."""

    output: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    """Where to write the rows."""

    seeds: int = 3
    """Fits of each model that depends on a seed."""

    models: tuple[str, ...] = ()
    """Rows to run; all by default."""

    tune: bool = False
    """Print the grid of each row on validation data instead."""


class Named(Protocol):
    """A row of any table."""

    @property
    def model(self) -> str: ...


AnyRow = TypeVar("AnyRow", bound=Named)


@dataclass(frozen=True)
class Row:
    """One line of a benchmark.

    Attributes:
        model: what the table calls it.
        name: the registered recommender.
        kind: "single", or "blend" for one that combines others.
        parameters: hyper-parameters that are not the defaults, chosen on validation.
        grid: name -> values that the choice was made from (`tune`).
    """

    model: str
    name: str
    kind: str = "single"
    parameters: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def seeded(self) -> bool:
        """Whether another seed gives another result."""
        return "seed" in recommender_class(self.name).__dataclass_fields__


@dataclass(frozen=True)
class Task:
    """Rank all items for (n,) shoppers after `log`; `truth` (n, n_items) is the visit that follows."""

    log: Interactions
    shoppers: np.ndarray
    truth: sparse.csr_matrix
    k: int = 10
    cut_ideal: bool = True


def first_visits(dataset: Dataset, weeks: tuple[int, int]) -> Task:
    """Learn from all weeks before `weeks` [first, past_last); tell the first visit in them of each shopper
    who has a past."""
    log = Interactions.from_dataset(dataset, (0, weeks[0]))
    then = Interactions.from_dataset(dataset, weeks)
    first_visit = np.r_[True, then.visit_shopper[1:] != then.visit_shopper[:-1]]
    truth = then.where(first_visit[then.visit]).counts
    shoppers = np.flatnonzero((log.n_visits > 0) & (then.n_visits > 0))
    return Task(log, shoppers, truth[shoppers])


def chosen(rows: Sequence[AnyRow], models: Sequence[str]) -> list[AnyRow]:
    """The rows called `models`, or all of them where none is named.

    Raises:
        UserError: there is no row of that name.
    """
    known = [row.model for row in rows]
    if unknown := sorted(set(models) - set(known)):
        raise UserError(f"--models: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    return [row for row in rows if not models or row.model in models]


def measure(row: Row, task: Task, **parameters: Any) -> dict[str, float]:
    """Measures of one fit, and the CPU seconds that it took."""
    start = time.process_time()
    model = make_recommender(row.name, **{**row.parameters, **parameters}).fit(task.log)
    fitted = time.process_time() - start
    measures = evaluate_ranking(model, task.shoppers, task.truth, k=task.k, cut_ideal=task.cut_ideal)
    return {**measures, "fit_cpu_seconds": fitted}


def over_seeds(row: Row, task: Task, seeds: int) -> dict[str, Any]:
    """A line of the JSON file: means over seeds under each measure's name at K, deviations under `_std`."""
    runs = [measure(row, task, seed=seed) for seed in range(seeds)] if row.seeded else [measure(row, task)]
    plain = ("coverage", "fit_cpu_seconds")
    named = [{n if n in plain else f"{n}@{task.k}": v for n, v in run.items()} for run in runs]
    return {**line_of(row.model, row.kind, named), "parameters": row.parameters}


def line_of(model: str, kind: str, runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """A line of the JSON file: each measure's mean over runs, and its deviation under `_std`."""
    line: dict[str, Any] = {"model": model, "kind": kind, "seeds": len(runs)}
    for name in runs[0]:
        values = np.array([run[name] for run in runs])
        line[name] = float(values.mean())
        line[f"{name}_std"] = float(values.std(ddof=1)) if len(runs) > 1 else 0.0
    return line


def tune(row: Row, task: Task) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Each point of the row's grid, and its measures on a task of validation visits."""
    for values in itertools.product(*row.grid.values()):
        point = dict(zip(row.grid, values, strict=True))
        yield point, measure(row, task, **point)


def run(
    rows: Sequence[Row],
    task: Task,
    seeds: int,
    output: Path | None = None,
    report: Callable[[str], None] = say,
    **about: Any,
) -> list[dict[str, Any]]:
    """All lines, each printed and written as soon as it is there."""
    report(f"{'model':<28}{'kind':<8}" + "".join(f"{f'{name}@{task.k}':>20}" for name in SHOWN))
    lines = []
    for row in rows:
        line = over_seeds(row, task, seeds)
        lines.append(line)
        if output:
            write_lines(output, lines, **about)
        report(f"{row.model:<28}{row.kind:<8}" + "".join(_cell(line, name, task.k) for name in SHOWN))
    return lines


def _cell(line: dict[str, Any], name: str, k: int) -> str:
    key = name if name in line else f"{name}@{k}"
    spread = f" +-{line[f'{key}_std']:.4f}" if line["seeds"] > 1 else ""
    return f"{f'{line[key]:.4f}{spread}':>20}"


def write_lines(path: Path, lines: list[dict[str, Any]], **about: Any) -> None:
    """JSON: `rows`, and what is said `about` them."""
    write_json(path, {**about, "rows": lines})
