"""One league table of the policies of several runs, where the runs were judged alike."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.envs.base import GAIN
from bundlegym.errors import UserError
from bundlegym.evaluation.episodes import Ground, read_episodes
from bundlegym.evaluation.pairing import Scored, best_chances, difference, scored
from bundlegym.evaluation.verdict import DEPLOYABLE

#: The run of a policy that did the same in every run.
EVERY = "every run"


@dataclass(frozen=True)
class Run:
    """A run folder: what to call it, on what ground it was judged, and its episodes."""

    name: str
    ground: Ground
    episodes: pd.DataFrame


@dataclass(frozen=True)
class Entry:
    """A policy in a league table, and the run that it comes from."""

    run: str
    policy: Scored


def read_runs(folders: list[Path]) -> list[Run]:
    """Finished runs, called by their folders' names, or by their paths where two have the same name.

    Raises:
        UserError: one has no episodes.
    """
    names = [folder.resolve().name for folder in folders]
    alike = len(set(names)) < len(names)
    return [
        Run(str(folder) if alike else name, *read_episodes(folder))
        for folder, name in zip(folders, names, strict=True)
    ]


def comparable(runs: list[Run]) -> tuple[list[str], list[str]]:
    """Names of the user models by which all runs were judged alike, and a sentence on each that is left out.

    Raises:
        UserError: the runs have no such user model, or differ in the log or the assumptions; it says in what.
    """
    first, *others = runs
    for other in others:
        for what, word in (
            ("log", "in the log, its costs, or the shoppers and weeks that are held out"),
            ("visits", "in the number of visits in an episode"),
            ("bundle_pull", "in --bundle-pull, an assumption on shoppers"),
        ):
            mine, theirs = getattr(first.ground, what), getattr(other.ground, what)
            if mine != theirs:
                raise UserError(
                    f"{first.name} and {other.name} are not comparable: they differ {word} ({mine}, {theirs})"
                )
    names, notes = [], []
    for name in dict.fromkeys(itertools.chain(*(run.ground.user_models for run in runs))):
        marks = [run.ground.user_models.get(name) for run in runs]
        without = [run.name for run, mark in zip(runs, marks, strict=True) if mark is None]
        if len(runs) == 1 or (len(set(marks)) == 1 and marks[0]):
            names.append(name)
        elif without:
            notes.append(f"{name}: no table, since {', '.join(without)} was not judged by it")
        elif "" in marks:
            notes.append(f"{name}: no table, since it does not show whether it is the same in all runs")
        else:
            notes.append(
                f"{name}: no table, since the runs fitted it differently; the same --seed, --fit-epochs, "
                "--fit-shoppers and version of bundlegym make the same judges"
            )
    if not names:
        raise UserError(f"the runs are not comparable: no user model judged all of them. {'; '.join(notes)}")
    return names, notes


def leagues(runs: list[Run], names: list[str], exposures: list[float] | None = None) -> list[dict[str, Any]]:
    """A table a user model and assumption that all runs have, in JSON's own types."""
    found = [_tables_of(run, names) for run in runs]
    shared = [key for key in found[0] if all(key in tables for tables in found)]
    return [
        {
            "user_model": name,
            "offer_exposure": exposure,
            "rows": league(merged(runs, [t[name, exposure] for t in found])),
        }
        for name, exposure in shared
        if exposures is None or exposure in exposures
    ]


def merged(runs: list[Run], policies: list[list[Scored]]) -> list[Entry]:
    """The policies of all runs; one that did the same in every run stands there once."""
    entries: list[Entry] = []
    for name in dict.fromkeys(policy.policy for policy in itertools.chain(*policies)):
        mine = [
            (run.name, p)
            for run, group in zip(runs, policies, strict=True)
            for p in group
            if p.policy == name
        ]
        if len(mine) == len(runs) > 1 and all(np.array_equal(mine[0][1].sums, p.sums) for _, p in mine):
            entries.append(Entry(EVERY, mine[0][1]))
        else:
            entries += [Entry(run, policy) for run, policy in mine]
    return entries


def league(entries: list[Entry]) -> list[dict[str, Any]]:
    """Rows from best to worst; differences to the best that a shop could use, and for each that it could use
    the chance of being the best of these."""
    ordered = sorted(entries, key=lambda entry: -entry.policy.gain["mean"])
    usable = [entry for entry in ordered if entry.policy.kind in DEPLOYABLE]
    chances = best_chances([entry.policy for entry in usable])
    chance = {id(entry): value for entry, value in zip(usable, chances, strict=True)}
    return [
        {
            "run": entry.run,
            "policy": entry.policy.policy,
            "kind": entry.policy.kind,
            "seeds": entry.policy.seeds,
            "episodes": entry.policy.episodes,
            GAIN: entry.policy.gain,
            "less_than_best": difference(entry.policy, usable[0].policy),
            "chance_best": chance.get(id(entry)),
        }
        for entry in ordered
    ]


def _tables_of(run: Run, names: list[str]) -> dict[tuple[str, float], list[Scored]]:
    """Policies by user model and assumption."""
    known = run.episodes[run.episodes["user_model"].isin(names)]
    return {
        (str(name), float(str(exposure))): scored(rows)
        for (name, exposure), rows in known.groupby(["user_model", "offer_exposure"], sort=False)
    }
