"""`bundlegym fidelity --suite DIR`: one user model on any number of logs, and one table of how true it is on
each.

Every file or folder in DIR is a log; NAME.toml is the columns file of the log NAME.csv, NAME.parquet or NAME.
An empty file stands for the built-in log of its name, such as `complete-journey`.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bundlegym.data import DataConfig, prepare
from bundlegym.data.files import write_json
from bundlegym.errors import UserError
from bundlegym.evaluation.fidelity.bounds import failures
from bundlegym.evaluation.fidelity.likelihood import BASELINES
from bundlegym.evaluation.fidelity.report import as_json, fidelity
from bundlegym.terminal import say


def logs_in(folder: Path, data: DataConfig) -> dict[str, DataConfig]:
    """How each log of the folder is read, by its name, in the order of names; `data` says how in all else.

    Raises:
        UserError: there is no such folder, it holds no log, or two of one name.
    """
    if not folder.is_dir():
        raise UserError(f"--suite: {folder} is no folder; give one that holds logs")
    found: dict[str, DataConfig] = {}
    for place in sorted(folder.iterdir()):
        if place.suffix == ".toml" or place.name.startswith("."):
            continue
        built_in = place.is_file() and not place.stat().st_size
        name = place.name if built_in else place.name.split(".")[0]
        if name in found:
            raise UserError(f"--suite: {folder} holds two logs called {name}")
        if built_in:
            found[name] = data.built_in(name)
            continue
        columns = folder / f"{name}.toml"
        found[name] = dataclasses.replace(
            data, log=str(place), columns=columns if columns.exists() else data.columns
        )
    if not found:
        raise UserError(f"--suite: {folder} holds no log")
    return found


def run_suite(
    folder: Path,
    user_model: str,
    data: DataConfig,
    *,
    seed: int = 0,
    kept: Path | None = None,
    progress: Callable[[str], None] = say,
) -> dict[str, dict[str, Any]]:
    """Name of each log -> content of `as_json`, with `seconds`; or `error`, a sentence on why there is none.
    What the file `kept` holds is not measured again, and each log is written there as soon as it is done.

    Raises:
        UserError: as in `logs_in`; or what `kept` holds was measured otherwise than is asked.
    """
    logs = logs_in(folder, data)
    measured = {name: _measured(user_model, seed, config) for name, config in logs.items()}
    done = _kept(kept, measured)
    for name, config in logs.items():
        if name in done:
            progress(f"fidelity: {name} from {kept}")
            continue
        progress(f"fidelity: {name}")
        start = time.process_time()
        try:
            dataset = prepare(config)
            results = fidelity(user_model, dataset, seed=seed, cache=data.cache_dir, progress=progress)
            content = as_json(user_model, dataset, results)
            content["failures"] = failures(content)
        except UserError as error:
            content = {"error": str(error)}
        done[name] = {**content, "seconds": time.process_time() - start, "measured": measured[name]}
        if kept is not None:
            write_json(kept, done)
    return {name: done[name] for name in logs}


def _measured(user_model: str, seed: int, config: DataConfig) -> dict[str, str]:
    """With what a log is measured, by the name of the option; where the cache is makes no difference."""
    options = {name: str(value) for name, value in dataclasses.asdict(config).items() if name != "cache_dir"}
    return {"user_model": user_model, "seed": str(seed)} | options


def _kept(file: Path | None, measured: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """What the file holds of the logs that are to be `measured`, and of others.

    Raises:
        UserError: it holds no figures of a suite, or some that were measured otherwise.
    """
    if file is None or not file.exists():
        return {}
    try:
        done = json.loads(file.read_text(encoding="utf-8"))
        before = {name: dict(content["measured"]) for name, content in done.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"--json: {file} holds no figures of a suite; give another file") from error
    for name in sorted(measured.keys() & before.keys()):
        for option, value in measured[name].items():
            if before[name].get(option) != value:
                raise UserError(
                    f"--json: {file} holds {name} measured with {option} {before[name].get(option)}, not "
                    f"{value}; give another file"
                )
    return done


def as_table(results: dict[str, dict[str, Any]]) -> str:
    """A row a figure and a column a log: known shoppers / held-out ones; behind it in brackets what the log's
    own weeks before reach."""
    columns = {name: _column(content) for name, content in results.items() if "error" not in content}
    lines = []
    if columns:
        rows = list(next(iter(columns.values())))
        width = max(24, *(len(cell) for column in columns.values() for cell in column.values())) + 2
        lines.append(f"{'':34}" + "".join(f"{name:>{width}}" for name in columns))
        lines += [f"{row:34}" + "".join(f"{columns[n][row]:>{width}}" for n in columns) for row in rows]
        lines += [
            "",
            "Known shoppers / held-out ones; in brackets, what as many real weeks before reach against the "
            "test weeks; of lifts and calibration, what luck makes of a perfect model.",
        ]
    lines += [f"{name}: {content['error']}" for name, content in results.items() if "error" in content]
    return "\n".join(lines)


def _column(content: dict[str, Any]) -> dict[str, str]:
    """The figures of one log, by the name of their row."""
    parts = (content, content["held_out"])

    def pair(form: str, values: list[float | None], beside: list[float | None] | None = None) -> str:
        shown = " / ".join("-" if value is None else form.format(value) for value in values)
        if beside is None or all(value is None for value in beside):
            return shown
        return shown + " (" + " / ".join("-" if v is None else form.format(v) for v in beside) + ")"

    nll = [part["nll_per_item"] for part in parts]
    names = [name for name in BASELINES if name in nll[0]]
    best = min(names, key=lambda name: nll[0][name])
    rates = [part["base_rates"] for part in parts]
    cells = {
        "known, held-out shoppers": pair("{:,}", [part["shoppers"] for part in parts]),
        "nats an item": pair("{:.3f}", [one[content["user_model"]] for one in nll]),
        "  best simple baseline": pair("{:.3f}", [one[best] for one in nll]) + f" {best}",
    }
    for name in content["two_sample"]:
        told = [part["two_sample"][name] for part in parts]
        cells[f"AUC, {name.replace('_', ' ')}"] = pair(
            "{:.3f}", [one["auc"] for one in told], [one.get("auc_of_drift") for one in told]
        )
    for name in rates[0]:
        cells[f"{name.replace('_', ' ')}, ratio"] = pair(
            "{:.3f}",
            [one[name]["ratio"] for one in rates],
            [one[name].get("ratio_of_drift") for one in rates],
        )
    for name in content["ks_complement"]:
        cells[f"KS {name.replace('_', ' ')}"] = pair(
            "{:.3f}",
            [part["ks_complement"][name] for part in parts],
            [part.get("ks_complement_of_drift", {}).get(name) for part in parts],
        )
    for key, label in (("co_purchase_lift", "categories"), ("co_purchase_lift_items", "items")):
        cells[f"lift of {label}, worst decile"] = pair(
            "{:.3f}",
            [part[key]["worst_decile"] for part in parts],
            [part[key]["worst_decile_of_luck"] for part in parts],
        )
    cells["calibration error"] = pair(
        "{:.4f}",
        [part["calibration_error"] for part in parts],
        [part.get("calibration_error_of_luck") for part in parts],
    )
    for side in ("real", "simulated"):
        cells[f"elasticity, {side}"] = pair(
            "{:.2f}", [part["response"][side]["elasticity"] for part in parts]
        )
    cells["measures that miss"] = str(len(content["failures"]))
    cells["CPU seconds"] = f"{content['seconds']:.0f}"
    return cells
