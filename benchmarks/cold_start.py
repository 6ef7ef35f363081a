"""Items that were never sold before: does content rank them for the shoppers who go on to buy them?

    python benchmarks/cold_start.py --data.text name --data.min-purchases 10 --json FILE
    python benchmarks/cold_start.py --data.log sales.csv --data.item-vectors image=pictures.npz --json FILE
    python benchmarks/cold_start.py --sessions DIR --json FILE

Two tasks on a log. `new`: the items whose first sale is in the test weeks. `hidden`: for each seed a tenth of
the items that were sold before, whose purchases before the test weeks are taken out. Each shopper with a past
who bought some of these items in the test weeks gets a ranking of these items alone, by what they bought
before. With `--sessions` (a folder of session_item.csv, user_session.csv, item_titles.csv,
item_categories.csv) the last 30 % of the sessions are told: half of a session's items is what the shopper has
bought, and the other half is to be found among the items of no earlier session; a seed draws the halves.

`attributes` are department, category, subcategory and brand; `words` TF-IDF weights of the words in names,
cut to 128 directions; `noise` are random vectors; the others are the vectors that the options give. Intervals
are over shoppers, and over seeds where there are several; those of `new` hold for these very items. The last
column is the paired difference in NDCG from attributes alone. The weight of vectors beside attributes was
chosen by `--tune`, the same tasks in the validation weeks. `--data.text` and `--sessions` need the encoder of
texts: pip install 'bundlegym[text]'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import tyro
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from bundlegym.data import DataConfig, Dataset, prepare
from bundlegym.data.item_vectors import ATTRIBUTES, TEXT, text_vectors
from bundlegym.errors import UserError
from bundlegym.evaluation.benchmark import write_lines
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.ranking import accuracy_of_lists
from bundlegym.evaluation.rollout import interval, ratio
from bundlegym.recommenders import Content, Interactions, make_recommender

K = 10
MEASURES = ("recall", "ndcg")
#: Share of the items that are hidden, and of the sessions that are told.
HIDDEN, TOLD = 0.1, 0.3
#: Weights of vectors, where attributes have 1, that are tried.
WEIGHTS = (1.0, 2.0, 3.0, 4.0)
_DIRECTIONS, _NOISE = 128, 384
#: Levels of a path of categories below the shop's own.
_LEVELS = 4
_SESSION_FILES = ("session_item", "user_session", "item_titles", "item_categories")


@dataclass(frozen=True)
class Config:
    """Ranking of items that were never sold before."""

    data: DataConfig = DataConfig()

    sessions: Path | None = None
    """Folder with the tables of sessions, instead of a log."""

    seeds: int = 5
    """Draws of hidden items, or of halves of sessions."""

    tune: bool = False
    """Print the grid of weights on the validation weeks of a log instead."""

    output: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    """Where to write the rows."""


@dataclass(frozen=True)
class Task:
    """Rank the items `new` (P,) for `shoppers` (n,) after `log`, in which nobody bought them but in what the
    shopper of a told session has; `truth` (n, P) of 0 and 1 is what they bought then."""

    log: Interactions
    new: np.ndarray
    shoppers: np.ndarray
    truth: sparse.csr_matrix


#: A task to (n, P) scores.
Ranker = Callable[[Task], np.ndarray]


def by_content(*sources: str, weights: tuple[float, ...] = ()) -> Ranker:
    """The content recommender."""

    def rank(task: Task) -> np.ndarray:
        model = make_recommender("content", sources=sources, weights=weights).fit(task.log)
        return model.score(task.shoppers)[:, task.new]

    return rank


def by_chance(task: Task) -> np.ndarray:
    """Random scores."""
    return np.random.default_rng(0).random(task.truth.shape, dtype=np.float32)


def by_category(task: Task) -> np.ndarray:
    """Mean popularity of the other items of an item's category, ties by chance."""
    category = task.log.content.attributes["category"]
    others = np.setdiff1d(np.arange(task.log.n_items), task.new)
    n = int(category.max()) + 1
    sold = np.bincount(category[others], task.log.popularity[others], n)
    mean = sold / np.maximum(np.bincount(category[others], minlength=n), 1)
    return mean[category[task.new]] + 1e-6 * by_chance(task)


def rankers(vectors: Mapping[str, np.ndarray]) -> dict[str, Ranker]:
    """What is compared, by name."""
    rows: dict[str, Ranker] = {"random": by_chance, "popularity of the category": by_category}
    rows[ATTRIBUTES] = by_content(ATTRIBUTES)
    rows[f"{ATTRIBUTES} + noise"] = by_content(ATTRIBUTES, "noise")
    for name in vectors:
        rows |= {name: by_content(name), f"{ATTRIBUTES} + {name}": by_content(ATTRIBUTES, name)}
    given = [name for name in vectors if name != "words"]
    if len(given) > 1:
        rows[" + ".join((ATTRIBUTES, *given))] = by_content(ATTRIBUTES, *given)
    return rows


def grid(vectors: Mapping[str, np.ndarray]) -> dict[str, Ranker]:
    """Attributes, each block of vectors and noise, and both under each weight."""
    rows: dict[str, Ranker] = {ATTRIBUTES: by_content(ATTRIBUTES)}
    for name in (*vectors, "noise"):
        rows[name] = by_content(name)
        for weight in WEIGHTS:
            both = by_content(ATTRIBUTES, name, weights=(1.0, weight))
            rows[f"{ATTRIBUTES} + {weight:g} {name}"] = both
    return rows


def word_vectors(names: np.ndarray) -> dict[str, np.ndarray]:
    """Those of the row `words` for items of these names (n_items,); none where hardly a word comes twice."""
    try:
        weight = TfidfVectorizer(token_pattern=r"[^\W\d_]{2,}", min_df=2, max_df=0.5).fit_transform(names)
    except ValueError:  # no word is left
        return {}
    if weight.shape[1] < 2:
        return {}
    words = TruncatedSVD(min(_DIRECTIONS, weight.shape[1] - 1), random_state=0).fit_transform(weight)
    return {"words": words.astype(np.float32)}


def noise_vectors(n_items: int) -> dict[str, np.ndarray]:
    """Those of the row `noise`."""
    return {"noise": np.random.default_rng(0).normal(size=(n_items, _NOISE)).astype(np.float32)}


def tasks_of_log(dataset: Dataset, weeks: tuple[int, int], seeds: int) -> Iterator[tuple[str, list[Task]]]:
    """Name -> one task a seed, of what is bought in `weeks` [first, past_last).

    Raises:
        UserError: no shopper bought such an item.
    """
    before = Interactions.from_dataset(dataset, (0, weeks[0]), noise_vectors(dataset.n_items))
    then = Interactions.from_dataset(dataset, weeks).counts.sign()
    sold = np.bincount(before.item, minlength=before.n_items) > 0
    if not sold.all():
        yield "new", [_task(before, ~sold, then)]
    hidden = []
    for seed in range(seeds):
        draw = np.random.default_rng(seed).permutation(np.flatnonzero(sold))[: int(HIDDEN * sold.sum())]
        new = np.isin(np.arange(before.n_items), draw)
        hidden.append(_task(before.where(~new[before.item]), new, then))
    yield "hidden", hidden


def _task(log: Interactions, new: np.ndarray, then: sparse.csr_matrix) -> Task:
    truth = then[:, np.flatnonzero(new)]
    shoppers = np.flatnonzero((log.n_visits > 0) & (np.diff(truth.indptr) > 0))
    if not len(shoppers):
        raise UserError("no shopper with a past bought an item that was new")
    return Task(log, np.flatnonzero(new), shoppers, truth[shoppers])


def tasks_of_sessions(folder: Path, seeds: int) -> tuple[list[Task], dict[str, np.ndarray]]:
    """One task a seed, and the vectors of titles and words. Sessions are shoppers of one visit, by time.

    Raises:
        UserError: a file is missing.
    """
    table: dict[str, pd.DataFrame] = {}
    for name in _SESSION_FILES:
        if not (path := folder / f"{name}.csv").is_file():
            raise UserError(f"--sessions: {path} is missing; see the head of this script")
        table[name] = pd.read_csv(path)
    lines = table["session_item"].drop_duplicates()
    titles = table["item_titles"].drop_duplicates("item ID").set_index("item ID")["titles"]
    lines = lines[lines["item ID"].isin(titles.index)]
    ids = np.sort(lines["item ID"].unique())
    order = table["user_session"].sort_values(["timestamp", "session ID"])["session ID"].unique()
    session, item = (
        pd.Index(known).get_indexer(lines[name]) for known, name in ((order, "session ID"), (ids, "item ID"))
    )
    names = titles.reindex(ids).astype(str).str.lower().to_numpy()
    vectors = {**word_vectors(names), TEXT: text_vectors(names)[0]}
    paths = table["item_categories"].drop_duplicates("item ID").set_index("item ID")["categories"]
    content = Content(_levels(paths.reindex(ids)), None, vectors | noise_vectors(len(ids)))

    n, first_told = len(order), int((1 - TOLD) * len(order))
    told = session >= first_told
    new = np.setdiff1d(np.arange(len(ids)), item[~told])
    tasks = []
    for seed in range(seeds):
        asked = told & (np.random.default_rng(seed).random(len(item)) < 0.5)
        log, then = (
            Interactions.from_columns(
                session[rows], item[rows], np.zeros(rows.sum()), n_shoppers=n, n_items=len(ids),
                held_out=np.arange(n) >= first_told, content=content,
            )
            for rows in (~asked, asked)
        )  # fmt: skip
        tasks.append(_task(log, np.isin(np.arange(len(ids)), new), then.counts))
    return tasks, vectors


def _levels(paths: pd.Series) -> dict[str, np.ndarray]:
    """Level -> (n_items,) codes of texts such as "[[Electronics,Computers,Cables]]"; `category` is the first
    level below the shop's own."""
    parts = paths.fillna("").str.strip("[]").str.split("],[", regex=False).str[0].str.split(",")
    names = ("category", *(f"level {i}" for i in range(2, _LEVELS + 1)))
    return {
        name: pd.factorize(parts.map(lambda path, depth=depth: ",".join(path[: depth + 2])))[0]
        for depth, name in enumerate(names)
    }


def measured(rank: Ranker, tasks: list[Task]) -> dict[str, np.ndarray]:
    """Measure -> (S, n_shoppers) of S tasks, NaN where a shopper is not asked for."""
    found = {name: np.full((len(tasks), tasks[0].log.n_shoppers), np.nan) for name in MEASURES}
    for row, task in enumerate(tasks):
        scores = rank(task)
        scores[task.log.counts[task.shoppers][:, task.new].nonzero()] = -np.inf  # a told session's own half
        k = min(K, len(task.new))
        lists = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        figures = accuracy_of_lists(lists, task.truth)
        for name in MEASURES:
            found[name][row, task.shoppers] = figures[name]
    return found


def with_interval(values: np.ndarray) -> dict[str, float]:
    """Mean and 95 % interval of (S, n_shoppers) figures, NaN where there is none."""
    known = ~np.isnan(values)
    asked = known.any(axis=0)
    return interval(*ratio(np.stack([np.where(known, values, 0.0), known], axis=-1)[:, asked]))


def compare(name: str, tasks: list[Task], rows: Mapping[str, Ranker]) -> list[dict[str, Any]]:
    """Print one table, and give its lines."""
    shoppers = np.mean([len(task.shoppers) for task in tasks])
    print(f"{name}: {len(tasks[0].new):,} items, {shoppers:,.0f} shoppers, {len(tasks)} seeds")
    print(f"{'':<28}{f'recall@{K}':>26}{f'ndcg@{K}':>26}{'ndcg over attributes':>28}")
    figures = {row: measured(rank, tasks) for row, rank in rows.items()}
    lines = []
    for row, found in figures.items():
        line: dict[str, Any] = {"task": name, "model": row, "seeds": len(tasks)}
        line |= {f"{measure}@{K}": with_interval(values) for measure, values in found.items()}
        line["over_attributes"] = with_interval(found["ndcg"] - figures[ATTRIBUTES]["ndcg"])
        lines.append(line)
        cells = [_words(line[key], sign) for key, sign in ((f"recall@{K}", ""), (f"ndcg@{K}", ""))]
        over = "" if row == ATTRIBUTES else _words(line["over_attributes"], "+")
        print(f"{row:<28}" + "".join(f"{cell:>26}" for cell in cells) + f"{over:>28}", flush=True)
    return lines


def _words(figure: Mapping[str, float], sign: str) -> str:
    return f"{figure['mean']:{sign}.4f} [{figure['low']:{sign}.4f}, {figure['high']:{sign}.4f}]"


def main(config: Config) -> None:
    """Print the tables, or the grids."""
    if config.sessions is not None:
        tasks, vectors = tasks_of_sessions(config.sessions, config.seeds)
        lines = compare("sessions", tasks, rankers(vectors))
        about = config.sessions.name
    else:
        dataset = prepare(config.data)
        for note in dataset.notes:
            print(note)
        words = word_vectors(dataset.items["name"].astype(str).to_numpy())
        dataset = replace(dataset, vectors={**words, **dataset.vectors})
        split, rows = dataset.split, (grid if config.tune else rankers)(dataset.vectors)
        weeks = split.validation_weeks if config.tune else split.test_weeks
        named = tasks_of_log(dataset, weeks, config.seeds)
        lines = [line for name, tasks in named for line in compare(name, tasks, rows)]
        about = dataset.name
    if config.output:
        write_lines(config.output, lines, data=about)


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
