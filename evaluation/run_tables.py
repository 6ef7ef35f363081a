"""The tables of a run: every contender as each user model sees it, and what follows from that.

Contenders play in turns, which need nothing of each other and are jobs of an engine. A turn plays in all its
tables: what it does under several assumptions with shoppers to whom these are nothing is done once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tqdm import tqdm

from bundlegym.data.fingerprint import fingerprint
from bundlegym.evaluation import population, transfer
from bundlegym.evaluation.baselines import Contender, heuristics, hindsight, oracle, planner
from bundlegym.evaluation.episodes import Ground, user_model_fingerprint, write_episodes
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.judging import Judged, Table, judge, table_of
from bundlegym.evaluation.rivals import rank_correlations
from bundlegym.evaluation.run import JUDGE_SEED, Run
from bundlegym.evaluation.training import policy_of
from bundlegym.evaluation.verdict import verdicts
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel

_LEVEL_EPISODES = 1024
#: Who takes a turn, beside the agents.
_RULES, _PLANNER, _HINDSIGHT, _ORACLE = "rules", "planner", "hindsight", "oracle"

#: A table: what the user model that reacts is called, and the assumption that it stands under.
Key = tuple[str, float]


@dataclass(frozen=True)
class Turn:
    """Contenders that play in some tables.

    Attributes:
        who: an agent, or rules, planner, hindsight, oracle.
        exposure: the assumption under which they are trained, tuned, or plan.
        tables: those that they play in.
    """

    who: str
    exposure: float
    tables: tuple[Key, ...]

    def __str__(self) -> str:
        names = list(dict.fromkeys(name for name, _ in self.tables))
        where = names[0] if len(names) == 1 else f"{len(self.tables)} tables"
        return f"{self.who}, exposure {self.exposure:g}, in {where}"


#: How the contenders of a turn fared, each by table.
Outcome = list[dict[Key, Judged]]


def turns_of_rivals(run: Run) -> list[Turn]:
    """Of all who need no training; long ones first."""
    config, reacting = run.config, _reacting(run)
    found = []
    if config.planner_episodes:
        found += [Turn(_PLANNER, key[1], (key,)) for key in reacting]
        others = {key: model for key, model in reacting.items() if key[0] != config.user_model}
        found += [Turn(_ORACLE, keys[0][1], keys) for keys in _alike(others)]  # the planner is the other one
    found += [
        Turn(_RULES, exposure, tuple(key for key in reacting if key[1] == exposure))
        for exposure in config.exposures
    ]
    if config.hindsight_episodes:
        found += [Turn(_HINDSIGHT, keys[0][1], keys) for keys in _alike(reacting)]
    return found


def turns_of_agents(run: Run) -> list[Turn]:
    """Of the agents that a run trains."""
    pairs = itertools.product(run.config.agents, run.config.exposures)
    return [Turn(agent, exposure, tuple(_reacting(run))) for agent, exposure in pairs]


@one_thread()
def take_turn(run: Run, turn: Turn, line: int) -> Outcome:
    """Play with held-out shoppers in the test weeks of each table of a turn."""
    reacting = _reacting(run)
    fewer = {_HINDSIGHT: run.config.hindsight_episodes}
    fewer |= dict.fromkeys((_PLANNER, _ORACLE), run.config.planner_episodes)
    episodes = fewer.get(turn.who, run.config.episodes)
    contenders = _contenders(run, turn, reacting[turn.tables[0]], line)
    groups = _alike({key: reacting[key] for key in turn.tables})
    outcome: Outcome = []
    with tqdm(total=len(contenders) * len(groups), desc=str(turn), unit=" rows", position=line) as bar:
        for contender in contenders:
            outcome.append({})
            for keys in groups:
                core = run.judging_core(episodes, reacting[keys[0]])
                outcome[-1] |= dict.fromkeys(keys, judge(contender, core, name=keys[0][0], seed=JUDGE_SEED))
                bar.update()
    return outcome


def _contenders(run: Run, turn: Turn, reacts: UserModel, line: int) -> list[Contender]:
    """Who plays in a turn; rules are tuned under its assumption. `reacts` is the very model that reacts in
    the turn's first table."""
    config, trained_on = run.config, run.user_models[turn.exposure]
    if turn.who == _RULES:
        n, weeks = min(_LEVEL_EPISODES, config.episodes), run.dataset.split.train_weeks
        tuning = run.core(n, held_out=False, weeks=weeks, seed=0, user_model=trained_on)
        return heuristics(tuning, {name: run.recommender(name) for name in config.greedy}, line)
    if turn.who == _PLANNER:
        return [planner(trained_on)]
    if turn.who == _HINDSIGHT:
        return [hindsight()]
    if turn.who == _ORACLE:
        return [oracle(reacts)]
    jobs = [Job(turn.who, seed, turn.exposure) for seed in config.all_seeds]
    return [Contender(turn.who, "learned", [policy_of(run, job) for job in jobs])]


def _reacting(run: Run) -> dict[Key, UserModel]:
    """Who reacts in each table."""
    found: dict[Key, UserModel] = {}
    for exposure, model in run.user_models.items():
        found[run.config.user_model, exposure] = model
        for name, fitted in run.judges.items():
            found[name, exposure] = population.under(fitted, run.config, exposure)
    return found


def _alike(reacting: Mapping[Key, UserModel]) -> list[tuple[Key, ...]]:
    """Tables in groups, in each of which the very same shoppers react."""
    groups: dict[int, list[Key]] = {}
    for key, model in reacting.items():
        groups.setdefault(id(model), []).append(key)
    return [tuple(keys) for keys in groups.values()]


def results_of(run: Run, outcomes: Mapping[Turn, Outcome]) -> dict[str, Any]:
    """What came of all turns as the content of results.json; all episodes are kept with the run."""
    config = run.config
    rows, judged, paired, ranks = [], [], [], []
    found = {key: _in_table(run, outcomes, key) for key in _reacting(run)}
    tables = {key: _table(run, found[key], key) for key in found}
    for exposure in config.exposures:
        of_exposure = {name: table for (name, under), table in tables.items() if under == exposure}
        rows += of_exposure[config.user_model].rows
        for name, table in of_exposure.items():
            judged += table.rows if name in run.judges else []
            paired += table.paired
        correlations = rank_correlations({name: table.rows for name, table in of_exposure.items()})
        ranks += [{"offer_exposure": exposure, **each} for each in correlations]
    fitted = {config.user_model: next(iter(run.user_models.values())), **run.judges}
    marks = {name: user_model_fingerprint(model) for name, model in fitted.items()}
    ground = Ground(fingerprint(run.dataset), run.env.visits, config.bundle_pull, marks)
    write_episodes(run.folder, ground, {key: [one.scored for one in each] for key, each in found.items()})
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


def _in_table(run: Run, outcomes: Mapping[Turn, Outcome], key: Key) -> list[Judged]:
    """All who stand in a table, in the order of its rows."""
    order = (_RULES, *run.config.agents, _PLANNER, _HINDSIGHT, _ORACLE)
    turns: Iterable[Turn] = sorted(outcomes, key=lambda turn: order.index(turn.who))
    return [
        _called(each[key], turn, key, run.config.agents)
        for turn in turns
        for each in outcomes[turn]
        if key in each
    ]


def _called(one: Judged, turn: Turn, key: Key, agents: tuple[str, ...]) -> Judged:
    """An agent in a table of another assumption than that it was trained under is called by it, too."""
    if turn.who not in agents or turn.exposure == key[1]:
        return one
    name = f"{turn.who}, trained at exposure {turn.exposure:g}"
    return replace(one, scored=replace(one.scored, policy=name))


def _table(run: Run, found: list[Judged], key: Key) -> Table:
    name, exposure = key
    table = table_of(found, name=name, exposure=exposure)
    if name == run.config.user_model:  # the planner is the oracle here
        for i, row in enumerate(table.rows):
            if row["kind"] == "planner":
                table.rows.insert(i + 1, row | {"policy": "oracle", "kind": "oracle"})
    return table


def _of_forecasts(run: Run) -> list[str]:
    """What a reader of the tables must know of the agents' forecasts."""
    if "forecasts" not in run.env.observation:
        return []
    model = run.config.user_model
    return [
        f"the agents see forecasts of {model}, the model trained on; in the tables of that model they "
        "are partly oracles, and only the judges tell what they are worth"
    ]
