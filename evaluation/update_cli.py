"""The command line of `bundlegym update`."""

from __future__ import annotations

from pathlib import Path

from bundlegym.data.checked import Whole, check
from bundlegym.evaluation.cli import add_run_options
from bundlegym.evaluation.run_folder import read_config
from bundlegym.evaluation.summary import summary
from bundlegym.evaluation.table import read_results
from bundlegym.evaluation.update import update
from bundlegym.options import Parser
from bundlegym.terminal import remark, say


def update_run() -> None:
    """`bundlegym update runs/NAME --log new.csv`: a new run on the longer log, from what this one knows."""
    parser = Parser(
        description="Bring a run up to date with later days of its log. The result is a new run; nothing of "
        "this one is changed.",
    )
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/NAME")
    parser.add_argument("--log", required=True, help="table of later days, in the columns of the run's log")
    parser.add_argument("--out", type=Path, help="folder of the new run (runs/NAME-LASTDAY)")
    parser.add_argument(
        "--table", nargs="+", default=(), metavar="NAME=FILE",
        help="tables beside the log that cover the new days, in place of the run's, as promotions=FILE",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=10_000, help="steps that each agent goes on for (10000)")
    parser.add_argument(
        "--most-gap", type=int, default=7, help="days without a line before the new ones that are taken (7)"
    )
    add_run_options(parser)
    options = parser.parse_args()
    check("--steps", options.steps, Whole)
    check("--most-gap", options.most_gap, Whole)
    config = read_config(options.run, trust_code=options.trust_code, cache_dir=options.cache_dir)
    out, found = update(
        config, options.log, out=options.out, tables=tuple(options.table), steps=options.steps,
        most_gap=options.most_gap, progress=remark,
    )  # fmt: skip
    say(f"{summary(read_results(out))}\n\n{found.as_text()}\n\nThe run is in {out}")
