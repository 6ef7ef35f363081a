"""What learned agents are worth beside the planner, on the same visits:
`python benchmarks/agents.py --name NAME --agents ppo --seeds 3` and further options of bundlegym train.

Agents that the run `runs/NAME` lacks are trained first. Then each offers at the first visits of episodes of
held-out shoppers in the test weeks. So do the planner of the model trained on, and the oracle, which plans
with the very model that judges. The gain of an offer is its mean over fresh draws of luck, the same for
all. Intervals (95 %) are over visits, and over seeds where there are several; the difference to the planner
is paired by visit. Shoppers are those of the model trained on, then of a judge, fitted on held-out shoppers.

With `--learned-oracle` there are also agents that have learned from the judge itself. What these gain more
than those that have learned from another fit is what the mistakes of that fit cost.

Each result is kept below the run in `benchmark/`, a file each; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.agents.planner import Planner
from bundlegym.data.files import write_json
from bundlegym.envs import BundleCore
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.cli import guarded, read_config_like
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.first_offers import Offers, gains_of, interval, kept, offers_of
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.planner_gains import in_words
from bundlegym.evaluation.presets import train_config
from bundlegym.evaluation.run_folder import read_config
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel

#: What follows an agent's kind in the name of one that has learned from the judge.
_ORACLE = " oracle"


def of_seeds(
    experiment: Experiment, agent: str, exposure: float, core: BundleCore, fresh: int, where: str
) -> list[Offers]:
    """`kept`, of the agents of a kind, one a seed."""
    found = []
    for seed in experiment.config.all_seeds:
        job = Job(agent, seed, exposure)
        name = f"{job.folder}-{experiment.config.steps_of(agent)}-{where}"
        policy = experiment.policy(job)
        found.append(kept(experiment.folder / "benchmark" / name, partial(offers_of, core, policy, fresh)))
    return found


def summary(offers: Sequence[Offers], planner: Offers, oracle: Offers) -> dict[str, Any]:
    """In JSON's own types, of one policy under several seeds."""
    gains = gains_of(offers)
    size, discount = (np.stack([getattr(one, name) for one in offers]) for name in ("size", "discount"))
    made, level = size > 0, discount.round(4)
    return {
        "gain": interval(gains),
        "over_planner": interval(gains - planner.gain),
        "share_of_oracle": float(gains.mean() / oracle.gain.mean()) if oracle.gain.mean() > 0 else None,
        "nothing": float((~made).mean()),
        "discounts": {f"{d:g}": float((made & (level == d)).mean()) for d in np.unique(level[made])},
        "sizes": {str(s): float((size == s).mean()) for s in np.unique(size[made])},
        "milliseconds": float(np.mean([one.milliseconds for one in offers])),
        "seeds": len(offers),
        "visits": gains.shape[1],
    }


def words(row: dict[str, Any]) -> str:
    """Two lines."""
    share = "" if row["share_of_oracle"] is None else f", {row['share_of_oracle']:.0%} of the oracle"
    if "over_agent" in row:
        share += f", over the agent that learned from the other fit {in_words(row['over_agent'])}"
    levels = [f"{share:.1%} at {float(d):.0%} off" for d, share in row["discounts"].items()]
    sizes = [f"{share:.1%} of {size}" for size, share in row["sizes"].items()]
    parts = [f"nothing at {row['nothing']:.1%}", *levels, *sizes]
    return (
        f"exposure {row['exposure']:g}, {row['judged_by']}: {row['policy']} {in_words(row['gain'])}, "
        f"over the planner {in_words(row['over_planner'])}{share}\n"
        f"    {', '.join(parts)} items; {row['milliseconds']:.2f} ms a {row['asked_for']}"
    )


def rows(experiment: Experiment, visits: int, fresh: int, learned_oracle: bool) -> list[dict[str, Any]]:
    """See the module's docstring."""
    config, found = experiment.config, []
    judge = population.judge(experiment.folder, "choice", config, experiment.dataset, experiment.device)
    judges = {exposure: population.under(judge, config, exposure) for exposure in experiment.user_models}
    taught = None
    if learned_oracle:
        taught = experiment.with_shoppers(judges, "learned-oracle")
        for job in taught.jobs:
            taught.train(job)
    folder = experiment.folder / "benchmark"
    for exposure, trained in experiment.user_models.items():
        by: dict[str, UserModel] = {"the model trained on": trained, "judge": judges[exposure]}
        for name, model in by.items():
            where = f"{name.split()[0]}-exposure-{exposure:g}-{visits}-{fresh}.npz"
            core = experiment.judging_core(visits, model)
            planner = kept(folder / f"planner-{where}", partial(offers_of, core, Planner(trained), fresh))
            oracle = planner
            if model is not trained:
                oracle = kept(folder / f"oracle-{where}", partial(offers_of, core, Planner(model), fresh))
            rivals = {"planner": [planner], "oracle": [oracle]}
            for agent in config.agents:
                rivals[agent] = of_seeds(experiment, agent, exposure, core, fresh, where)
                if taught is not None and model is not trained:
                    rivals[f"{agent}{_ORACLE}"] = of_seeds(taught, agent, exposure, core, fresh, where)
            for policy, offers in rivals.items():
                row = {"exposure": exposure, "judged_by": name, "policy": policy}
                row["asked_for"] = "plan" if policy in ("planner", "oracle") else "decision"
                row |= summary(offers, planner, oracle)
                if policy.endswith(_ORACLE):
                    others = rivals[policy.removesuffix(_ORACLE)]
                    row["over_agent"] = interval(gains_of(offers) - gains_of(others))
                found.append(row)
                print(words(found[-1]), flush=True)
    return found


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--visits", type=int, default=2048, help="visits (2048)")
    parser.add_argument("--fresh", type=int, default=128, help="draws on which offers are judged (128)")
    parser.add_argument("--learned-oracle", action="store_true", help="also agents that the judge has taught")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options, rest = parser.parse_known_args()
    config = train_config(rest)
    config = replace(config, name=config.name or f"agents-{Path(config.data.log).stem}")
    if (config.folder / "config.json").exists() and read_config(config.folder) != read_config_like(config):
        raise UserError(f"{config.folder} was made with other options; choose another --name")
    experiment = Experiment(config)
    for job in experiment.jobs:
        experiment.train(job)
    print(f"{experiment.dataset.name}: held-out shoppers, test weeks; 95 % intervals")
    found = rows(experiment, options.visits, options.fresh, options.learned_oracle)
    if options.json is not None:
        write_json(options.json, {"log": experiment.dataset.name, "rows": found})


if __name__ == "__main__":
    guarded(main)
