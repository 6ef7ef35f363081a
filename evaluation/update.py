"""New days for a run: a new run on the longer log, which begins with what the earlier one has learned.

One way: the log of the run and the new table -> `prepare` -> user models, recommenders and agents, each from
those of the earlier run -> judged as any run. Nothing of the earlier run is changed; the new one is made in a
folder of its own that gets its name at the end. docs/update.md says what is kept and what is made anew.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from bundlegym.agents.checkpoint import load_weights
from bundlegym.agents.registry import field_of
from bundlegym.data import Dataset, prepare
from bundlegym.data.built_in import BUILT_IN_LOGS
from bundlegym.data.config import DataConfig
from bundlegym.data.earlier_run import Known
from bundlegym.data.files import private_files, private_folder, write_json
from bundlegym.data.lock import sole_user
from bundlegym.envs import build_market
from bundlegym.envs.base import EMBEDDING_SIZE
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.config import ITEM_VECTORS, KNOWN, SHOPPER_VECTORS, TrainConfig
from bundlegym.evaluation.drift import Drift, drift, with_likelihood
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.run_folder import begin
from bundlegym.evaluation.training import keep_as_it_begins, new_agent
from bundlegym.recommenders import Interactions, item_vectors, load_recommender
from bundlegym.recommenders.carried_vectors import carried_vectors
from bundlegym.terminal import say
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel
from bundlegym.user_models.persistence import read_tensors, write_tensors
from bundlegym.user_models.registry import FAMILIES

#: Prices of the median item on the new days over those before, beyond which the money is another.
_PRICES = (0.5, 2.0)


@one_thread()
def update(
    parent: TrainConfig,
    log: str,
    *,
    out: Path | None = None,
    tables: tuple[str, ...] = (),
    steps: int = 10_000,
    most_gap: int = 7,
    progress: Callable[[str], None] = say,
) -> tuple[Path, Drift]:
    """The folder of the new run, and what has changed since the earlier one.

    Args:
        parent: of a finished run.
        log: a table of later days, of the same columns as the run's log.
        out: the new run's folder; by default that of the run with the last new day behind its name.
        tables: tables beside the log, as NAME=FILE, in place of those of the run.
        steps: environment steps that each agent goes on for.
        most_gap: days without a line between the log and the table that are taken without a word.

    Raises:
        UserError: the run is not finished, its log has changed, comes with the software or is read up to a
            day; the table is not of days that follow it, or has prices of another order; the folder is there.
    """
    check_parent(parent)
    before = prepare(parent.data)
    begin(parent, before)  # it is there, and its log must be as it was
    known = Known.of(before)
    work = parent.folder.with_name(f".{parent.folder.name}.update")
    if out is not None:
        check_free(out)
        work = out.with_name(f".{out.name}.update")
    private_folder(work)
    with sole_user(work), private_files(), _gone_if_refused(work):
        _clear(work)
        known.save(work / KNOWN)
        config = longer(parent, before, log, tables, work, steps)
        after = prepare(config.data)
        day = first_new_day(before, after, log, most_gap)
        found = drift(after, known, day)
        check_prices(found, log)
        out = out or parent.folder.with_name(f"{parent.folder.name}-{found.last}")
        check_free(out)
        progress(found.as_text())
        experiment = Experiment(config)
        earlier = fit_from(parent.folder, experiment)
        if earlier is not None:
            later = experiment.user_models[config.exposures[0]]
            found = with_likelihood(found, after, known, day, earlier, later)
            progress(found.as_text().splitlines()[-1])
        recommenders_from(parent.folder, experiment, before)
        vectors_from(parent, experiment, before)
        shopper_vectors_from(parent, experiment)
        for job in experiment.jobs:
            agent_from(parent.folder, experiment, job, progress)
        write_json(
            work / "update.json",
            {"parent": str(parent.folder), "log": log, **dataclasses.asdict(found)},
        )
    experiment.run()
    check_free(out)
    os.replace(work, out)
    return out, found


def check_parent(parent: TrainConfig) -> None:
    """Raise `UserError` where a run cannot be updated."""
    if not (parent.folder / "results.json").exists():
        raise UserError(
            f"{parent.folder}: not a finished run; finish it with bundlegym train --resume {parent.folder}"
        )
    if parent.data.log in BUILT_IN_LOGS:
        raise UserError(
            f"{parent.folder}: its log, {parent.data.log}, comes with the software and has no later days; "
            "only a run on a table of your own can be updated"
        )
    if parent.data.until:
        raise UserError(
            f"{parent.folder}: reads its log up to {parent.data.until} (--until), so later days do not count"
        )


def check_free(out: Path) -> None:
    """Raise `UserError` where there is a folder of a run already."""
    if out.exists():
        raise UserError(f"{out} is there already; remove it, or choose another --out")


def longer(
    parent: TrainConfig, before: Dataset, log: str, tables: tuple[str, ...], work: Path, steps: int
) -> TrainConfig:
    """The configuration of the new run, made in the folder `work`: that of the earlier one, with later days,
    with `steps` more of each agent, and with the very discounts that agents of the earlier one may offer."""
    replaced = {table.partition("=")[0] for table in tables}
    beside = tuple(table for table in parent.data.table if table.partition("=")[0] not in replaced)
    data: DataConfig = dataclasses.replace(
        parent.data, later=(*parent.data.later, log), known=work / KNOWN, table=(*beside, *tables)
    )
    more: dict[str, Any] = {
        agent: dataclasses.replace(parent.hyper.of(agent), steps=parent.steps_of(agent) + steps)
        for agent in parent.agents
    }
    hyper = dataclasses.replace(parent.hyper, **{field_of(name): value for name, value in more.items()})
    env, _ = population.supported(parent, before)
    return dataclasses.replace(
        parent, data=data, env=env, hyper=hyper, steps=0, start_from=None, runs=work.parent, name=work.name
    )


def first_new_day(before: Dataset, after: Dataset, log: str, most_gap: int) -> int:
    """The first day (since the log's first Monday) that `after` has beyond `before`.

    Raises:
        UserError: there is none, or too long a gap lies before it.
    """
    last = int(before.visits["day"].max())
    days = after.visits["day"].to_numpy()
    new = days[days > last]
    if not len(new) or after.start != before.start:
        raise UserError(f"{log}: has no usable line after {before.date(last)}, the last day of the run's log")
    gap = int(new.min()) - last - 1
    if gap > most_gap:
        raise UserError(
            f"{log}: {gap} days without a line follow {before.date(last)}, the last day of the run's log; "
            f"give the days between as well, or --most-gap {gap} if nothing was sold then"
        )
    return int(new.min())


def check_prices(found: Drift, log: str) -> None:
    """Raise `UserError` where prices are of another order than before."""
    if found.price_ratio is not None and not _PRICES[0] <= found.price_ratio <= _PRICES[1]:
        raise UserError(
            f"{log}: the median item costs {found.price_ratio:.3g} times what it did in the weeks before: "
            "give prices in the same currency and unit as in the run's log"
        )


def fit_from(parent: Path, experiment: Experiment) -> UserModel | None:
    """Fit the user models of a new run from those of its parent, into its folder; gives the parent's own that
    agents trained on, None for one of the user's own code."""
    config, folder = experiment.config, experiment.folder
    family, dataset, device = config.user_model, experiment.dataset, experiment.device
    population.judges(folder, config, dataset, device, start=parent)
    if family not in FAMILIES:
        return None
    population.trained_on(folder, config, dataset, device, start=parent)
    return FAMILIES[family].load(parent, device)


def recommenders_from(parent: Path, experiment: Experiment, before: Dataset) -> None:
    """Let each recommender that the parent has fitted take in the weeks that are new in training."""
    first, end = before.split.train_weeks[1], experiment.dataset.split.train_weeks[1]
    new = Interactions.from_dataset(experiment.dataset, (first, end))
    for folder in sorted((parent / "recommenders").glob("*/")):
        load_recommender(folder).partial_fit(new).save(experiment.folder / "recommenders" / folder.name)


def vectors_from(parent: TrainConfig, experiment: Experiment, before: Dataset) -> None:
    """Keep the item vectors that the parent's agents see, since weights mean nothing with others: those of a
    longer log may be turned the other way. A new item's is the mean of its category's."""
    path = parent.folder / ITEM_VECTORS
    if path.exists():
        vectors = read_tensors(path)[0]["vectors"].numpy()
    elif parent.embeddings:
        recommender = load_recommender(parent.folder / "recommenders" / parent.embeddings)
        vectors = item_vectors(recommender, EMBEDDING_SIZE)
    else:
        vectors = build_market(before).item_features[:, 1:].numpy()
    kept = torch.from_numpy(carried_vectors(vectors, before.items, experiment.dataset.items))
    write_tensors(experiment.folder / ITEM_VECTORS, {"vectors": kept}, {})


def shopper_vectors_from(parent: TrainConfig, experiment: Experiment) -> None:
    """Keep the recommender whose shopper vectors the parent's agents see: it reads the new purchases, but not
    the new items, and learns nothing more, for the reason in `vectors_from`."""
    if name := parent.shopper_embeddings:
        kept = parent.folder / SHOPPER_VECTORS
        source = kept if kept.exists() else parent.folder / "recommenders" / name
        shutil.copytree(source, experiment.folder / SHOPPER_VECTORS)


def agent_from(parent: Path, experiment: Experiment, job: Job, progress: Callable[[str], None]) -> None:
    """Give an agent of the new run the weights of the parent's; one of another shape begins anew."""
    model = new_agent(experiment, job, also=experiment.also)
    try:
        load_weights(model, parent / job.folder / experiment.checkpoint(job).name)
    except UserError as error:
        progress(f"{job}: trained anew, since what it sees has another shape ({error})")
        return
    keep_as_it_begins(experiment, job, model)


@contextmanager
def _gone_if_refused(folder: Path) -> Iterator[None]:
    """A folder that is removed where what is inside raises a `UserError`."""
    try:
        yield
    except UserError:
        shutil.rmtree(folder)
        raise


def _clear(folder: Path) -> None:
    """Remove what an update that was killed has left."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()
