"""How the effect of a mailer wears out, week by week of a run.

    python benchmarks/wear_out.py [--log complete-journey] [--orange-juice FILE] [--json FILE]

The first table is of a log, by several specifications, so that what depends on the choice is seen: known
buyers or all shoppers, effects of departments or of categories in each week, and last week's price beside.
Two more lines look at what else could look like wear-out: whether mailers that go on begin weaker than those
of one week, and whether a rest brings the effect back.

The second table is of orange juice in 83 Dominick's stores (`orangeJuice` of the R package bayesm: store,
brand, week, logmove, price1 to price11, deal, feat): units of a brand in a store, with effects of each brand
in each store and of each week, or of each store in each week. Features are those of the chain, so errors are
clustered by brand; eleven clusters are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import tyro

from bundlegym.data import DataConfig, Dataset, prepare
from bundlegym.data.files import write_json
from bundlegym.evaluation.cli import guarded
from bundlegym.user_models.components.marketing import steadily_sold
from bundlegym.user_models.components.wear_out import (
    WearOut,
    columns_of,
    fit_wear_out,
    lines_and_exposure,
    run_columns,
    run_weeks,
    wear_out_of,
)
from bundlegym.user_models.numeric.poisson_fixed_effects import poisson_fixed_effects

#: Weeks since the item was last in the mailer, between classes of rest.
REST_EDGES = (3, 5, 9, 99)


@dataclass(frozen=True)
class Config:
    """How the effect of a mailer wears out."""

    log: str = "complete-journey"
    """A log with mailers, as in `DataConfig`; empty for none."""

    orange_juice: Path | None = None
    """orangeJuice_yx.csv or .csv.gz of bayesm."""

    output: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    """Where to write the rows."""


def main(config: Config) -> None:
    """Print both tables."""
    rows: dict[str, WearOut] = {}
    if config.log:
        dataset = prepare(DataConfig(log=config.log))
        rows |= (mine := of_log(dataset))
        print(f"{dataset.name}, all weeks and shoppers")
        _print(mine)
        _print_parts(dataset)
    if config.orange_juice:
        rows |= (mine := of_orange_juice(pd.read_csv(config.orange_juice)))
        print("\norange juice, Dominick's")
        _print(mine)
    if config.output:
        told = {name: {k: np.asarray(v).tolist() for k, v in vars(w).items()} for name, w in rows.items()}
        write_json(config.output, {"rows": told})


def of_log(dataset: Dataset) -> dict[str, WearOut]:
    """Wear-out by each specification."""
    weeks, everyone = (0, dataset.n_weeks), np.ones(dataset.n_shoppers, dtype=bool)
    items = steadily_sold(dataset, weeks)
    category = pd.factorize(dataset.items["category"].astype(str), sort=True)[0]
    training = dataset.split.train_weeks
    rows = {
        "known buyers": fit_wear_out(dataset, weeks, everyone, items),
        "known buyers, training part": fit_wear_out(
            dataset, training, ~dataset.split.held_out, steadily_sold(dataset, training)
        ),
        "known buyers, categories' weeks": fit_wear_out(dataset, weeks, everyone, items, groups=category),
        "all shoppers": fit_wear_out(dataset, weeks, everyone, items, known_buyers=False),
        "all shoppers, categories' weeks": fit_wear_out(
            dataset, weeks, everyone, items, known_buyers=False, groups=category
        ),
    }
    columns = columns_of(dataset, weeks, np.ones(dataset.n_items, dtype=bool))
    before = np.zeros(columns.shape[:2])
    before[:, 1:] = columns[:, :-1, 0]
    beta, covariance = _regression(dataset, items, np.dstack([columns, before]))
    weeks_of = rows["known buyers"].item_weeks
    return rows | {"known buyers, last week's price": wear_out_of(beta, covariance, weeks_of, "known buyers")}


def _regression(dataset: Dataset, items: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of known buyers on `columns` (I, T, F), with effects of departments in each week."""
    everyone, weeks = np.ones(dataset.n_shoppers, dtype=bool), (0, dataset.n_weeks)
    count, exposure = lines_and_exposure(dataset, weeks, everyone, items, known_buyers=True)
    department = pd.factorize(dataset.items["department"].astype(str), sort=True)[0][items]
    item = np.arange(items.sum())
    x = np.tile(columns[items], (2, 1, 1))
    return poisson_fixed_effects(count, x, exposure, np.tile(department, 2), np.tile(item, 2))


def _print_parts(dataset: Dataset) -> None:
    """The first week by how long the run becomes, and by how long the item rested before."""
    weeks = (0, dataset.n_weeks)
    items = steadily_sold(dataset, weeks)
    run, columns = run_weeks(dataset.mailer), columns_of(dataset, weeks, np.ones(dataset.n_items, dtype=bool))
    goes_on = np.zeros(run.shape, dtype=bool)
    goes_on[:, :-1] = run[:, 1:] == 2
    rest = np.full(run.shape, REST_EDGES[-1])
    for week in range(1, run.shape[1]):
        rest[:, week] = np.where(run[:, week - 1] != 0, 1, np.minimum(rest[:, week - 1] + 1, REST_EDGES[-1]))
    parts = {"of one week": (run == 1) & ~goes_on, "of more": (run == 1) & goes_on}
    _print_first("first week, by the run that it begins", dataset, items, columns, parts)
    classes = np.digitize(rest, REST_EDGES[:-1])
    names = ("a week between", "two or three", "four to seven", "more")
    parts = {name: (run == 1) & (classes == k) for k, name in enumerate(names)}
    _print_first("first week, by the weeks since the last one in the mailer", dataset, items, columns, parts)


def _print_first(
    title: str, dataset: Dataset, items: np.ndarray, columns: np.ndarray, parts: dict[str, np.ndarray]
) -> None:
    own = [dataset.mailer * where for where in parts.values()]
    beta, covariance = _regression(dataset, items, np.dstack([*own, columns[:, :, :2], columns[:, :, 3:]]))
    error = np.sqrt(np.diag(covariance))
    told = (
        f"{name} {b:.3f} ({e:.3f}; {where[items].sum()})"
        for (name, where), b, e in zip(parts.items(), beta, error, strict=False)
    )
    print(f"{title}: {', '.join(told)}")


def of_orange_juice(table: pd.DataFrame) -> dict[str, WearOut]:
    """Wear-out in a panel of brands in stores; `deal` stands in the place of display, and log price is
    less its mean in the store, since the log has no list price."""
    prices = table[[f"price{brand}" for brand in range(1, 12)]].to_numpy()
    own = prices[np.arange(len(table)), table["brand"].to_numpy() - 1]
    first, n_weeks = int(table["week"].min()), int(np.ptp(table["week"].to_numpy())) + 1
    row, keys = pd.MultiIndex.from_frame(table[["store", "brand"]]).factorize(sort=True)
    week = table["week"].to_numpy() - first
    units, price, deal, feature, seen = np.zeros((5, len(keys), n_weeks))
    for name, place in ((np.exp(table["logmove"]), units), (np.log(own), price), (table["deal"], deal),
                        (table["feat"], feature), (1.0, seen)):  # fmt: skip
        place[row, week] = name
    runs = run_columns(np.where(seen > 0, feature, np.nan), (0, n_weeks))
    columns = np.dstack([price, deal, *runs])
    store, brand = (pd.factorize(np.array([key[k] for key in keys]), sort=True)[0] for k in (0, 1))
    weeks_of = (runs[:3] > 0).sum((1, 2))
    rows = {}
    for name, group in (("weeks", np.zeros_like(store)), ("stores' weeks", store)):
        beta, covariance = poisson_fixed_effects(units, columns, seen, group, brand)
        rows[f"orange juice, {name}"] = wear_out_of(beta, covariance, weeks_of, "units of orange juice")
    return rows


def _print(rows: dict[str, WearOut]) -> None:
    print(f"{'':33}{'week 1':>15}{'week 2':>15}{'week 3+':>15}{'2 / 1':>13}{'3+ / 1':>13}"
          f"{'factor':>13}{'after':>15}{'elasticity':>15}")  # fmt: skip
    for name, w in rows.items():
        cells = [f"{m:.3f} ({e:.3f})" for m, e in zip(w.mailer, w.mailer_error, strict=True)]
        cells += [f"{m:.2f} ({e:.2f})" for m, e in zip(w.measured[1:], w.standard_error[1:], strict=True)]
        cells += [" ".join(f"{f:.2f}" for f in w.factor[1:]), f"{w.after:.3f} ({w.after_error:.3f})"]
        cells += [f"{w.elasticity:.2f} ({w.elasticity_error:.2f})"]
        widths = (15, 15, 15, 13, 13, 13, 15, 15)
        print(f"{name:33}" + "".join(f"{cell:>{n}}" for cell, n in zip(cells, widths, strict=True)))
    print("item-weeks: " + "; ".join(f"{name} {w.item_weeks.tolist()}" for name, w in rows.items()))


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
