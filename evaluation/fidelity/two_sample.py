"""Can a classifier tell simulated from real? (Lopez-Paz and Oquab 2017; 0.5 is the limit.)

Gradient boosting on features of single baskets and of shopper-weeks. Folds are by shopper: no shopper of a
test fold, real or simulated, was trained on. Identity, day and item codes are no features. What tells is said
by how much AUC is lost where a feature's values are shuffled (permutation importance, Breiman 2001).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.recommenders.likeliest import values_at

_FOLDS, _RESAMPLES, _MOST_ROWS = 5, 200, 40_000
_DEPARTMENTS = 6
_SHUFFLED, _TOLD_BY = 5_000, 5  # rows at most in which features are shuffled; features that are named
#: Trees of the classifier of each fold.
TREES = 150


def basket_features(panel: pd.DataFrame, dataset: Dataset, first_week: int) -> pd.DataFrame:
    """A row a visit: size, value, variety, deals, repeats, departments, weekday and days since the last
    visit."""
    lines = _line_features(panel, dataset, first_week)
    grouped = lines.groupby("visit")
    out = pd.DataFrame(
        {
            "shopper": grouped["shopper"].first(),
            "lines": grouped.size(),
            "units": grouped["quantity"].sum(),
            "most_units": grouped["quantity"].max(),
            "value": grouped["value"].sum(),
            "dearest": grouped["price"].max(),
            "categories": grouped["category"].nunique(),
            "departments": grouped["department"].nunique(),
            "deal_share": grouped["deal"].mean(),
            "repeat_share": grouped["repeat"].mean(),
            "log_popularity": grouped["log_popularity"].mean(),
            "weekday": grouped["day"].first() % 7,
        }
    )
    day = grouped["day"].first()
    out["gap"] = day.groupby(out["shopper"]).diff()
    return out.join(_department_lines(lines, "visit", dataset, first_week))


def week_features(panel: pd.DataFrame, dataset: Dataset, first_week: int) -> pd.DataFrame:
    """A row a shopper-week with a visit: visits, size, value, variety, deals, repeats, what last week
    held."""
    lines = _line_features(panel, dataset, first_week)
    lines["cell"] = lines["shopper"] * 1000 + lines["week"]
    grouped = lines.groupby("cell")
    out = pd.DataFrame(
        {
            "shopper": grouped["shopper"].first(),
            "visits": grouped["visit"].nunique(),
            "days": grouped["day"].nunique(),
            "lines": grouped.size(),
            "items": grouped["item"].nunique(),
            "units": grouped["quantity"].sum(),
            "value": grouped["value"].sum(),
            "categories": grouped["category"].nunique(),
            "deal_share": grouped["deal"].mean(),
            "repeat_share": grouped["repeat"].mean(),
            "log_popularity": grouped["log_popularity"].mean(),
        }
    )
    before = out[["visits", "lines", "value"]].copy()
    before.index = before.index + 1
    return out.join(before.add_suffix("_last_week")).join(
        _department_lines(lines, "cell", dataset, first_week)
    )


FEATURES = {"baskets": basket_features, "shopper_weeks": week_features}


def _line_features(panel: pd.DataFrame, dataset: Dataset, first_week: int) -> pd.DataFrame:
    item, week = panel["item"].to_numpy(), panel["week"].to_numpy()
    bought = line_counts(dataset, (0, first_week))
    popularity = np.asarray(bought.sum(0)).ravel() + 1
    return panel.assign(
        value=panel["quantity"] * panel["price"],
        category=pd.factorize(dataset.items["category"])[0][item],
        department=pd.factorize(dataset.items["department"])[0][item],
        deal=dataset.shelf_price[item, week] < 0.99 * dataset.list_price[item, week],
        repeat=values_at(bought, panel["shopper"].to_numpy(), item) > 0,
        log_popularity=np.log(popularity)[item],
    )


def _department_lines(lines: pd.DataFrame, by: str, dataset: Dataset, first_week: int) -> pd.DataFrame:
    """Lines of the departments that were the largest before `first_week`, whatever `lines` hold."""
    bought = np.asarray(line_counts(dataset, (0, first_week)).sum(0)).ravel()
    size = np.bincount(dataset.department_code, bought)
    columns = np.argsort(-size, kind="stable")[:_DEPARTMENTS]
    department = dataset.department_code[lines["item"].to_numpy()]
    table = pd.crosstab(lines[by], department).reindex(columns=columns, fill_value=0)
    return table.rename(columns=lambda code: f"department_{code}")


def two_sample_auc(real: pd.DataFrame, simulated: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """`auc` with a 95 % interval (`low`, `high`) from resampling shoppers, and `told_by`, by feature what AUC
    is lost where the values of it are shuffled, of the five that matter most. NaN where there are fewer
    shoppers than folds, or a side has no rows."""
    names = [c for c in real.columns if c != "shopper"]
    both = pd.concat([real, simulated.reindex(columns=real.columns)], ignore_index=True)
    label = np.r_[np.zeros(len(real)), np.ones(len(simulated))]
    rng = np.random.default_rng(seed)
    shopper = both["shopper"].to_numpy()
    if len(both) > _MOST_ROWS:
        some = rng.permutation(np.unique(shopper))
        keep = np.isin(shopper, some[: int(len(some) * _MOST_ROWS / len(both))])
        both, label, shopper = both[keep], label[keep], shopper[keep]
    x, score = both[names].to_numpy(np.float64), np.zeros(len(both))
    shoppers, who = np.unique(shopper, return_inverse=True)
    if len(shoppers) < _FOLDS or label.min(initial=1) == label.max(initial=0):
        return {"auc": np.nan, "low": np.nan, "high": np.nan, "told_by": {}}
    from sklearn.ensemble import HistGradientBoostingClassifier  # takes long to import, and who only
    from sklearn.model_selection import GroupKFold  # trains needs none of it

    shuffled, rows = [np.zeros((len(names) + 1, 0))], [np.zeros(0, dtype=np.int64)]
    other = np.random.default_rng([seed, 1])
    for train, test in GroupKFold(_FOLDS).split(x, label, shopper):
        # A column of which these folds know nothing, such as days since the last visit where nobody came
        # twice, has no bins.
        known = ~np.isnan(x[train]).all(0)
        model = HistGradientBoostingClassifier(max_iter=TREES, learning_rate=0.08, random_state=seed)
        if label[train].min() == label[train].max():
            score[test] = label[train][0]
            continue
        model.fit(x[np.ix_(train, known)], label[train])
        score[test] = model.predict_proba(x[np.ix_(test, known)])[:, 1]
        some = other.permutation(test)[: _SHUFFLED // _FOLDS]
        tables = [x[some]] + [_with_shuffled(x[some], column, other) for column in range(len(names))]
        shuffled.append(np.stack([model.predict_proba(table[:, known])[:, 1] for table in tables]))
        rows.append(some)
    found = []
    step = _steps(score)
    for _ in range(_RESAMPLES):
        times = np.bincount(rng.integers(len(shoppers), size=len(shoppers)), minlength=len(shoppers))
        found.append(_auc(label, step, times[who]))
    asked = label[np.concatenate(rows)]
    whole, *without = (_auc(asked, _steps(one), np.ones(len(asked))) for one in np.hstack(shuffled))
    lost = sorted(zip(names, whole - np.array(without), strict=True), key=lambda pair: -pair[1])
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return {
        "auc": float(_auc(label, step, np.ones(len(label)))),
        "low": float(low),
        "high": float(high),
        "told_by": {name: round(float(much), 3) for name, much in lost[:_TOLD_BY]},
    }


def _with_shuffled(x: np.ndarray, column: int, rng: np.random.Generator) -> np.ndarray:
    """A table (n, F) in which the values of a column are in another order."""
    table = x.copy()
    table[:, column] = rng.permutation(table[:, column])
    return table


def _steps(score: np.ndarray) -> np.ndarray:
    """(n,) int64, the place of each score among all that differ, ascending."""
    return np.unique(score, return_inverse=True)[1]


def _auc(label: np.ndarray, step: np.ndarray, times: np.ndarray) -> float:
    """Area under the ROC curve of rows that are there so many `times` (n,), by the statistic of Mann and
    Whitney: scores are ordered once for all resamples. NaN where all that is there has one label.

    Args:
        label: (n,) 0 or 1. step: (n,) int64, of `_steps`.
    """
    ones, zeros = np.bincount(step, times * label), np.bincount(step, times * (1 - label))
    pairs = ones.sum() * zeros.sum()
    return float(ones @ (zeros.cumsum() - zeros / 2) / pairs) if pairs else np.nan
