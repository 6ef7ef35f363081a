"""What has changed in a shop since an earlier state of its log: prices, assortment, visits, and how likely is
what was bought."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.data.earlier_run import Known
from bundlegym.evaluation.fidelity.likelihood import line_nll
from bundlegym.user_models.base import UserModel

#: Days before the new ones that these are held against.
_DAYS_BEFORE = 28
_MOVED = 0.05  # of a price, that is told as dearer or cheaper


@dataclass(frozen=True)
class Drift:
    """The new days beside the four weeks before them.

    Attributes:
        first, last: days, such as 2024-07-01.
        price_ratio: median over items of the price paid, new over before; None where no item is in both.
        dearer, cheaper: shares of these items whose price moved by more than 5 %.
        new_items, gone_items: ids in the order of the catalogue: known since the new days; and sold in the
            four weeks before, but not in the new days.
        new_shoppers: how many.
        visits_a_week, lines_a_visit, value_a_visit: (before, new).
        nats_before, nats_after: a line of known shoppers and items on the new days, by the user model of the
            earlier run and by that of the new one; None where a model knows no shares.
    """

    first: str
    last: str
    price_ratio: float | None
    dearer: float
    cheaper: float
    new_items: list[str]
    gone_items: list[str]
    new_shoppers: int
    visits_a_week: tuple[float, float]
    lines_a_visit: tuple[float, float]
    value_a_visit: tuple[float, float]
    nats_before: float | None = None
    nats_after: float | None = None

    def _of_prices(self) -> str:
        if self.price_ratio is None:
            return "no item is sold on the new days that was sold before"
        return (
            f"{self.price_ratio:.1%} of those before in the median item; {self.dearer:.0%} of the items are "
            f"dearer and {self.cheaper:.0%} cheaper by more than {_MOVED:.0%}"
        )

    def as_text(self) -> str:
        """In sentences."""
        more = f"{len(self.new_items):,} new items, {self.new_shoppers:,} new shoppers"
        lines = [
            f"New days: {self.first} to {self.last}, held against the {_DAYS_BEFORE} days before.",
            f"Prices: {self._of_prices()}.",
            f"Assortment: {more}; {len(self.gone_items):,} items of before are not sold on the new days"
            f"{_some(self.gone_items)}.",
            *(
                f"{what}: {new:,.2f}, before {before:,.2f}"
                + (f" ({new / before - 1:+.1%})." if before else ".")
                for what, (before, new) in (
                    ("Visits a week", self.visits_a_week),
                    ("Lines a visit", self.lines_a_visit),
                    ("Value of a visit", self.value_a_visit),
                )
            ),
        ]
        if self.nats_before is not None and self.nats_after is not None:
            lines.append(
                f"Lines of known shoppers and items on the new days: {self.nats_before:.4f} nats a line by "
                f"the earlier user model, {self.nats_after:.4f} by the new one "
                f"({self.nats_after - self.nats_before:+.4f}; less is better)."
            )
        return "\n".join(lines)


def drift(dataset: Dataset, known: Known, day: int) -> Drift:
    """Of a longer log whose new days begin with `day` (days since `dataset.start`); `known` says what the
    earlier one has."""
    visits, purchases = dataset.visits, dataset.purchases
    at = visits["day"].to_numpy()
    of_line = at[purchases["visit"].to_numpy()]
    end = int(at[at < day].max()) + 1
    start = max(end - _DAYS_BEFORE, 0)
    before, new = (of_line >= start) & (of_line < day), of_line >= day
    ratio = _price_ratio(purchases, before, new)
    sold = [np.bincount(purchases["item"][rows], minlength=dataset.n_items) > 0 for rows in (before, new)]
    ids = dataset.items["item"].astype(str).to_numpy(dtype=object)
    days = end - start, int(at.max()) + 1 - day
    counts = ((at >= start) & (at < day)).sum(), (at >= day).sum()
    value = (purchases["price_paid"] * purchases["quantity"]).to_numpy()
    parts = list(zip((before, new), counts, strict=True))

    def rate(before: float, new: float) -> tuple[float, float]:
        return float(before), float(new)

    return Drift(
        first=dataset.date(day),
        last=dataset.date(int(at.max())),
        price_ratio=float(np.median(ratio)) if len(ratio) else None,
        dearer=float((ratio > 1 + _MOVED).mean()) if len(ratio) else 0.0,
        cheaper=float((ratio < 1 - _MOVED).mean()) if len(ratio) else 0.0,
        new_items=ids[len(known.items) :].tolist(),
        gone_items=ids[sold[0] & ~sold[1]].tolist(),
        new_shoppers=dataset.n_shoppers - len(known.shoppers),
        visits_a_week=rate(*(7 * n / d for n, d in zip(counts, days, strict=True))),
        lines_a_visit=rate(*(rows.sum() / max(n, 1) for rows, n in parts)),
        value_a_visit=rate(*(value[rows].sum() / max(n, 1) for rows, n in parts)),
    )


def with_likelihood(
    found: Drift, dataset: Dataset, known: Known, day: int, earlier: UserModel, later: UserModel
) -> Drift:
    """With what two user models, fitted on the earlier and on the longer log, say of the new days."""
    # Known shoppers come first, and so do their visits.
    visits = dataset.visits[dataset.visits["shopper"] < len(known.shoppers)]
    lines = dataset.purchases
    lines = lines[(lines["item"] < len(known.items)) & (lines["visit"] < len(visits))]
    of_known = dataclasses.replace(dataset, visits=visits, purchases=lines.reset_index(drop=True))
    rows = np.flatnonzero(visits["day"] >= day)
    nats = [line_nll(model, of_known, rows) for model in (earlier, later)]
    means = [None if each is None or not len(each) else float(each.mean()) for each in nats]
    return dataclasses.replace(found, nats_before=means[0], nats_after=means[1])


def _price_ratio(purchases: pd.DataFrame, before: np.ndarray, new: np.ndarray) -> np.ndarray:
    """(n,) of the items in both parts, the median price paid in the new one over that before."""
    old, now = (purchases[rows].groupby("item")["price_paid"].median() for rows in (before, new))
    ratio = (now / old).dropna().to_numpy()
    return ratio[np.isfinite(ratio)]


def _some(ids: list[str]) -> str:
    return f", such as {', '.join(ids[:3])}" if ids else ""
