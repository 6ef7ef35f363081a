"""What other policies would have earned, from an offer log with propensities (off-policy evaluation).

r is the margin that followed a decision, mu(a) the propensity of what was done, pi(a) the chance with which
the policy in question would have done it, w = pi(a) / mu(a):

- *IPS*, inverse propensity scoring: mean of w r (Horvitz and Thompson 1952; Bottou et al. 2013);
- *self-normalised*: sum of w r over sum of w (Swaminathan and Joachims 2015, "The Self-Normalized Estimator
  for Counterfactual Learning");
- *doubly robust*: mean of q(pi) + w (r - q(a)), with q a regression of r on the household's past and on the
  offer, fitted on the other households (Dudík, Langford and Li 2011, "Doubly Robust Policy Evaluation and
  Learning"). It is unbiased whatever q is, since propensities are known; a good q makes it less noisy.

Each is also told against offering nothing, by the same data. Standard errors are clustered by household. What
an earlier offer does to later visits is part of the world in which a decision is made, and not of its gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test.offer_log import OfferLog, offer_log
from bundlegym.evaluation.field_test.outcomes import Visits
from bundlegym.evaluation.field_test.tables import read_texts

#: Discounts closer than this are the same.
_SAME = 1e-4
_FOLDS = 5


@dataclass(frozen=True)
class Target:
    """What a policy would do at D decisions.

    Attributes:
        chance: (D,) with which it would have done what was done.
        row: (R,) decision of each of its possible offers, among these offering nothing.
        items: (R, B) codes, -1 for none.
        discount, probability: (R,).
    """

    chance: np.ndarray
    row: np.ndarray
    items: np.ndarray
    discount: np.ndarray
    probability: np.ndarray


def nothing(log: OfferLog) -> Target:
    """The policy that never offers."""
    n = len(log.shopper)
    return Target((~log.made).astype(float), np.arange(n), np.full((n, 1), -1), np.zeros(n), np.ones(n))


def read_target(path: Path, log: OfferLog, dataset: Dataset) -> Target:
    """A policy as a table: `offer_id` (or `shopper` and `time`) of a decision, `items` and `discount` that it
    would offer, and `probability` (by default 1). What a decision's probabilities lack to 1 is offering
    nothing.

    Raises:
        UserError: a column is missing or wrong, or a decision's probabilities sum to more than 1.
    """
    by_id = read_texts(path, ("items", "discount"), ("offer_id", "shopper", "time", "probability"))
    if "offer_id" in by_id:
        place = pd.Index(log.offer_id).get_indexer(pd.Index(by_id["offer_id"]))
    elif "shopper" in by_id and "time" in by_id:
        place = None
    else:
        raise UserError(f"{path}: needs the column offer_id, or shopper and time, to name decisions")
    shoppers = dataset.shoppers["shopper"].astype(str).to_numpy()
    if place is None:
        days = (dataset.start + pd.to_timedelta(log.day, unit="D")).strftime("%Y-%m-%d")
        known = pd.MultiIndex.from_arrays([shoppers[log.shopper], days])
        if known.has_duplicates:
            raise UserError(f"{path}: a shopper has several decisions on a day; name them by offer_id")
        times = pd.to_datetime(by_id["time"], errors="coerce").dt.strftime("%Y-%m-%d")
        place = known.get_indexer(pd.MultiIndex.from_arrays([by_id["shopper"], times]))
    inside = place >= 0
    if not inside.any():
        raise UserError(f"{path}: none of its rows names a decision of the offer log")
    by_id, place = by_id[inside].reset_index(drop=True), place[inside]
    # Items, discounts and probabilities are read as those of an offer log are.
    made = pd.DataFrame(
        {
            "offer_id": [str(i) for i in range(len(by_id))],
            "shopper": shoppers[log.shopper[place]],
            "time": (dataset.start + pd.to_timedelta(log.day[place], unit="D")).strftime("%Y-%m-%d"),
            "items": by_id["items"],
            "discount": by_id["discount"],
            "propensity": by_id["probability"] if "probability" in by_id else "1",
        }
    )
    found = offer_log(made, dataset, label=str(path))
    place = place[found.offer_id.astype(int)]
    total = np.bincount(place, found.propensity, len(log.shopper))
    if (total > 1 + 1e-6).any():
        raise UserError(
            f"{path}: the probabilities of decision {total.argmax() + 1} of the offer log sum to "
            f"{total.max():.3f}"
        )
    width = max(found.items.shape[1], log.items.shape[1])
    items, logged = (_wide(table, width) for table in (found.items, log.items))
    rest = np.flatnonzero(total < 1 - 1e-9)
    row = np.concatenate([place, rest])
    items = np.concatenate([items, np.full((len(rest), width), -1)])
    discount = np.concatenate([found.discount, np.zeros(len(rest))])
    probability = np.concatenate([found.propensity, 1 - total[rest]])
    same = (np.sort(items, 1) == np.sort(logged[row], 1)).all(1) & (
        np.abs(discount - log.discount[row]) < _SAME
    )
    return Target(np.bincount(row, probability * same, len(log.shopper)), row, items, discount, probability)


def _wide(items: np.ndarray, width: int) -> np.ndarray:
    more = np.full((len(items), width - items.shape[1]), -1)
    return np.concatenate([items, more], 1)


class Outcome:
    """A regression of the margin that follows a decision on the household's past and on the offer, each
    household predicted by what was fitted on others.

    Args:
        before: days of the log before the first decision that say what a household usually buys.
    """

    def __init__(self, log: OfferLog, dataset: Dataset, before: int = 12 * 7) -> None:
        self.log, self.dataset = log, dataset
        visits, first = Visits.of(dataset), int(log.day.min())
        margin, count = visits.margins(first - before, first), visits.counts(first - before, first)
        usual = margin.sum() / max(count.sum(), 1)
        a_visit = (margin + 2 * usual) / (count + 2)
        self.past = np.stack([a_visit, np.log1p(count), margin], 1)[log.shopper]
        groups = min(_FOLDS, len(np.unique(log.shopper)))
        if groups < 2:
            raise UserError("an offer log of one shopper says nothing of others")
        folds = GroupKFold(groups).split(self.past, groups=log.shopper)
        features = self._features(np.arange(len(log.shopper)), log.items, log.discount)
        self.models, self.fold = [], np.zeros(len(log.shopper), dtype=int)
        for number, (fit, held) in enumerate(folds):
            model = make_pipeline(StandardScaler(), Ridge(1.0))
            self.models.append(model.fit(features[fit], log.margin[fit]))
            self.fold[held] = number

    def _features(self, row: np.ndarray, items: np.ndarray, discount: np.ndarray) -> np.ndarray:
        """(R, F) of offers (R, B) at the decisions `row`."""
        here, week = items >= 0, (self.log.day[row] // 7)[:, None]
        price = (self.dataset.shelf_price[items.clip(0), week] * here).sum(1)
        cost = (self.dataset.unit_cost[items.clip(0), week] * here).sum(1)
        offer = [(items != -1).any(1), (items != -1).sum(1), discount, price - cost, discount * price]
        return np.column_stack([self.past[row], *offer])

    def predict(self, row: np.ndarray, items: np.ndarray, discount: np.ndarray) -> np.ndarray:
        """(R,) expected margin."""
        features, found = self._features(row, items, discount), np.zeros(len(row))
        for number, model in enumerate(self.models):
            mine = self.fold[row] == number
            if mine.any():
                found[mine] = model.predict(features[mine])
        return found


@dataclass(frozen=True)
class Value:
    """Contributions of D decisions to three estimates of a policy's value, whose means they are, and the
    weights behind them; all (D,)."""

    ips: np.ndarray
    self_normalised: np.ndarray
    doubly_robust: np.ndarray
    weight: np.ndarray


def value(log: OfferLog, target: Target | None, outcome: Outcome) -> Value:
    """The value of a policy, a decision; None stands for the policy by which the offers were made."""
    r = log.margin
    if target is None:  # it has brought what it has brought
        return Value(r, r, r, np.ones_like(r))
    weight = target.chance / log.propensity
    every = np.arange(len(r))
    q_done = outcome.predict(every, log.items, log.discount)
    q = target.probability * outcome.predict(target.row, target.items, target.discount)
    q_target = np.bincount(target.row, q, len(r))
    mean = weight.mean()
    normal = (weight * r).sum() / weight.sum() if mean > 0 else np.nan
    around = normal + weight * (r - normal) / mean if mean > 0 else np.full(len(r), np.nan)
    return Value(weight * r, around, q_target + weight * (r - q_done), weight)


def clustered(contribution: np.ndarray, shopper: np.ndarray, alpha: float = 0.05) -> dict[str, float]:
    """The mean of (D,) contributions with its interval, by households as clusters."""
    n, mean = len(contribution), float(contribution.mean())
    sums = np.bincount(shopper, contribution - mean)
    clusters = len(np.unique(shopper))
    error = float(np.sqrt((sums**2).sum() * clusters / max(clusters - 1, 1))) / n
    half = float(stats.t.ppf(1 - alpha / 2, max(clusters - 1, 1))) * error
    return {"mean": mean, "error": error, "low": mean - half, "high": mean + half}


def support(weight: np.ndarray, shopper: np.ndarray) -> dict[str, Any]:
    """Whether the log says enough of a policy: effective sample size (Kish 1965), greatest weight, and the
    share of what the policy would do that could not have been done: one less the mean weight."""
    total = float(weight.sum())
    mean = clustered(weight, shopper)
    return {
        "decisions": len(weight),
        "effective_sample_size": total**2 / float((weight**2).sum()) if total > 0 else 0.0,
        "greatest_weight": float(weight.max()),
        "mean_weight": mean,
        "without_support": max(0.0, 1 - mean["mean"]),
        "told": bool(abs(mean["mean"] - 1) <= 3 * mean["error"] + 0.01),
    }
