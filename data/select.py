"""Which visits and purchase lines belong to some weeks and shoppers: the one place where that is asked."""

from __future__ import annotations

import dataclasses

import numpy as np

from bundlegym.data.base import Dataset


def visit_rows(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray | None = None) -> np.ndarray:
    """Row numbers of `dataset.visits` in weeks [first, past_last), of the shoppers whom the mask `shoppers`
    (n_shoppers,) bool leaves in; of all without one."""
    keep = dataset.visits["week"].between(weeks[0], weeks[1] - 1).to_numpy(copy=True)
    if shoppers is not None:
        keep &= shoppers[dataset.visits["shopper"].to_numpy()]
    return np.flatnonzero(keep)


def lines_of(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P,) rows of `dataset.purchases` that belong to the visits `rows`, and the place of their visit in
    `rows`, ascending where `rows` is."""
    place = np.full(len(dataset.visits), -1)
    place[rows] = np.arange(len(rows))
    where = place[dataset.purchases["visit"].to_numpy()]
    lines = np.flatnonzero(where >= 0)
    return lines, where[lines]


def part_of(dataset: Dataset, shoppers: np.ndarray) -> Dataset:
    """The log of `shoppers` (sorted codes) alone, numbered from 0; without campaigns."""
    rows = np.flatnonzero(np.isin(dataset.visits["shopper"], shoppers))
    lines, place = lines_of(dataset, rows)
    visits = dataset.visits.iloc[rows].reset_index(drop=True)
    purchases = dataset.purchases.iloc[lines].reset_index(drop=True)
    return dataclasses.replace(
        dataset,
        shoppers=dataset.shoppers.iloc[shoppers].reset_index(drop=True),
        visits=visits.assign(shopper=np.searchsorted(shoppers, visits["shopper"])),
        purchases=purchases.assign(visit=place),
        split=dataclasses.replace(dataset.split, held_out=dataset.split.held_out[shoppers]),
        campaigns=None,
    )


def part_of_catalogue(dataset: Dataset, items: np.ndarray) -> Dataset:
    """The log of `items` (sorted codes) alone, numbered from 0, with all visits, some of which may hold
    nothing then; without campaigns."""
    code = np.full(dataset.n_items, -1)
    code[items] = np.arange(len(items))
    item = code[dataset.purchases["item"].to_numpy()]
    purchases = dataset.purchases[item >= 0].reset_index(drop=True)
    tables = ("list_price", "shelf_price", "unit_cost", "display", "mailer")
    return dataclasses.replace(
        dataset,
        items=dataset.items.iloc[items].reset_index(drop=True),
        purchases=purchases.assign(item=item[item >= 0]),
        campaigns=None,
        vectors={name: table[items] for name, table in dataset.vectors.items()},
        **{name: getattr(dataset, name)[items] for name in tables},
    )
