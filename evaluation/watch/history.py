"""What the log knows of a shopper until a day, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bundlegym.data import Dataset

_VISITS, _FAVOURITES, _ITEMS = 3, 5, 6


def history_of(dataset: Dataset, shopper: int, day: int) -> dict[str, Any]:
    """In JSON's own types, of the visits in the log before `day`.

    Returns:
        `sentence`: how often, how much and how cheaply the shopper bought. `favourites`: names of the items
        bought at most visits, with how many. `visits`: the last ones, newest first: date, spend, names.
    """
    visits = dataset.visits[(dataset.visits["shopper"] == shopper) & (dataset.visits["day"] < day)]
    lines = dataset.purchases[dataset.purchases["visit"].isin(visits.index)]
    if visits.empty:
        return {"sentence": "The log holds no visit before this day.", "favourites": [], "visits": []}
    paid = lines["price_paid"] * lines["quantity"]
    below = float((lines["price_paid"] < 0.99 * lines["list_price"]).mean())
    weeks = max(1, round((day - int(visits["day"].min())) / 7))
    sentence = (
        f"{_counted(len(visits), 'visit')} in the {_counted(weeks, 'week')} before,"
        f" {len(lines) / len(visits):.1f} items and {paid.sum() / len(visits):,.2f} a visit;"
        f" {below:.0%} of the lines below list price."
    )
    often = lines["item"].value_counts(sort=False).sort_values(ascending=False, kind="stable")
    often = often.head(_FAVOURITES)
    last = visits.iloc[::-1].head(_VISITS)
    return {
        "sentence": sentence,
        "favourites": [
            {"name": name_of(dataset, item), "visits": count}
            for item, count in zip(often.index.tolist(), often.tolist(), strict=True)
        ],
        "visits": [
            _visit(dataset, row, day, lines, paid)
            for row, day in zip(last.index.tolist(), last["day"].tolist(), strict=True)
        ],
    }


def name_of(dataset: Dataset, item: int) -> str:
    """The item's name, or its id in the log where it has none."""
    row = dataset.items.iloc[item]
    return str(row["name"]) or f"item {row['item']}"


def date_of(dataset: Dataset, day: int) -> str:
    """Such as 2024-05-13."""
    return (dataset.start + pd.Timedelta(days=day)).date().isoformat()


def _visit(dataset: Dataset, row: int, day: int, lines: pd.DataFrame, paid: pd.Series) -> dict[str, Any]:
    mine = lines["visit"] == row
    names = [name_of(dataset, int(item)) for item in lines.loc[mine, "item"]]
    more = [f"{len(names) - _ITEMS} more"] if len(names) > _ITEMS else []
    return {
        "date": date_of(dataset, day),
        "spend": round(float(paid[mine].sum()), 2),
        "items": names[:_ITEMS] + more,
    }


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
