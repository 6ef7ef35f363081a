"""Session to bundles on the electronics data of DICL: which items of a session belong together, by title.

    python benchmarks/dicl.py --data DIR --json FILE

DIR holds sessions.json and item_titles.json. All 180 test sessions count, those without predictions too. Each
seed splits the other 713 sessions anew: 90 to tune thresholds on, the rest to learn from. Thresholds have the
best mean of the five measures there. The other hyper-parameters were chosen by `--tune`, on the data's own
split. The text encoder is needed: pip install 'bundlegym[text]'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from bundlegym.errors import UserError
from bundlegym.evaluation.benchmark import line_of, write_lines
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.session_bundles import bundle_measures
from bundlegym.recommenders.bundles.sessions import Session, SessionBundles
from bundlegym.recommenders.text import encode_text

#: Sessions of the 713 that thresholds are tuned on; as many as the data's own split leaves.
N_VALIDATION = 90
THRESHOLDS = {
    "whole session": (0.0,),
    "title overlap": tuple(np.arange(0.03, 0.21, 0.01).round(3)),
    "learned likeness": tuple(np.arange(0.2, 0.61, 0.025).round(3)),
}
GRID = [(components, strength) for components in (16, 32, 64) for strength in (0.003, 0.01, 0.03)]

#: A session's items and a threshold to the bundles among them.
Finder = Callable[[Sequence[int], float], list[frozenset[int]]]


@dataclass(frozen=True)
class Config:
    """Session to bundles on dicl_electronic."""

    data: Path
    """Folder with sessions.json and item_titles.json."""

    output: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    """Where to write the rows."""

    seeds: int = 5
    """Splits of the sessions that are not test sessions."""

    tune: bool = False
    """Print the grid of hyper-parameters on the data's own validation sessions instead."""


@dataclass(frozen=True)
class Data:
    """Titles of items, and the sessions to learn from and to rank."""

    titles: list[str]
    train: list[Session]
    validation: list[Session]
    test: list[Session]


def load(folder: Path) -> Data:
    """Items are coded in the order of item_titles.json.

    Raises:
        UserError: a file is missing.
    """
    content = {}
    for part in ("sessions", "item_titles"):
        path = folder / f"{part}.json"
        if not path.is_file():
            raise UserError(
                f"--data: {path} is missing; give the folder with sessions.json and item_titles.json"
            )
        content[part] = json.loads(path.read_text(encoding="utf-8"))
    sessions, titles = content["sessions"], content["item_titles"]
    code = {asin: i for i, asin in enumerate(titles)}

    def session(key: str) -> Session:
        items = tuple(code[asin] for asin in sessions["session_items"][key])
        bundles = (bundle["items"] for bundle in sessions["session_bundles"][key])
        return Session(items, tuple(frozenset(code[asin] for asin in bundle) for bundle in bundles))

    train, test = ([session(str(key)) for key in sessions[f"{name}_sessions"]] for name in ("train", "test"))
    taken = {str(key) for key in sessions["train_sessions"] + sessions["test_sessions"]}
    validation = [session(key) for key in sessions["session_items"] if key not in taken]
    return Data(list(titles.values()), train, validation, test)


def title_overlap(titles: list[str]) -> Finder:
    """Connected components of the items whose titles' words have a Jaccard similarity of the threshold."""
    words = [set(re.findall(r"[a-z0-9]+", title.lower())) for title in titles]

    def find(items: Sequence[int], threshold: float) -> list[frozenset[int]]:
        like = [[len(words[a] & words[b]) / max(len(words[a] | words[b]), 1) for b in items] for a in items]
        n, label = connected_components(sparse.csr_matrix(np.array(like) >= threshold), directed=False)
        found = [frozenset(np.array(items)[label == c].tolist()) for c in range(n)]
        return [bundle for bundle in found if len(bundle) > 1]

    return find


def learned(model: SessionBundles) -> Finder:
    """A fitted model at any threshold."""

    def find(items: Sequence[int], threshold: float) -> list[frozenset[int]]:
        model.threshold = threshold
        return model.recommend(items)

    return find


def measures(find: Finder, sessions: list[Session], threshold: float) -> dict[str, float]:
    """Of the bundles found in `sessions`."""
    found = [find(session.items, threshold) for session in sessions]
    return bundle_measures(found, [session.bundles for session in sessions])


def tuned(name: str, find: Finder, sessions: list[Session]) -> tuple[float, float]:
    """The threshold with the best mean of all measures, and that mean."""
    means = [np.mean(list(measures(find, sessions, t).values())) for t in THRESHOLDS[name]]
    return THRESHOLDS[name][int(np.argmax(means))], float(np.max(means))


def one_seed(data: Data, vectors: np.ndarray, seed: int) -> dict[str, dict[str, float]]:
    """Test measures and threshold by model, for one split of the sessions that are not test sessions."""
    rest = data.train + data.validation
    order = np.random.default_rng(seed).permutation(len(rest))
    held, rows = ([rest[i] for i in part] for part in (order[:N_VALIDATION], order[N_VALIDATION:]))
    finders: dict[str, Finder] = {
        "whole session": lambda items, _: [frozenset(items)],
        "title overlap": title_overlap(data.titles),
        "learned likeness": learned(SessionBundles().fit(vectors, rows)),
    }
    lines = {}
    for name, find in finders.items():
        threshold, _ = tuned(name, find, held)
        lines[name] = measures(find, data.test, threshold) | {"threshold": threshold}
    return lines


def main(config: Config) -> None:
    """Print the table, or the grid."""
    data = load(config.data)
    vectors = encode_text(np.array(data.titles))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if config.tune:
        for components, strength in GRID:
            model = replace(SessionBundles(), components=components, strength=strength)
            threshold, mean = tuned(
                "learned likeness", learned(model.fit(vectors, data.train)), data.validation
            )
            print(f"components {components} strength {strength}: threshold {threshold}, mean {mean:.4f}")
        return
    runs = [one_seed(data, vectors, seed) for seed in range(config.seeds)]
    lines = [line_of(name, "single", [run[name] for run in runs]) for name in runs[0]]
    keys = [key for key in runs[0]["title overlap"]]
    print(f"{'model':<20}" + "".join(f"{key:>17}" for key in keys))
    for line in lines:
        cells = (f"{line[key]:.3f} +-{line[f'{key}_std']:.3f}" for key in keys)
        print(f"{line['model']:<20}" + "".join(f"{cell:>17}" for cell in cells))
    if config.output:
        write_lines(config.output, lines, data="dicl_electronic, 180 test sessions")


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
