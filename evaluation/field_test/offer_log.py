"""An offer log: offers that were made or not made, with the chance that each had, and what was bought then.

Its columns are told in docs/experiment.md. A row is a *decision*: a shopper to whom something could be
offered, and what was done, an offer or nothing. It is linked with the log's purchases by its basket where the
log says at which visit the offer was made; otherwise by time: the shopper's visits from that day on, until
their next decision, and for so many days at most.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.data.config import ReadOptions
from bundlegym.data.times import read_times
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.outcomes import Visits
from bundlegym.evaluation.field_test.tables import CONTROL, OFFERS, codes_of, read_texts

REQUIRED = ("offer_id", "shopper", "time", "items", "discount")
OPTIONAL = ("propensity", "arm", "policy", "taken", "basket", "held_back")


@dataclass(frozen=True)
class OfferLog:
    """D decisions, sorted by shopper and day. Codes are those of a `Dataset`.

    Attributes:
        offer_id: (D,) str.
        shopper, day: (D,) int64 codes, and days since the Monday of the log's week 0.
        items: (D, B) int64 codes of what was offered, -1 for none; -2 for an item that the log does not know.
        held_back: (D, B) the same of what would have been offered but for the draw; -1 where that is unknown.
        discount: (D,) share off the whole bundle, 0 where nothing was offered.
        propensity: (D,) the chance of what was done; NaN where it is not known.
        arm: (D,) str, 'offers', 'control' or another word; "" where there is none.
        taken: (D,) 1 or 0; NaN where it is not known.
        visit: (D,) row of `Dataset.visits` that followed first, -1 where none did.
        margin: (D,) of the visits that followed.
        unknown_shoppers: rows left out, since the log does not know the shopper.
        by_basket: decisions are linked by basket.
        window: days that count otherwise.
    """

    offer_id: np.ndarray
    shopper: np.ndarray
    day: np.ndarray
    items: np.ndarray
    held_back: np.ndarray
    discount: np.ndarray
    propensity: np.ndarray
    arm: np.ndarray
    taken: np.ndarray
    visit: np.ndarray
    margin: np.ndarray
    unknown_shoppers: int
    by_basket: bool
    window: int

    @property
    def made(self) -> np.ndarray:
        """(D,) bool, something was offered."""
        return (self.items != -1).any(1)

    @property
    def arms(self) -> np.ndarray | None:
        """(D,) bool, the shopper is in the arm that gets offers; None where the log has no two arms, or a
        shopper is in both."""
        offered = self.arm == OFFERS
        if not (offered | (self.arm == CONTROL)).all() or offered.all() or not offered.any():
            return None
        share = np.bincount(self.shopper, offered) / np.maximum(np.bincount(self.shopper), 1)
        return None if ((share > 0) & (share < 1)).any() else offered


def read_offers(path: Path, dataset: Dataset, window: int = 7) -> OfferLog:
    """The offer log in the file `path`; see `offer_log`."""
    return offer_log(read_texts(path, REQUIRED, OPTIONAL), dataset, window, str(path))


def offer_log(table: pd.DataFrame, dataset: Dataset, window: int = 7, label: str = "offers") -> OfferLog:
    """Of a table of texts.

    Raises:
        UserError: a column is missing, a value is no number, date or list of items, or out of its range; an
            offer stands in it twice; or none of its shoppers is in the log.
    """
    table = table.astype(str).replace("nan", "")
    if (again := table["offer_id"].duplicated()).any():
        raise UserError(f"{label}: the offer_id of row {again.argmax() + 1} stands in it more than once")
    shopper = codes_of(table["shopper"], dataset.shoppers["shopper"])
    if (shopper < 0).all():
        raise UserError(f"{label}: none of its shoppers is in {dataset.name}; is it the log that followed?")
    unknown = int((shopper < 0).sum())
    table, shopper = table[shopper >= 0].reset_index(drop=True), shopper[shopper >= 0]
    day = _days(table["time"], dataset, label)
    order = np.lexsort([np.arange(len(day)), day, shopper])
    table, shopper, day = table.iloc[order].reset_index(drop=True), shopper[order], day[order]
    items = _items(table["items"], dataset, label)
    number = {
        "discount": _numbers(table, "discount", label, 0, 1, missing=0.0),
        "propensity": _numbers(table, "propensity", label, 0, 1, missing=np.nan),
        "taken": _numbers(table, "taken", label, 0, 1, missing=np.nan),
    }
    if (number["propensity"] <= 0).any():
        raise UserError(f"{label}: a propensity of 0 is that of something that cannot have been done")
    by_basket = "basket" in table and bool((table["basket"] != "").any())
    visits = Visits.of(dataset)
    if by_basket:
        visit = codes_of(table["basket"], dataset.visits["basket"].astype(str))
        wrong = (visit >= 0) & (visits.shopper[visit] != shopper)
        if wrong.any():
            raise UserError(f"{label}: {int(wrong.sum())} baskets of column 'basket' are another shopper's")
        margin = np.where(visit >= 0, visits.margin[visit], 0.0)
    else:
        visit, margin = _followed_by(shopper, day, visits, window)
    held = _items(table["held_back"], dataset, label) if "held_back" in table else np.full_like(items, -1)
    made = (items != -1).any(1)
    return OfferLog(
        table["offer_id"].to_numpy(),
        shopper,
        day,
        items,
        held,
        np.where(made, number["discount"], 0.0),
        number["propensity"],
        table["arm"].to_numpy() if "arm" in table else np.full(len(table), "", dtype=object),
        number["taken"],
        visit,
        margin,
        unknown,
        by_basket,
        window,
    )


def _followed_by(
    shopper: np.ndarray, day: np.ndarray, visits: Visits, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """(D,) row of the first visit that each decision was followed by, and (D,) margin of all of them. A visit
    belongs to the shopper's last decision until then, for `window` days."""
    span = max(int(visits.day.max()), int(day.max())) + 1
    found = np.searchsorted(shopper * span + day, visits.shopper * span + visits.day, side="right") - 1
    at = found.clip(0)
    own = (found >= 0) & (shopper[at] == visits.shopper) & (visits.day < day[at] + window)
    margin = np.bincount(at[own], visits.margin[own], len(shopper))
    first = np.full(len(shopper), -1)
    rows = np.flatnonzero(own)[::-1]  # of several the first stays
    first[at[rows]] = rows
    return first, margin


def _days(times: pd.Series, dataset: Dataset, label: str) -> np.ndarray:
    try:
        read, _ = read_times(times, ReadOptions())
    except ValueError as error:
        raise UserError(f"{label}: column 'time': {error}") from error
    if read.isna().any():
        raise UserError(f"{label}: column 'time' holds {times[read.isna()].iloc[0]!r}, which is no date")
    day = (read.dt.normalize() - dataset.start).dt.days.to_numpy(np.int64)
    if (day < 0).any() or (day >= dataset.n_weeks * 7).any():
        last = dataset.start + pd.Timedelta(days=dataset.n_weeks * 7 - 1)
        raise UserError(
            f"{label}: offers from {read.min().date()} to {read.max().date()} lie outside {dataset.name}, "
            f"which runs from {dataset.start.date()} to {last.date()}; give the log that followed"
        )
    return day


def _items(texts: pd.Series, dataset: Dataset, label: str) -> np.ndarray:
    """(D, B) codes of lists such as `12|7` or `["12","7"]`; -1 for none, -2 for what the log does not
    know."""
    lists = [_list(text, label) for text in texts]
    width = max(1, max(map(len, lists)))
    flat = pd.Series([item for one in lists for item in one], dtype=object).astype(str)
    codes = codes_of(flat, dataset.items["item"])
    row = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    place = np.concatenate([np.arange(len(one)) for one in lists]) if len(flat) else np.zeros(0, dtype=int)
    table = np.full((len(lists), width), -1, dtype=np.int64)
    table[row, place.astype(int)] = np.where(codes < 0, -2, codes)
    return table


def _list(text: str, label: str) -> list[str]:
    if not text.startswith("["):
        return [item.strip() for item in text.split("|") if item.strip()]
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UserError(f"{label}: column 'items' holds {text!r}, which is no list of items") from error
    return [str(item) for item in found]


def _numbers(
    table: pd.DataFrame, name: str, label: str, low: float, high: float, missing: float
) -> np.ndarray:
    if name not in table:
        return np.full(len(table), missing)
    texts = table[name].replace({"True": "1", "true": "1", "False": "0", "false": "0"})
    numbers = pd.to_numeric(texts.where(texts != ""), errors="coerce")
    wrong = (texts != "") & ~numbers.between(low, high)
    if wrong.any():
        raise UserError(
            f"{label}: column {name!r} holds {table[name][wrong].iloc[0]!r}; it must hold numbers in "
            f"{low:g}..{high:g}"
        )
    return numbers.fillna(missing).to_numpy(np.float64)
