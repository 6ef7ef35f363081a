"""Whole runs on small random logs: `python benchmarks/small_logs.py [--logs 200] [--json FILE]`.

Each log is drawn at random: 1 to 60 shoppers, 1 to 40 items, 1 to 30 weeks, constant prices, one visit each,
nothing bought twice, who joins late, and so on. A run is what `train.py --log FILE` does (read, fit, train
for a few steps, judge, tell fidelity and example offers), and then what `evaluate.py --fidelity` does. It
must end in a table or in one sentence, a `UserError`. What ends in anything else is printed, and the exit
code is 1; so it is where a fit ends in numbers that are not finite.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import DataConfig
from bundlegym.data.files import write_json
from bundlegym.envs import EnvConfig
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.fidelity.page import write_page
from bundlegym.evaluation.fidelity.report import as_json, as_text, fidelity
from bundlegym.evaluation.summary import summary

START = pd.Timestamp("2024-01-01")
FAMILIES = ("choice", "lookalike", "sequence", "replay")
#: What a log may be, beside its size; each is drawn with a chance of its own.
ODDITIES = {
    "constant prices": 0.3,
    "one visit each": 0.08,
    "no repeats": 0.1,
    "one line a visit": 0.1,
    "same basket always": 0.05,
    "a late shopper with the highest code": 0.3,
    "no visits in the middle": 0.1,
    "no visits but in the last weeks": 0.05,
    "one busy shopper": 0.1,
    "one day a week": 0.1,
    "tiny prices": 0.1,
    "huge prices": 0.05,
    "large quantities": 0.1,
    "no departments": 0.3,
    "one category": 0.1,
    "a category an item": 0.1,
    "many deals": 0.3,
}


def random_log(seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Lines of a log, and what it is: its sizes and oddities. Half of all logs are as large as may be, since
    the smallest ones end before the fit."""
    rng = np.random.default_rng(seed)
    odd = {name for name, chance in ODDITIES.items() if rng.random() < chance}
    large = rng.random() < 0.7
    shoppers, items, weeks = (
        int(rng.integers(most * 2 // 3 if large else 1, most + 1)) for most in (60, 40, 30)
    )
    days = 7 * weeks
    rate = rng.choice([0.1, 0.2, 0.4]) if large else rng.choice([0.02, 0.1, 0.3])
    joined = np.zeros(shoppers, dtype=int)
    if "a late shopper with the highest code" in odd:
        joined[-1] = max(days - 7, 0)
    if "no visits but in the last weeks" in odd:
        joined[:] = max(days - 21, 0)
    popularity = rng.dirichlet(np.full(items, 0.5))
    price = np.exp(rng.normal(1.0, 0.5, items))
    price *= 1e-4 if "tiny prices" in odd else 1e6 if "huge prices" in odd else 1.0
    on_deal = rng.random((items, weeks)) < (0.4 if "many deals" in odd else 0.1)
    off = np.where(on_deal, rng.uniform(0.05, 0.5, (items, weeks)), 0.0)
    if "constant prices" in odd:
        off[:] = 0.0
    category = np.zeros(items, int) if "one category" in odd else rng.integers(0, 6, items)
    if "a category an item" in odd:
        category = np.arange(items)

    lines: list[tuple[Any, ...]] = []
    basket = 0
    for shopper in range(shoppers):
        usual = 0.9 if "one busy shopper" in odd and shopper == 0 else rate
        came = np.flatnonzero(rng.random(days) < usual)
        came = came[came >= joined[shopper]]
        if "one day a week" in odd:
            came = np.unique(came // 7 * 7)
        if "no visits in the middle" in odd:
            came = came[(came < days // 3) | (came >= 2 * days // 3)]
        if "one visit each" in odd:
            came = rng.permutation(came)[:1]
        new = rng.permutation(items)
        taste = rng.dirichlet(0.3 * items * popularity + 0.05)
        for day in came:
            n = 1 if "one line a visit" in odd else 1 + rng.poisson(2.0)
            if "same basket always" in odd:
                held = np.arange(min(3, items))
            elif "no repeats" in odd:
                held, new = new[:n], new[n:]
            else:
                held = np.unique(rng.choice(items, n, p=taste))
            basket += 1
            for item in held:
                units = rng.integers(1, 500) if "large quantities" in odd else 1 + rng.poisson(0.2)
                paid = price[item] * (1 - off[item, day // 7])
                lines.append((shopper, basket, item, day, units, paid, price[item], category[item]))
    columns = ["shopper", "basket", "item", "day", "quantity", "price_paid", "list_price", "category"]
    table = pd.DataFrame(lines, columns=columns)
    table["time"] = (START + pd.to_timedelta(table.pop("day"), unit="D")).astype(str)
    if "no departments" not in odd:
        table["department"] = table["category"] % 3
    table["category"] = "category " + table["category"].astype(str)
    told = {"seed": seed, "shoppers": shoppers, "items": items, "weeks": weeks, "lines": len(table)}
    return table, told | {"odd": sorted(odd)}


def whole_run(table: pd.DataFrame, seed: int, folder: Path) -> str:
    """Read, fit, train, judge and measure fidelity; the name of what it ended in."""
    table.to_csv(folder / "log.csv", index=False)
    family = FAMILIES[seed % len(FAMILIES)]
    config = TrainConfig(
        agents=(("ppo", "dqn")[seed // 4 % 2],),
        user_model=family,
        judges=("choice", FAMILIES[(seed + 1) % len(FAMILIES)]),
        steps=512,
        n_envs=16,
        fit_epochs=1,
        planner_episodes=4,
        greedy=("item-knn",),
        episodes=32,
        eval_every=256,
        workers=1,
        device="cpu",
        name="run",
        runs=folder,
        data=DataConfig(log=str(folder / "log.csv"), min_purchases=1, cache_dir=folder / "cache"),
        hyper=AgentConfigs(ppo=PPOConfig(imitate=16)),
        env=EnvConfig(n_candidates=(4, 20)[seed // 8 % 2], visits=4),
    )
    experiment = Experiment(config)
    results = experiment.run()
    print(summary(results), experiment.examples())
    text = json.dumps(results)
    if "NaN" in text or "Infinity" in text:
        raise ValueError("the table holds a number that is not finite")
    found = fidelity(family, experiment.dataset, cache=folder / "cache", progress=lambda _: None)
    content = as_json(family, experiment.dataset, found)
    write_page(folder / "page", content, found["known"].samples, as_text(content))
    return "a table and fidelity"


def outcome(seed: int) -> dict[str, Any]:
    """What the run on the log of a seed ended in."""
    table, told = random_log(seed)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as quiet:
        for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            quiet.enter_context(redirect(io.StringIO()))
        try:
            end = {"end": whole_run(table, seed, Path(folder))}
        except UserError as error:
            sentence = str(error).replace(folder, "")
            # A sentence too, but every log here has sound prices and quantities.
            what = "numbers that are not finite" if "not finite" in sentence else "a sentence"
            end = {"end": what, "sentence": sentence}
        except Exception:
            end = {"end": "a traceback", "traceback": traceback.format_exc()}
        end["table"] = (Path(folder) / "run" / "results.json").exists()
    return told | end | {"seconds": round(time.perf_counter() - start, 1)}


def main() -> None:
    """Run on every log and count what the runs ended in."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=int, default=200, help="how many logs (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one (%(default)s)")
    parser.add_argument("--json", type=Path, help="write what became of each log to this file too")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in range(options.first, options.first + options.logs):
        rows.append(row := outcome(seed))
        head = "{seed}: {shoppers} shoppers, {items} items, {weeks} weeks, {lines} lines".format(**row)
        print(f"{head} ({', '.join(row['odd'])}): {row['end']}, table {row['table']}, {row['seconds']} s")
        print(row.get("sentence", "") or row.get("traceback", ""), flush=True)
        if options.json:
            write_json(options.json, {"rows": rows})
    ends = collections.Counter(row["end"] for row in rows)
    print("; ".join(f"{end}: {count}" for end, count in ends.most_common()))
    raise SystemExit(1 if ends["a traceback"] or ends["numbers that are not finite"] else 0)


if __name__ == "__main__":
    main()
