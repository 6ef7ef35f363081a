"""The contract of `recommenders`: learn from a log, then score every item for a shopper's next visit.

A model is a dataclass of its hyper-parameters with two or three methods: `_learn` finds parameters in the
rows of shoppers who are not held out, `_read` takes in what scoring needs of all shoppers' own rows, `_score`
gives a score for each item. The rest (cold shoppers, ranking, ties, new days, files) is here, once.
"""

from __future__ import annotations

import copy
import dataclasses
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from bundlegym.data.sealed import read_sealed_json, write_sealed_json
from bundlegym.errors import UserError
from bundlegym.recommenders.interactions import Interactions

#: What `_learn` finds, in a form that NPZ files hold.
State = dict[str, Any]


@dataclass(eq=False)
class Recommender(ABC):
    """Scores items by how likely they are in a shopper's next visit.

    Class attributes:
        name: what the command line and tables call the model.
        learned: attributes that `_learn` sets and files hold: arrays and CSR matrices.

    Attributes:
        log: what the model was fitted on; set by `fit`.
    """

    name: ClassVar[str]
    learned: ClassVar[tuple[str, ...]] = ()

    def fit(self, log: Interactions) -> Self:
        """Learn from a log; its held-out shoppers are scored by their own rows but not learned from."""
        self.log = log
        self._learn(log.training())
        self._read(log)
        return self

    def partial_fit(self, log: Interactions) -> Self:
        """Take in further visits under the same codes, such as those of the new days; new shoppers and items
        come behind those that the model knows."""
        self.log = self.log.join(log)
        self._relearn(self.log.training())
        self._read(self.log)
        return self

    def over(self, log: Interactions) -> Self:
        """A model with the same parameters that scores the shoppers of another log under the same items;
        there may be more of them, held out, behind those that it knows."""
        model = copy.deepcopy(self, {id(self.log): self.log})
        model.log = log
        model._read(log)
        return model

    def score(self, shoppers: np.ndarray) -> np.ndarray:
        """(n, n_items) float32 for (n,) shopper codes; higher is likelier, cold shoppers get popularity.

        Scores compare items for one shopper; they need not compare shoppers or models.

        Raises:
            UserError: a shopper code lies outside 0..n_shoppers-1.
        """
        shoppers = np.asarray(shoppers, dtype=np.int64)
        if len(shoppers) and not 0 <= shoppers.min() <= shoppers.max() < self.log.n_shoppers:
            raise UserError(
                f"shopper codes run from {shoppers.min()} to {shoppers.max()}; "
                f"must be 0..{self.log.n_shoppers - 1}"
            )
        warm = self.log.n_visits[shoppers] > 0
        if warm.all():
            return self._score(shoppers)
        scores = np.tile(self.popularity, (len(shoppers), 1))
        if warm.any():
            scores[warm] = self._score(shoppers[warm])
        return scores

    def recommend(
        self, shoppers: np.ndarray, k: int, exclude_seen: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k best items of each shopper, best first: (n, k) int64 codes and (n, k) float32 scores.

        Equal scores go to the more popular item. Where `exclude_seen` leaves fewer than k items, the rest
        is code -1 with score -inf.

        Raises:
            UserError: k is not in 1..n_items, or a shopper code is unknown.
        """
        if not 1 <= k <= self.log.n_items:
            raise UserError(f"k is {k}; must be 1..{self.log.n_items}, the number of items")
        scores = self.score(shoppers)
        if exclude_seen:
            scores[self.log.counts[np.asarray(shoppers)].nonzero()] = -np.inf
        ids = top_k(scores, k, self.popularity, self.by_popularity)
        best = np.take_along_axis(scores, ids, axis=1)
        ids[np.isneginf(best)] = -1
        return ids, best

    @property
    def popularity(self) -> np.ndarray:
        """(n_items,) float32: what a cold shopper's items are ranked by, and equal scores of others."""
        return self.log.popularity

    @property
    def by_popularity(self) -> np.ndarray:
        """(n_items,) int64 item codes, the most popular first, ties by code."""
        return self.log.by_popularity

    @property
    def item_embeddings(self) -> np.ndarray | None:
        """(n_items, E) float32, or None where the model has none."""
        return None

    @property
    def shopper_embeddings(self) -> np.ndarray | None:
        """(n_shoppers, E) float32, zero for cold shoppers, or None where the model has none."""
        return None

    @property
    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def save(self, folder: Path) -> None:
        """Write `recommender.json`, `state.npz` and `log.npz` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        header = {"name": self.name, "parameters": self.parameters}
        np.savez_compressed(folder / "state.npz", allow_pickle=False, **_flat(self._state()))
        self.log.save(folder / "log.npz")
        others = [folder / "state.npz", folder / "log.npz"]
        write_sealed_json(folder / "recommender.json", header, others)  # last: it vouches for the rest

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` of the same class wrote; `registry.load_recommender` finds the class itself.

        Raises:
            UserError: the folder holds no recommender, one of another class, or a damaged one.
        """
        header = read_header(folder)
        if header["name"] != cls.name:
            raise UserError(f"{folder}: holds a recommender {header['name']!r}; must be {cls.name!r}")
        try:
            model = cls(**_tuples(header["parameters"]))
            model.log = Interactions.load(folder / "log.npz")
            with np.load(folder / "state.npz", allow_pickle=False) as file:
                model._restore(_unflat({name: file[name] for name in file.files}))
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise _damaged(folder, error) from error
        model._read(model.log)
        return model

    @abstractmethod
    def _learn(self, log: Interactions) -> None:
        """Find the parameters; `log` holds no row of a held-out shopper."""

    def _relearn(self, log: Interactions) -> None:
        """As `_learn`, with the parameters found so far to begin with. By default from scratch."""
        self._learn(log)

    def _read(self, log: Interactions) -> None:  # noqa: B027 (most models score straight from the log)
        """Take in all shoppers' own rows, held-out ones too; derives only, learns nothing."""

    @abstractmethod
    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        """(n, n_items) float32, a fresh array, for shoppers with at least one row each."""

    def _state(self) -> State:
        return {name: getattr(self, name) for name in self.learned}

    def _restore(self, state: State) -> None:
        for name, value in state.items():
            setattr(self, name, value)


def top_k(scores: np.ndarray, k: int, popularity: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(n, k) int64: columns of the k greatest of each row, greatest first, ties by popularity then code.

    `order` holds the columns by falling popularity (`Interactions.by_popularity`).
    """
    ids = np.empty((len(scores), k), dtype=np.int64)
    for row, line in zip(ids, scores, strict=True):
        least = np.partition(line, len(line) - k)[len(line) - k]
        above = np.flatnonzero(line > least)
        above = above[np.lexsort((above, -popularity[above], -line[above]))]
        row[: len(above)] = above
        row[len(above) :] = order[line[order] == least][: k - len(above)]
    return ids


def with_rows(table: np.ndarray, n: int) -> np.ndarray:
    """(n, E), a copy of a table (m, E) with rows of zeros behind its own, for those it was not made for."""
    longer = np.zeros((n, table.shape[1]), dtype=table.dtype)
    longer[: len(table)] = table
    return longer


def slices(n_shoppers: int, n_items: int) -> Iterator[slice]:
    """Parts of n shoppers whose scores of all items are held at once, 16 MB of them."""
    step = max(1, 4_000_000 // n_items)
    return (slice(start, min(start + step, n_shoppers)) for start in range(0, n_shoppers, step))


def read_header(folder: Path) -> dict[str, Any]:
    """Name and hyper-parameters of the recommender saved in a folder, all of whose files are undamaged.

    Raises:
        UserError: there is none, or a damaged one.
    """
    path = folder / "recommender.json"
    if not path.is_file():
        raise UserError(f"{folder}: holds no recommender.json; give a folder that a recommender was saved in")
    try:
        return read_sealed_json(path)
    except (OSError, ValueError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> UserError:
    return UserError(f"{folder}: the recommender is damaged ({error}); remove the folder")


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    return {k: _tuples(v) for k, v in value.items()} if isinstance(value, dict) else value


def _flat(state: State) -> dict[str, np.ndarray]:
    """A CSR matrix m becomes three arrays and its shape, under m/data and so on."""
    flat: dict[str, np.ndarray] = {}
    for name, value in state.items():
        if sparse.issparse(value):
            csr = sparse.csr_matrix(value)
            flat |= {f"{name}/{part}": getattr(csr, part) for part in ("data", "indices", "indptr")}
            flat[f"{name}/shape"] = np.array(csr.shape)
        else:
            flat[name] = np.asarray(value)
    return flat


def _unflat(flat: dict[str, np.ndarray]) -> State:
    state: State = {name: value for name, value in flat.items() if "/" not in name}
    for name in {name.rsplit("/", 1)[0] for name in flat if "/" in name}:
        data, indices, indptr, shape = (flat[f"{name}/{p}"] for p in ("data", "indices", "indptr", "shape"))
        state[name] = sparse.csr_matrix((data, indices, indptr), shape=tuple(shape))
        state[name].check_format(full_check=True)  # scipy looks codes up unasked
    return state
