"""How well a fit recovers the price slope where a shop times its discounts to demand.

    python benchmarks/price_timing.py [--seeds 3] [--spread 0.3] [--epochs 8] [--json FILE]
    python benchmarks/price_timing.py --log complete-journey

Logs are drawn from known parameters. Each week every item, every category or every department has a demand
shock, normal with standard deviation `spread` on the log rate. Each item is discounted in about a quarter of
the weeks; the chance follows a latent number whose correlation with the shock is `timing`. 0 is no timing.
Above 0 the shop discounts what sells well anyway, below 0 what sells badly.

A row tells the recovered price slope over the true one, mean and standard error over seeds, for a fit by each
of the week effects of `EFFECTS`. `foretold` is what a regression of log rates on log prices with effects of
items would give: the true slope plus cov(shock, price cut) / var(price cut), over the true slope; the
shock and the cut are those of the weeks that coefficients are fitted on.

With `--log` it tells what the week effects change on a real log: coefficients, and nats a line in the
validation weeks, which the fit has not seen. The row "other seed" has no effects, and another order of
visits in the fit: what differs by chance alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import tyro

from bundlegym.data import (
    DataConfig,
    Dataset,
    Log,
    build_dataset,
    lines_of,
    prepare,
    synthetic_dataset,
    visit_rows,
)
from bundlegym.data.config import default_cache_dir
from bundlegym.data.files import write_json
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.fidelity.likelihood import line_nll
from bundlegym.threads import one_thread
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.choice.estimation.assemble import assemble
from bundlegym.user_models.choice.estimation.coefficients import fit_coefficients
from bundlegym.user_models.components.fit_weeks import preference_end
from bundlegym.user_models.components.marketing import steadily_sold
from bundlegym.user_models.fit_cache import FitCache

PRICE = 2.0
SHOPPERS, ITEMS, CATEGORIES, DEPARTMENTS, WEEKS = 500, 240, 30, 6, 44
START = pd.Timestamp("2024-01-01")
#: Who shares a demand shock, and the correlations of shock and discount, of the table.
CASES = {"item": (0.0, -0.6, -0.3, 0.3, 0.6), "category": (-0.6, 0.6), "department": (-0.6, 0.6)}
_SHORTLIST = 60


#: Groups of items that have an effect in each week of the fit; "department" is what a fit does.
EFFECTS = ("none", "department", "category")


@dataclass(frozen=True)
class Config:
    """How well a fit recovers the price slope where a shop times its discounts to demand."""

    seeds: int = 3
    """Logs drawn for each row."""

    spread: float = 0.3
    """Standard deviation of the demand shocks, on log rates."""

    epochs: int = 8
    """Passes of a fit over its visits; large effects of weeks take more."""

    log: str = ""
    """A log, as in `DataConfig`, or synthetic: then what week effects change on it, and no drawn logs."""

    columns: Path | None = None
    """Its columns file."""

    output: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    """Where to write the rows."""


@dataclass(frozen=True)
class TimedLog:
    """A log and what it was drawn from.

    Attributes:
        dataset: the log.
        shock: (ITEMS, WEEKS) demand shocks on the log rate.
        rebate: (ITEMS, WEEKS) log(list price / shelf price).
        group: (ITEMS,) int64 code of each item's category or department, by name.
    """

    dataset: Dataset
    shock: np.ndarray
    rebate: np.ndarray
    group: dict[str, np.ndarray]

    def foretold(self) -> float:
        """Recovered over true slope of a regression in the weeks that coefficients are fitted on."""
        tables = [table[:, preference_end((0, WEEKS)) :] for table in (self.shock, self.rebate)]
        shock, rebate = (table - table.mean(1, keepdims=True) for table in tables)
        return 1 + float((shock * rebate).sum() / (rebate**2).sum()) / PRICE


def draw(of: str, timing: float, spread: float = 0.3, seed: int = 0) -> TimedLog:
    """One visit a shopper and week. `of` is whose demand shocks they are: "item", "category" or
    "department"; `timing` the correlation of shock and discount; `spread` of the shocks."""
    rng = np.random.default_rng(seed)
    category = np.arange(ITEMS) % CATEGORIES
    group = {"category": category, "department": category % DEPARTMENTS, "item": np.arange(ITEMS)}
    liking = rng.normal(0, 0.8, (SHOPPERS, CATEGORIES))
    log_rate = np.log(0.012) + liking[:, category] + rng.normal(0, 0.5, (SHOPPERS, ITEMS))
    log_rate += rng.normal(0, 0.3, ITEMS)
    standard = rng.normal(size=(group[of].max() + 1, WEEKS))[group[of]]
    latent = timing * standard + np.sqrt(1 - timing**2) * rng.normal(size=(ITEMS, WEEKS))
    discounted = latent > 0.674  # the upper quartile of a normal
    depth = np.where(discounted, rng.uniform(0.1, 0.4, (ITEMS, WEEKS)), 0.0)
    list_price = np.round(rng.uniform(1, 6, ITEMS), 2)
    shelf_price = np.round(list_price[:, None] * (1 - depth), 2)
    shock, rebate = spread * standard, np.log(list_price[:, None] / shelf_price)
    rate = np.exp(log_rate[:, :, None] + (shock + PRICE * rebate)[None])
    shopper, item, week = np.nonzero(rng.random(rate.shape) < -np.expm1(-rate))
    transactions = pd.DataFrame(
        {
            "shopper": shopper,
            "basket": shopper * WEEKS + week,
            "item": item,
            "time": START + pd.to_timedelta(7 * week + 2, unit="D"),
            "quantity": 1,
            "price_paid": shelf_price[item, week],
            "list_price": list_price[item],
            "week": week + 1,
        }
    )
    names = [f"c{c:02d}" for c in category]
    department = [f"d{d}" for d in group["department"]]
    items = pd.DataFrame(
        {
            "item": np.arange(ITEMS),
            "department": department,
            "category": names,
            "subcategory": names,
            "brand": "B",
        }
    )
    log = Log("timed", transactions, items=items)
    return TimedLog(build_dataset(log, DataConfig(log="timed", min_purchases=1)), shock, rebate, group)


def recovered(log: TimedLog, effects: str = "department", epochs: int = 8) -> tuple[float, float]:
    """Recovered price slope over the true one, mean over items, and the coefficient of the prices of
    neighbours, whose true value is 0. Of the weeks' effects see `season_of`."""
    everyone = np.ones(SHOPPERS, dtype=bool)
    season = None if effects == "department" else season_of(log.group, effects, ITEMS)
    with one_thread():
        found = fit_coefficients(
            log.dataset,
            (0, WEEKS),
            everyone,
            _SHORTLIST,
            epochs=epochs,
            seed=0,
            progress=lambda _: None,
            season=season,
        )
    return float(found.price.mean()) / PRICE, float(found.competitor_discount)


def season_of(group: dict[str, np.ndarray], effects: str, n_items: int) -> np.ndarray:
    """(n_items,) codes of the groups that have an effect in each week; of one group it changes no share."""
    return np.zeros(n_items, dtype=np.int64) if effects == "none" else group[effects]


def drawn_logs(config: Config) -> list[dict[str, Any]]:
    """A row for each of `CASES`."""
    rows = []
    print(f"demand shocks of spread {config.spread}; recovered price slope / true one over {config.seeds} "
          "seeds (standard error), and the coefficient of neighbours' prices, which is 0")  # fmt: skip
    print(f"{'shock of':12}{'timing':>8}" + "".join(f"{'week effects: ' + e:>34}" for e in EFFECTS)
          + f"{'foretold':>10}")  # fmt: skip
    for of, timings in CASES.items():
        for timing in timings:
            logs = [draw(of, timing, config.spread, seed) for seed in range(config.seeds)]
            row: dict[str, Any] = {"of": of, "timing": timing, "spread": config.spread}
            row["foretold"] = float(np.mean([log.foretold() for log in logs]))
            cells = ""
            for effects in EFFECTS:
                table = np.array([recovered(log, effects, config.epochs) for log in logs])
                mean, error = table.mean(0), table.std(0, ddof=1) / len(logs) ** 0.5
                row[effects] = {"slope": mean[0], "slope_error": error[0], "neighbours": mean[1]}
                cells += f"{mean[0]:.2f} ({error[0]:.2f}), {mean[1]:+.2f}".rjust(34)
            print(f"{of:12}{timing:8.1f}{cells}{row['foretold']:10.2f}", flush=True)
            rows.append(row)
    return rows


def real_log(config: Config) -> list[dict[str, Any]]:
    """A row for each of `EFFECTS` on a log: coefficients, and nats a line in the validation weeks, of which
    the difference to no effects is paired, with standard errors clustered by shopper."""
    dataset = prepare(DataConfig(log=config.log, columns=config.columns)) if config.log != "synthetic" else (
        synthetic_dataset()
    )  # fmt: skip
    weeks, shoppers, cache = dataset.split.train_weeks, ~dataset.split.held_out, default_cache_dir()
    settings: dict[str, Any] = {"shortlist_size": 144, "epochs": 6, "seed": 0}
    fitted = ChoiceShopper.fit(dataset, cache=cache, **settings).params
    quiet = FitCache(None, lambda _: None)
    group = {"department": dataset.department_code, "category": pd.factorize(dataset.items["category"])[0]}
    lines = np.bincount(dataset.purchases["item"], minlength=dataset.n_items)
    visits = visit_rows(dataset, dataset.split.validation_weeks)
    shopper = dataset.visits["shopper"].to_numpy()[visits][lines_of(dataset, visits)[1]]
    rows: list[dict[str, Any]] = []
    nats: dict[str, np.ndarray] = {}
    rebate = np.log(dataset.list_price / dataset.shelf_price)[steadily_sold(dataset, weeks), slice(*weeks)]
    spread = float(np.sqrt(rebate.var(axis=1).mean())) if rebate.size else float("nan")
    print(f"{dataset.name}: {group['department'].max() + 1} departments, {group['category'].max() + 1} "
          f"categories; cuts of an item's price in its weeks have a spread of {spread:.3f}")  # fmt: skip
    print("nats a line in the validation weeks, less those of no effects (standard error)")
    print(f"{'week effects':14}{'price':>8}{'neighbours':>12}{'display':>9}{'mailer':>8}{'known':>22}"
          f"{'held out':>22}")  # fmt: skip
    for effects in (*EFFECTS, "other seed"):
        other = effects == "other seed"
        season = season_of(group, "none" if other else effects, dataset.n_items)
        with one_thread():
            found = fit_coefficients(
                dataset, weeks, shoppers, season=season, progress=lambda _: None,
                **settings | {"seed": int(other)},
            )  # fmt: skip
            params = assemble(
                dataset,
                weeks,
                shoppers,
                found,
                config=ChoiceConfig(shortlist_size=settings["shortlist_size"]),
                seed=0,
                cache=quiet,
            )
            # Simulated moments are those of the fitted model.
            params = replace(
                params,
                basket_size=fitted.basket_size,
                incidence=fitted.incidence,
                size_constants=fitted.size_constants,
            )
            nats[effects] = line_nll(ChoiceShopper(params), dataset, visits)
        row: dict[str, Any] = {
            "neighbours": float(found.competitor_discount),
            "display": float(found.display),
            "mailer": float(found.mailer),
            "price": float(np.average(found.price.numpy()[group["department"]], weights=lines)),
        }
        row |= {"log": dataset.name, "effects": effects, "nats": float(nats[effects].mean())}
        told = ""
        for who, mine in (("known", shoppers[shopper]), ("held_out", ~shoppers[shopper])):
            mean, error = paired((nats[effects] - nats["none"])[mine], shopper[mine])
            row[who], row[f"{who}_error"] = mean, error
            told += f"{mean:+.5f} ({error:.5f})".rjust(22)
        print(f"{effects:14}{row['price']:8.2f}{row['neighbours']:12.2f}{row['display']:9.2f}"
              f"{row['mailer']:8.2f}{told}", flush=True)  # fmt: skip
        rows.append(row)
    return rows


def paired(difference: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    """Mean of differences (P,) and its standard error, clustered by codes (P,)."""
    mean = float(difference.mean())
    by_cluster = np.bincount(cluster, difference - mean)
    return mean, float(np.sqrt((by_cluster**2).sum())) / len(difference)


def main(config: Config) -> None:
    """Print the table of drawn logs, or that of a real one."""
    rows = real_log(config) if config.log else drawn_logs(config)
    if config.output:
        write_json(config.output, {"rows": rows})


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
