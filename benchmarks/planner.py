"""The planner's expected gain a visit on fresh draws, by the model it plans with and by judges:
`python benchmarks/planner.py --run runs/NAME` or, without a run, `python benchmarks/planner.py --log LOG` and
further options of bundlegym train. No agent is needed.

A row a planner and judge: the planner of the run's user model, judged by that model and by each judge, and
the oracle of each judge, which plans with the judge itself. Intervals are over visits of held-out shoppers in
the test weeks, under each `--offer-exposure` of the run, of planner and judge alike.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import tyro

from bundlegym.agents.planner import Planner
from bundlegym.data.files import write_json
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.cli import guarded, read_config_like
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.planner_gains import plan_first_visits, summary_of, summary_words
from bundlegym.evaluation.run_folder import read_config
from bundlegym.threads import one_thread


def rows(experiment: Experiment, visits: int, draws: int, fresh: int) -> list[dict[str, Any]]:
    """See the module's docstring."""
    config = experiment.config
    fitted = population.judges(experiment.folder, config, experiment.dataset, experiment.device)
    judges = {f"{family}, judge": model for family, model in fitted.items()}
    found = []
    for exposure, trained in experiment.user_models.items():
        pairs = [("planner", trained, config.user_model, trained)]
        for name, fitted in judges.items():
            judge = population.under(fitted, config, exposure)
            pairs += [("planner", trained, name, judge), ("oracle", judge, name, judge)]
        for who, plans, judged_by, judge in pairs:
            planned = plan_first_visits(
                experiment.judging_core(visits, judge), Planner(plans, draws=draws), fresh
            )
            row = {"exposure": exposure, "policy": who, "judged_by": judged_by, **summary_of(planned)}
            print(f"exposure {exposure:g}, {who}, judged by {judged_by}: {summary_words(row)}\n", flush=True)
            found.append(row)
    return found


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--run", type=Path, help="folder of a run; or give options of bundlegym train")
    parser.add_argument("--visits", type=int, default=640, help="visits (640)")
    parser.add_argument("--draws", type=int, default=128, help="draws of the planner's first search (128)")
    parser.add_argument("--fresh", type=int, default=128, help="draws on which plans are judged (128)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options, rest = parser.parse_known_args()
    if options.run is not None:
        experiment = Experiment.open(options.run)
    else:
        config = tyro.cli(TrainConfig, args=rest)
        config = replace(config, name=config.name or f"planner-{Path(config.data.log).stem}")
        made = config.folder / "config.json"
        if made.exists() and read_config(config.folder) != read_config_like(config):
            raise UserError(f"{config.folder} was made with other options; choose another --name")
        experiment = Experiment(config)
    print(f"{experiment.dataset.name}: held-out shoppers, test weeks; 95 % intervals", file=sys.stderr)
    found = rows(experiment, options.visits, options.draws, options.fresh)
    if options.json is not None:
        write_json(options.json, {"log": experiment.dataset.name, "rows": found})


if __name__ == "__main__":
    guarded(main)
