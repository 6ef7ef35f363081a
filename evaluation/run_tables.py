"""The tables of a run: every contender as each user model sees it, and what follows from that."""

from __future__ import annotations

import itertools
from typing import Any

from bundlegym.data.fingerprint import fingerprint
from bundlegym.evaluation import population, transfer
from bundlegym.evaluation.baselines import Contender, heuristics, hindsight, oracle, planner
from bundlegym.evaluation.episodes import EpisodeLog
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.judging import Table, judge
from bundlegym.evaluation.rivals import rank_correlations
from bundlegym.evaluation.run import JUDGE_SEED, Run
from bundlegym.evaluation.training import policy_of
from bundlegym.evaluation.verdict import verdicts
from bundlegym.user_models import UserModel

_LEVEL_EPISODES = 1024


def results_of(run: Run) -> dict[str, Any]:
    """Judge all agents of a run and their rivals: the content of results.json."""
    config = run.config
    fitted = population.judges(run.folder, config, run.dataset, run.device)
    judges = {f"{family}, judge": model for family, model in fitted.items()}
    rows, judged, paired, ranks = [], [], [], []
    kept = EpisodeLog()
    for exposure, model in run.user_models.items():
        contenders = _contenders(run, exposure)
        tables = {config.user_model: _table(run, contenders, config.user_model, model, exposure, kept)}
        for name, fitted in judges.items():
            under = population.under(fitted, config, exposure)
            tables[name] = _table(run, contenders, name, under, exposure, kept)
        rows += tables[config.user_model].rows
        for name, table in tables.items():
            judged += table.rows if name in judges else []
            paired += table.paired
        found = rank_correlations({name: table.rows for name, table in tables.items()})
        ranks += [{"offer_exposure": exposure, **each} for each in found]
    kept.write(run.folder, fingerprint(run.dataset), run.env.visits, config.bundle_pull)
    results = {
        "rows": rows,
        "judges": judged,
        "paired": paired,
        "rank_correlation": ranks,
        "seeds": config.seeds,
        "episodes": config.episodes,
        "log": run.dataset.name,
        "notes": [
            *run.dataset.notes,
            *run.limits,
            *population.assumed(config),
            *_of_forecasts(run),
            *transfer.told(config),
        ],
    }
    return results | {"verdict": verdicts(results)}


def _of_forecasts(run: Run) -> list[str]:
    """What a reader of the tables must know of the agents' forecasts."""
    if "forecasts" not in run.env.observation:
        return []
    model = run.config.user_model
    return [
        f"the agents see forecasts of {model}, the model trained on; in the tables of that model they "
        "are partly oracles, and only the judges tell what they are worth"
    ]


def _contenders(run: Run, exposure: float) -> list[Contender]:
    """Who stands in the tables of an assumption: rules tuned under it, and the agents of all."""
    config = run.config
    tuning = run.core(
        min(_LEVEL_EPISODES, config.episodes),
        held_out=False,
        weeks=run.dataset.split.train_weeks,
        seed=0,
        user_model=run.user_models[exposure],
    )
    contenders = heuristics(tuning, {name: run.recommender(name) for name in config.greedy})
    for agent, trained_under in itertools.product(config.agents, config.exposures):
        name = agent if trained_under == exposure else f"{agent}, trained at exposure {trained_under:g}"
        jobs = [Job(agent, seed, trained_under) for seed in config.all_seeds]
        contenders.append(Contender(name, "learned", [policy_of(run, job) for job in jobs]))
    if config.planner_episodes:
        contenders.append(planner(run.user_models[exposure]))
    if config.hindsight_episodes:
        contenders.append(hindsight())
    return contenders


def _table(
    run: Run,
    contenders: list[Contender],
    name: str,
    user_model: UserModel,
    exposure: float,
    kept: EpisodeLog,
) -> Table:
    """A row a contender: its figures with held-out shoppers in test weeks, as `user_model` sees them;
    its episodes go into `kept`."""
    config, trained_on = run.config, run.user_models[exposure]
    fewer = {"hindsight": config.hindsight_episodes} | dict.fromkeys(
        ("planner", "oracle"), config.planner_episodes
    )
    if config.planner_episodes and user_model is not trained_on:
        contenders = [*contenders, oracle(user_model)]
    table = judge(
        contenders,
        lambda n, rival: run.judging_core(n, user_model),
        lambda kind: fewer.get(kind, config.episodes),
        name=name,
        exposure=exposure,
        seed=JUDGE_SEED,
        kept=kept,
    )
    if user_model is trained_on:  # the planner is the oracle here
        for i, row in enumerate(table.rows):
            if row["kind"] == "planner":
                table.rows.insert(i + 1, row | {"policy": "oracle", "kind": "oracle"})
    return table
