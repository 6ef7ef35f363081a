"""`bundlegym compare runs/A runs/B`: the policies of several runs in one league table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from bundlegym.data.checked import NotNegative, check, check_output
from bundlegym.data.files import write_csv, write_json
from bundlegym.envs.base import GAIN
from bundlegym.errors import UserError
from bundlegym.evaluation.league import comparable, leagues, read_runs
from bundlegym.evaluation.report.words import from_log
from bundlegym.evaluation.summary import assumption
from bundlegym.options import Parser
from bundlegym.terminal import remark, say


def compare() -> None:
    """`bundlegym compare runs/A runs/B ...`; with --fail-below X, exit code 1 where an agent earns less."""
    options = _parser().parse_args()
    for exposure in options.exposure or ():
        check("--exposure", exposure, NotNegative)
    check("--fail-below", options.fail_below, float | None)
    check_output("--csv", options.csv)
    check_output("--json", options.json)
    runs = read_runs(options.runs)
    names, notes = comparable(runs)
    for note in notes:
        say(f"Note: {note}\n")
    tables = leagues(runs, _asked(names, options.judge), options.exposure)
    if not tables:
        raise UserError("--exposure: no run has a table under it; see results.json for those that it has")
    for table in tables:
        say(as_text(table) + "\n")
    if options.csv is not None:
        write_csv(options.csv, as_frame(tables))
    if options.json is not None:
        write_json(options.json, {"notes": notes, "tables": tables})
    if options.fail_below is not None and (short := below(tables, options.fail_below)):
        for sentence in short:
            remark(sentence)
        sys.exit(1)


def below(tables: list[dict[str, Any]], least: float) -> list[str]:
    """A sentence for each run and table in which the best trained agent earns less than `least` a visit."""
    told = []
    for table in tables:
        best: dict[str, float] = {}
        for row in table["rows"]:
            if row["kind"] == "learned":
                mean = row[GAIN]["mean"]
                best[row["run"]] = max(mean, best.get(row["run"], mean))
        told += [
            f"{run}: its best agent earns {mean:+.4f} a visit by {_title(table)}, below {least:g}"
            for run, mean in best.items()
            if mean < least
        ]
    return told


def as_text(table: dict[str, Any]) -> str:
    """A league table for people."""
    lines = [("run", "policy", "seeds", "episodes", "incremental margin a visit", "to the best", "best")]
    for row in table["rows"]:
        chance = "-" if row["chance_best"] is None else f"{row['chance_best']:.1%}"
        figures = (_figure(row[name]) for name in (GAIN, "less_than_best"))
        lines.append((row["run"], row["policy"], str(row["seeds"]), str(row["episodes"]), *figures, chance))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    foot = (
        "to the best: paired difference to the best policy that a shop could use, on the episodes that both "
        "played; best: chance to be the best of these"
    )
    return "\n".join([f"== {_title(table)} ==", "", *rows, "", f"95 % intervals; {foot}"])


def as_frame(tables: list[dict[str, Any]]) -> pd.DataFrame:
    """All tables as one, a row a policy; intervals as columns `..._low`, `..._high`."""
    flat = []
    for table in tables:
        for row in table["rows"]:
            figures: dict[str, float] = {}
            for name in (GAIN, "less_than_best"):
                figures |= {
                    name if end == "mean" else f"{name}_{end}": value for end, value in row[name].items()
                }
            about = {name: table[name] for name in ("user_model", "offer_exposure")}
            flat.append(about | row | figures | {"run": from_log(row["run"])})
    return pd.DataFrame(flat)


def _asked(names: list[str], judges: list[str] | None) -> list[str]:
    """Of the user models those that --judge asks for, 'choice' being the judge where there is one of that
    name; by default all judges, or where there are none, all."""
    if judges is None:
        return [name for name in names if name.endswith("judge")] or names
    chosen = [full if (full := f"{name}, judge") in names else name for name in judges]
    if unknown := [name for name in chosen if name not in names]:
        raise UserError(f"--judge {unknown[0]}: not shared by the runs; they share {'; '.join(names)}")
    return chosen


def _title(table: dict[str, Any]) -> str:
    return f"{table['user_model']}; {assumption(table['offer_exposure'])}"


def _figure(value: dict[str, float]) -> str:
    return f"{value['mean']:+.4f} [{value['low']:+.4f}, {value['high']:+.4f}]"


def _parser() -> Parser:
    parser = Parser(
        description="Policies of several runs, and the rules beside them, in one table, paired by episode.",
    )
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs, such as runs/NAME")
    parser.add_argument(
        "--judge",
        nargs="+",
        help="user models that judge, such as choice; by default all judges that the runs share",
    )
    parser.add_argument("--exposure", type=float, nargs="+", help="assumptions to show; by default all")
    parser.add_argument(
        "--fail-below", type=float, metavar="X",
        help="exit code 1 where, in a table shown, a run's best trained agent earns less than X a visit",
    )  # fmt: skip
    parser.add_argument("--csv", type=Path, help="file for the tables, a row a policy")
    parser.add_argument("--json", type=Path, help="file for the tables")
    return parser
