"""What recommenders read of a log: who bought which items at which visit, and what is known of the items."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import sparse

from bundlegym.data import Dataset
from bundlegym.errors import UserError


@dataclass(frozen=True)
class Content:
    """What is known of the items apart from who buys them; any part may be missing.

    Attributes:
        attributes: name -> (n_items,) int64 codes from 0, such as category and brand.
        text: (n_items,) strings, or None.
        vectors: name -> (n_items, E) float32 given by the user, such as embeddings of the items' pictures.
    """

    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    text: np.ndarray | None = None
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Interactions:
    """A log in integer codes: one row an item of a visit, sorted by shopper, then time, then item.

    Make one with `from_dataset`, `from_columns` or `from_baskets`, which sort and check.

    Attributes:
        n_shoppers, n_items: how many codes there are; a shopper without rows is cold.
        shopper, item: (R,) int64 codes.
        visit: (R,) int64, codes from 0 that rise along the rows.
        day: (R,) int64, or a visit's place in the shopper's history where a log has no dates.
        quantity: (R,) float32.
        held_out: (n_shoppers,) bool, shoppers whom no parameter may be learned from; they are scored by
            their own rows.
        content: what is known of the items.
    """

    n_shoppers: int
    n_items: int
    shopper: np.ndarray
    visit: np.ndarray
    item: np.ndarray
    day: np.ndarray
    quantity: np.ndarray
    held_out: np.ndarray
    content: Content = field(default_factory=Content)

    @staticmethod
    def from_columns(
        shopper: np.ndarray,
        item: np.ndarray,
        day: np.ndarray,
        *,
        n_shoppers: int,
        n_items: int,
        visit: np.ndarray | None = None,
        quantity: np.ndarray | None = None,
        held_out: np.ndarray | None = None,
        content: Content | None = None,
    ) -> Interactions:
        """Rows in any order. Visits are a shopper's days unless `visit` says otherwise.

        Raises:
            UserError: a code lies outside 0..n-1.
        """
        shopper, item, day = (np.asarray(column, dtype=np.int64) for column in (shopper, item, day))
        for name, codes, n in (("shopper", shopper, n_shoppers), ("item", item, n_items)):
            if len(codes) and not 0 <= codes.min() <= codes.max() < n:
                raise UserError(f"{name} codes run from {codes.min()} to {codes.max()}; must be 0..{n - 1}")
        visit = day if visit is None else np.asarray(visit, dtype=np.int64)
        quantity = np.ones(len(item), np.float32) if quantity is None else np.asarray(quantity, np.float32)
        order = np.lexsort((item, visit, day, shopper))
        shopper, item, day, visit = shopper[order], item[order], day[order], visit[order]
        new_visit = _changes(shopper, day, visit)
        new_row = new_visit | _changes(item)
        first = np.flatnonzero(new_row)
        return Interactions(
            n_shoppers, n_items, shopper[first], np.cumsum(new_visit)[first] - 1, item[first], day[first],
            np.add.reduceat(quantity[order], first).astype(np.float32) if len(first) else quantity,
            np.zeros(n_shoppers, bool) if held_out is None else held_out, content or Content(),
        )  # fmt: skip

    @staticmethod
    def from_dataset(
        dataset: Dataset, weeks: tuple[int, int], vectors: Mapping[str, np.ndarray] | None = None
    ) -> Interactions:
        """The purchases of a prepared log in weeks [first, past_last).

        Args:
            vectors: name -> (n_items, E) in the order of `dataset.items`, for `Content.vectors`.
        """
        visit = dataset.purchases["visit"].to_numpy()
        keep = dataset.visits["week"].between(weeks[0], weeks[1] - 1).to_numpy()[visit]
        visit, purchases = visit[keep], dataset.purchases[keep]
        known = {
            name: np.unique(dataset.items[name].astype(str).to_numpy(dtype=object), return_inverse=True)[1]
            for name in ("department", "category", "subcategory", "brand")
        }
        columns = ["name", "brand", "subcategory", "category"]
        text = dataset.items[columns].astype(str).agg(" ".join, axis=1).str.lower().to_numpy(dtype=str)
        return Interactions.from_columns(
            dataset.visits["shopper"].to_numpy()[visit],
            purchases["item"].to_numpy(),
            dataset.visits["day"].to_numpy()[visit],
            n_shoppers=dataset.n_shoppers, n_items=dataset.n_items, visit=visit,
            quantity=purchases["quantity"].to_numpy(), held_out=dataset.split.held_out,
            content=Content({k: v for k, v in known.items() if v.any()}, text, vectors or {}),
        )  # fmt: skip

    @staticmethod
    def from_baskets(
        baskets: Sequence[Sequence[Sequence[int]]], n_items: int, content: Content | None = None
    ) -> Interactions:
        """`baskets[s][v]` holds the items of shopper s at visit v; a visit's place stands for its day."""
        flat = [
            (s, item, place)
            for s, visits in enumerate(baskets)
            for place, basket in enumerate(visits)
            for item in basket
        ]
        shopper, item, day = np.array(flat, dtype=np.int64).reshape(-1, 3).T
        return Interactions.from_columns(
            shopper, item, day, n_shoppers=len(baskets), n_items=n_items, content=content
        )

    @cached_property
    def visit_shopper(self) -> np.ndarray:
        """(n_visits,) int64."""
        return self.shopper[_changes(self.visit)]

    @cached_property
    def first_row(self) -> np.ndarray:
        """(n_shoppers + 1,) int64: shopper s has the rows first_row[s] : first_row[s + 1]."""
        return np.searchsorted(self.shopper, np.arange(self.n_shoppers + 1))

    @cached_property
    def n_visits(self) -> np.ndarray:
        """(n_shoppers,) int64 visits of each shopper."""
        return np.bincount(self.visit_shopper, minlength=self.n_shoppers)

    @cached_property
    def visits_ago(self) -> np.ndarray:
        """(R,) int64: 0 in a shopper's last visit, 1 in the one before it, and so on."""
        return np.cumsum(self.n_visits)[self.shopper] - 1 - self.visit

    @cached_property
    def counts(self) -> sparse.csr_matrix:
        """(n_shoppers, n_items) float32: visits of a shopper with an item."""
        return self.matrix(np.ones(len(self.item), np.float32))

    @cached_property
    def baskets(self) -> sparse.csr_matrix:
        """(n visits, n_items) float32 of 0 and 1."""
        shape = (len(self.visit_shopper), self.n_items)
        return sparse.csr_matrix((np.ones(len(self.item), np.float32), (self.visit, self.item)), shape)

    @cached_property
    def popularity(self) -> np.ndarray:
        """(n_items,) float32: visits with an item, of the shoppers who are not held out."""
        bought = self.item[~self.held_out[self.shopper]]
        return np.bincount(bought, minlength=self.n_items).astype(np.float32)

    @cached_property
    def by_popularity(self) -> np.ndarray:
        """(n_items,) int64 item codes, the most popular first, ties by code."""
        return np.argsort(-self.popularity, kind="stable")

    def matrix(self, weight: np.ndarray) -> sparse.csr_matrix:
        """(n_shoppers, n_items) float32 sums of `weight` (R,)."""
        shape = (self.n_shoppers, self.n_items)
        return sparse.csr_matrix((weight.astype(np.float32), (self.shopper, self.item)), shape)

    def where(self, rows: np.ndarray) -> Interactions:
        """The rows of a mask (R,), with the same codes of shoppers and items."""
        return dataclasses.replace(
            self, shopper=self.shopper[rows], item=self.item[rows], day=self.day[rows],
            quantity=self.quantity[rows],
            visit=np.cumsum(_changes(self.visit[rows])) - 1,
        )  # fmt: skip

    def training(self) -> Interactions:
        """Without the rows of held-out shoppers."""
        return self.where(~self.held_out[self.shopper]) if self.held_out.any() else self

    def split_last_visit(self) -> tuple[Interactions, sparse.csr_matrix]:
        """The log without each shopper's last visit, and those visits as (n_shoppers, n_items) 0 and 1.

        A shopper with one visit only keeps it and has an empty row in the second.
        """
        last = (self.visits_ago == 0) & (self.n_visits[self.shopper] > 1)
        return self.where(~last), self.where(last).counts

    def join(self, later: Interactions) -> Interactions:
        """Join this log and further visits under the same codes; visits of the two stay apart.

        New shoppers and items come behind those of this log. What is known of items, and who of the new
        shoppers is held out, is then what the later log says.

        Raises:
            UserError: the later log has fewer shoppers or items, or other ones of them are held out.
        """
        if later.n_shoppers < self.n_shoppers or later.n_items < self.n_items:
            raise UserError(
                f"the later log has {later.n_shoppers} shoppers and {later.n_items} items; "
                f"must be {self.n_shoppers} and {self.n_items} as in the first, or more, the new ones last"
            )
        if (later.held_out[: self.n_shoppers] != self.held_out).any():
            raise UserError("other shoppers are held out in the later log; must be those of the first")
        columns = {
            name: np.concatenate([getattr(self, name), getattr(later, name)])
            for name in ("shopper", "item", "day", "quantity")
        }
        visit = np.concatenate([self.visit, later.visit + len(self.visit_shopper)])
        return Interactions.from_columns(
            **columns, visit=visit, n_shoppers=later.n_shoppers, n_items=later.n_items,
            held_out=later.held_out, content=later.content,
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write one NPZ file."""
        columns = ("shopper", "visit", "item", "day", "quantity", "held_out")
        arrays = {name: getattr(self, name) for name in columns}
        arrays |= {f"attribute/{name}": codes for name, codes in self.content.attributes.items()}
        arrays |= {f"vector/{name}": vectors for name, vectors in self.content.vectors.items()}
        if self.content.text is not None:
            arrays["text"] = self.content.text
        np.savez_compressed(path, allow_pickle=False, n_items=np.int64(self.n_items), **arrays)

    @staticmethod
    def load(path: Path) -> Interactions:
        """What `save` wrote.

        Raises:
            ValueError: a code is out of range.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        parts: dict[str, dict[str, np.ndarray]] = {"attribute": {}, "vector": {}}
        for name in [name for name in arrays if "/" in name]:
            kind, key = name.split("/", 1)
            parts[kind][key] = arrays.pop(name)
        content = Content(parts["attribute"], arrays.pop("text", None), parts["vector"])
        n_items = int(arrays.pop("n_items"))
        rows = len(arrays["visit"])
        for name, end in (("shopper", len(arrays["held_out"])), ("item", n_items), ("visit", rows)):
            codes = arrays[name]
            if len(codes) != rows or (rows and not 0 <= codes.min() <= codes.max() < end):
                raise ValueError(f"{name}: codes must lie in 0..{end - 1}, one a row")
        return Interactions(n_shoppers=len(arrays["held_out"]), n_items=n_items, content=content, **arrays)


def _changes(*columns: np.ndarray) -> np.ndarray:
    """(R,) bool: the first row, and every row that differs from the one before it in any column."""
    changed = np.ones(len(columns[0]), bool)
    if len(changed):
        changed[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return changed
