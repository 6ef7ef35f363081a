"""Offers to the shoppers of a log as a table: picked, allotted, explored, estimated, explained."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from bundlegym.deployment.allocation import of_most_gain, within_budget, within_stock
from bundlegym.deployment.answers import luck_of
from bundlegym.deployment.estimates import (
    FIRST_TO_CHOOSE,
    FIRST_TO_REPORT,
    Estimator,
    Gains,
    estimators,
    expected_gains,
)
from bundlegym.deployment.exploration import NOTHING, POLICY, Exploration, Offered
from bundlegym.deployment.histories import codes_of, ids_of
from bundlegym.deployment.ledger import Asked
from bundlegym.deployment.limits import Limits
from bundlegym.deployment.picking import pick
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.deployment.reasons import reasons_of
from bundlegym.errors import UserError
from bundlegym.evaluation.report.words import from_log
from bundlegym.threads import one_thread

#: Shoppers whose offers are picked and estimated at once, so that memory does not grow with the log.
BATCH = 1024
#: How often offers are made anew without what has run out.
_ROUNDS = 20


@dataclass(frozen=True)
class Rules:
    """What a shop allows; each shopper gets one offer at most.

    Attributes:
        budget: money that all discounts may cost, if every offer is taken whole.
        most_offers: greatest number of offers.
        limits: of each offer.
        exclude_items, exclude_categories: ids and names that are never offered.
        exclude_presets: keys of `restricted.WORDS`.
        stock: units by item id; an item that is not named is not limited.
        explore: probability that an offer is drawn, see `exploration`.
    """

    budget: float | None = None
    most_offers: int | None = None
    limits: Limits = Limits()
    exclude_items: tuple[str, ...] = ()
    exclude_categories: tuple[str, ...] = ()
    exclude_presets: tuple[str, ...] = ()
    stock: pd.Series | None = None
    explore: float = 0.0

    def __post_init__(self) -> None:
        for name in ("budget", "most_offers"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise UserError(f"--{name.replace('_', '-')} {value}: must be at least 0")
        if not 0 <= self.explore <= 1:
            raise UserError(f"--explore {self.explore}: a share lies between 0 and 1")

    @property
    def of_each_alone(self) -> bool:
        """Whether what a shopper is offered hangs on no other: nothing that is short is shared out."""
        return self.budget is None and self.most_offers is None and self.stock is None


@dataclass(frozen=True)
class Recommended:
    """The offers of a day.

    Attributes:
        table: a row an offer; with exploration a row a shopper, those who are offered nothing too.
        notes: sentences on what was left out and what it comes to.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Offers to some of the shoppers of a day, before they are summed up.

    Attributes:
        table: as in `Recommended`, M rows.
        notes: on the rules and on what ran short.
        explored, took_part: shoppers whose offer was drawn, and those it could have been drawn for.
        gains: by who estimates, of the M rows.
        face: (M,) what each discount costs if its offer is taken whole.
        made: offers among the rows.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    explored: int
    took_part: int
    gains: dict[str, Gains]
    face: tuple[float, ...]
    made: int


def summed_up(parts: Sequence[Part], rules: Rules) -> Recommended:
    """All parts of a day, in the order of their shoppers."""
    filled = [part.table for part in parts if len(part.table)] or [parts[0].table]
    notes = list(parts[0].notes)  # the rules' own; nothing runs short where there are several parts
    if rules.explore:
        explored, took_part = (sum(getattr(part, n) for part in parts) for n in ("explored", "took_part"))
        notes.append(f"{explored} of {took_part} shoppers get an offer that was drawn")
    for name in parts[0].gains:
        mean, error = (np.concatenate([getattr(p.gains[name], n) for p in parts]) for n in ("mean", "error"))
        total, half = float(mean.sum()), 1.96 * float(np.sqrt((error**2).sum()))
        notes.append(f"expected by {name}: {total:+.2f} [{total - half:+.2f}, {total + half:+.2f}]")
    made, given = sum(part.made for part in parts), sum(face for part in parts for face in part.face)
    notes.append(f"{made} offers; discounts of {given:.2f} if every one is taken whole")
    return Recommended(pd.concat(filled, ignore_index=True), tuple(notes))


def make_offers(
    policy: BundlePolicy,
    rules: Rules = Rules(),  # noqa: B008 (frozen)
    *,
    shoppers: Sequence[str] | None = None,
    day: str | None = None,
    draws: int = 64,
    progress: Callable[[str], None] = lambda _: None,
) -> Recommended:
    """One offer at most to each of `shoppers`, by default all of the log, on `day`, by default the one after
    the log's last.

    Args:
        draws: of luck, behind each expected margin; as many others decide who gets an offer where a budget, a
            number or stock is short, so that the best are not also the luckiest.

    Raises:
        UserError: a shopper, item, category or preset is unknown, or too few items are left.
    """
    return summed_up([part_of_offers(policy, rules, shoppers, day, draws, progress)], rules)


@one_thread()
def part_of_offers(
    policy: BundlePolicy,
    rules: Rules,
    shoppers: Sequence[str] | None,
    day: str | None,
    draws: int,
    progress: Callable[[str], None],
) -> Part:
    """As `make_offers`, before offers are summed up."""
    return _Maker(policy, rules, shoppers, day, draws, progress).make()


class _Maker:
    """What all steps of `make_offers` share."""

    def __init__(
        self,
        policy: BundlePolicy,
        rules: Rules,
        shoppers: Sequence[str] | None,
        day: str | None,
        draws: int,
        progress: Callable[[str], None],
    ) -> None:
        if draws < 2:
            raise UserError(f"--draws {draws}: must be at least 2")
        self.policy, self.rules, self.draws, self.progress = policy, rules, draws, progress
        self.ledger = policy.ledger
        if shoppers is not None:
            shoppers = list(dict.fromkeys(ids_of(shoppers)))
        self.asked: Asked = self.ledger.ask(shoppers)
        self.day = self.ledger.day(day)
        self.luck = torch.from_numpy(luck_of(self.asked.names, self.day))
        self.model_codes = policy.model_codes(self.asked)
        self.price, self.cost = self.ledger.prices(self.day)
        self.discounts = np.array(policy.config.discounts)
        self.notes: list[str] = []
        self.units = self._units()
        self.excluded = self._excluded()

    def make(self) -> Part:
        own, candidates = self._within_stock()
        took_part = self._granted(own)
        offered = self._explored(own, candidates, took_part)
        self.progress("estimating")
        told = [i for i, offer in enumerate(offered) if offer.items or self.rules.explore]
        offers, rows = [offered[i] for i in told], np.array(told, dtype=np.int64)
        gains = {
            who.name: self._gains_by(who, offers, rows, FIRST_TO_REPORT)
            for who in estimators(self.policy.experiment)
        }
        return Part(
            self._table(offers, rows, gains),
            tuple(self.notes),
            explored=sum(offer.arm != POLICY for offer in offered) if self.rules.explore else 0,
            took_part=int(took_part.sum()),
            gains=gains,
            face=tuple(self._face(offer) for offer in offers),
            made=sum(bool(offer.items) for offer in offers),
        )

    # --- what may be offered ------------------------------------------------------------------------------

    def _units(self) -> np.ndarray:
        """(I,) float, units in stock; infinite where it is not said."""
        units = np.full(self.ledger.n_items, np.inf)
        if self.rules.stock is not None:
            codes = codes_of(self.rules.stock.index.tolist(), self.ledger.items)
            units[codes[codes >= 0]] = self.rules.stock.to_numpy(dtype=float)[codes >= 0]
            if (codes < 0).any():
                self.notes.append(
                    f"{int((codes < 0).sum())} items of the stock file are not in the catalogue"
                )
        return units

    def _excluded(self) -> np.ndarray:
        rules = self.rules
        excluded = self.ledger.all_excluded(
            rules.exclude_items, rules.exclude_categories, rules.exclude_presets
        )
        for preset in rules.exclude_presets:
            found = self.ledger.restricted(preset)
            names = ", ".join(self.ledger.item_names[found][:3])
            such = f", such as {names}" if names else "; look whether names and categories tell them"
            self.notes.append(f"preset {preset}: {int(found.sum())} items are left out{such}")
        if rules.stock is not None:
            excluded |= self.units < 1
        return excluded | rules.limits.never(self.price, self.cost)

    # --- who is offered what ------------------------------------------------------------------------------

    def _within_stock(self) -> tuple[list[Offered], np.ndarray]:
        """The policy's offers to all, made anew without what has run out; and (N, K) the candidates."""
        n = len(self.asked.code)
        own: list[Offered] = [NOTHING] * n
        candidates = np.zeros((n, self.policy.config.n_candidates), dtype=np.int64)
        rows, excluded = np.arange(n), self.excluded.copy()
        for _ in range(_ROUNDS):
            self.progress(f"making offers to {len(rows)} shoppers")
            offers, candidates[rows] = self._picked(rows, excluded)
            if self.rules.stock is None:
                return offers, candidates
            gain = self._gains(offers, rows, FIRST_TO_CHOOSE).mean
            granted = within_stock(_items(offers), gain, self.units)
            for row, offer, yes in zip(rows, offers, granted, strict=True):
                own[row] = offer if yes else NOTHING
            rows = rows[~granted & np.array([bool(offer.items) for offer in offers])]
            if not len(rows):
                return own, candidates
            excluded |= self.units < 1
        self.notes.append(f"{len(rows)} shoppers are offered nothing: what they would be offered ran out")
        return own, candidates

    def _picked(self, rows: np.ndarray, excluded: np.ndarray) -> tuple[list[Offered], np.ndarray]:
        offers: list[Offered] = []
        candidates = []
        for first in range(0, len(rows), BATCH):
            visits = self.policy.open(self.asked.of(rows[first : first + BATCH]), self.day, excluded)
            picked = pick(visits, self.rules.limits)
            for items, level in zip(picked.items.tolist(), picked.level.tolist(), strict=True):
                offers.append(Offered(tuple(i for i in items if i >= 0), level))
            candidates.append(visits.candidates)
        return offers, np.concatenate(candidates)

    def _granted(self, own: list[Offered]) -> np.ndarray:
        """(N,) bool, to whom offers go where budget or number are short; all where neither is said."""
        n, rules = len(own), self.rules
        granted = np.ones(n, dtype=bool)
        if rules.budget is None and rules.most_offers is None:
            return granted
        made = np.array([bool(offer.items) for offer in own])
        gain = self._gains(own, np.arange(n), FIRST_TO_CHOOSE).mean
        if rules.budget is not None:
            granted = made & within_budget(np.array([self._face(o) for o in own]), gain, rules.budget)
        if rules.most_offers is not None:
            granted &= of_most_gain(made & granted, gain, rules.most_offers)
        self.notes.append(f"{int(granted.sum())} of {int(made.sum())} offers of the policy are made")
        return granted

    def _face(self, offer: Offered) -> float:
        """What the discount of an offer costs if it is taken whole."""
        return float(self.discounts[offer.level] * self.price[list(offer.items)].sum())

    def _explored(self, own: list[Offered], candidates: np.ndarray, took_part: np.ndarray) -> list[Offered]:
        own = [offer if yes else NOTHING for offer, yes in zip(own, took_part, strict=True)]
        if not self.rules.explore:
            return own
        # Whatever is drawn, stock suffices; where money is short no draw costs more than what it replaces.
        enough = self.units >= took_part.sum()
        short = self.rules.budget is not None
        exploration = Exploration(
            self.rules.explore, self.policy.seed, self.discounts, self.price, self.cost,
            self.policy.config.min_size, self.rules.limits, enough & ~self.excluded,
        )  # fmt: skip
        drawn = []
        for offer, who, name, here in zip(candidates, own, self.asked.names, took_part, strict=True):
            if not here:
                drawn.append(NOTHING)
                continue
            choices = exploration.choices(offer, self._face(who) + 1e-9 if short else np.inf)
            drawn.append(exploration.drawn(name, self.day, who, choices))
        return drawn

    # --- what it is worth ---------------------------------------------------------------------------------

    def _gains(self, offers: list[Offered], rows: np.ndarray, first: int) -> Gains:
        model = self.policy.user_model
        return self._gains_by(Estimator("", model), offers, rows, first)

    def _gains_by(self, who: Estimator, offers: list[Offered], rows: np.ndarray, first: int) -> Gains:
        """Of offers to the asked shoppers `rows`; 0 for nothing."""
        at = np.array([i for i, offer in enumerate(offers) if offer.items], dtype=np.int64)
        mean, error = np.zeros(len(offers)), np.zeros(len(offers))
        for some in np.split(at, np.flatnonzero(np.diff(rows[at] // BATCH)) + 1):
            found = self._gains_of([offers[i] for i in some], who, rows[some], first)
            mean[some], error[some] = found.mean, found.error
        return Gains(mean, error)

    def _gains_of(self, offers: list[Offered], who: Estimator, rows: np.ndarray, first: int) -> Gains:
        return expected_gains(
            self.policy.experiment,
            who.model,
            self.model_codes[rows],
            self.luck[torch.from_numpy(rows)],
            self.day,
            torch.from_numpy(_items(offers)),
            torch.tensor([self.discounts[offer.level] for offer in offers], dtype=torch.float32),
            range(first, first + self.draws),
        )

    def _table(self, offers: list[Offered], rows: np.ndarray, gains: dict[str, Gains]) -> pd.DataFrame:
        """Of the asked shoppers `rows`."""
        policy, date = self.policy, self.ledger.date(self.day)
        ids = self.ledger.item_ids
        why = reasons_of(policy.dataset, policy.market, self.ledger.bought, self.day)
        names = [self.asked.names[row] for row in rows]
        price = [round(float(self.price[list(offer.items)].sum()), 2) for offer in offers]
        off = [round(float(self.discounts[offer.level]), 6) if offer.items else 0.0 for offer in offers]
        codes = self.asked.code[rows].tolist()
        table = pd.DataFrame({
            "offer_id": [f"{date}-{name}" for name in names],
            "shopper": names,
            "time": date,
            "items": [_as_json(ids[list(offer.items)].tolist()) for offer in offers],
            "names": [from_log(" + ".join(policy.market.names[i] for i in offer.items)) for offer in offers],
            "discount": off,
            "shelf_price": price,
            "offer_price": [round(p * (1 - d), 2) for p, d in zip(price, off, strict=True)],
            "margin_if_taken": [self._margin(offer) for offer in offers],
            "propensity": [offer.propensity for offer in offers],
            "arm": [offer.arm for offer in offers],
            "policy": policy.name,
            "held_back": [_as_json(ids[list(offer.held_back)].tolist()) for offer in offers],
        })  # fmt: skip
        for name, of_name in gains.items():
            for end, values in (("", of_name.mean), ("_low", of_name.low), ("_high", of_name.high)):
                table[f"gain_{name}{end}"] = values.round(4)
        table["why"] = [
            from_log(why(code, offer.items)) if offer.items else ""
            for code, offer in zip(codes, offers, strict=True)
        ]
        return table

    def _margin(self, offer: Offered) -> float:
        items = list(offer.items)
        earned = (1 - self.discounts[offer.level]) * self.price[items] - self.cost[items]
        return round(float(earned.sum()), 2)


def _as_json(ids: list[str]) -> str:
    """A list without spaces."""
    return json.dumps(ids, separators=(",", ":"), ensure_ascii=False)


def _items(offers: list[Offered]) -> np.ndarray:
    """(N, B) item codes, -1 where a bundle is smaller."""
    size = max([len(offer.items) for offer in offers] + [1])
    table = np.full((len(offers), size), -1, dtype=np.int64)
    for row, offer in zip(table, offers, strict=True):
        row[: len(offer.items)] = offer.items
    return table


def read_stock(path: Path) -> pd.Series:
    """Units by item id, of a table with the columns item and units.

    Raises:
        UserError: it cannot be read, lacks a column, or names an item twice.
    """
    table = read_table(path)
    missing = [name for name in ("item", "units") if name not in table]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; it needs item and units")
    units = pd.to_numeric(table["units"], errors="coerce")
    if units.isna().any() or (units < 0).any():
        raise UserError(f"{path}: units must be numbers of at least 0")
    ids = pd.Series(ids_of(table["item"]))
    if ids.duplicated().any():
        raise UserError(f"{path}: item {ids[ids.duplicated()].iloc[0]} stands there twice")
    return pd.Series(units.to_numpy(dtype=float), index=ids.to_numpy())


def read_table(path: Path) -> pd.DataFrame:
    """A CSV or Parquet file, all as text.

    Raises:
        UserError: it cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path).astype(str)
        return pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
