"""Another shop's run, which a run starts from or learns beside: what has to fit, and what is carried over.

What agents see of a candidate are its features, never which item it is, and no weight has an item, a shopper
or a shop in its shape. So the weights of one shop's agent act in any other that shows the same blocks at the
same widths. What is bound to a shop:

- item vectors: their axes are a shop's own. The other shop's are carried over (`carried_vectors`);
- discount levels: the scores of those that this run may offer are kept, by their discount;
- the block `profile`, which has a column a department: it fits where both shops name the same ones;
- the block `forecasts`, whose columns are discount levels: it fits where those are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bundlegym.agents.checkpoint import read_weights
from bundlegym.agents.two_tower import FORECASTS, of_levels
from bundlegym.envs import EnvConfig
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.run_folder import read_config
from bundlegym.terminal import remark

#: How many times as dear the median item of one shop may be as that of another without a word.
_PRICES = 4.0


def read_other(config: TrainConfig, option: str, folder: Path) -> TrainConfig:
    """The configuration of another shop's run, which an option of `config` names.

    Raises:
        UserError: it is no run, or imports code that this run does not.
    """
    other = read_config(folder, trust_code=True, cache_dir=config.data.cache_dir)  # imports nothing yet
    if strange := sorted(set(other.code) - set(config.code)):
        raise UserError(f"{option} {folder}: that run imports {', '.join(strange)}, which this one does not")
    return other


def check_profiles(option: str, folder: Path, theirs: Sequence[str], mine: Sequence[str]) -> None:
    """Raise `UserError` where the columns of the block `profile` are not the same in two shops."""
    if tuple(theirs) != tuple(mine):
        differ = sorted(set(theirs) ^ set(mine)) or ["the order of columns"]
        raise UserError(
            f"{option} {folder}: the block profile does not fit, since departments and demographics are each "
            f"shop's own ({differ[0]}); train both without it, by --observation shopper context candidates "
            "picked"
        )


def tell_prices(option: str, folder: Path, theirs: float, mine: float) -> None:
    """Say so where the median item costs something of another order in two shops, theirs and mine: agents see
    money as it is."""
    if not 1 / _PRICES <= mine / theirs <= _PRICES:
        remark(
            f"{option} {folder}: the median item costs {theirs:.4g} there and {mine:.4g} here; agents see "
            "money as it is, so if the currencies differ, convert one log"
        )


def source_job(source: TrainConfig, job: Job) -> Job:
    """The agent that one of a new run begins as: of the same kind and assumption. Where the source has fewer
    seeds, several begin as the same.

    Raises:
        UserError: the source has none.
    """
    if job.agent not in source.agents:
        raise UserError(
            f"--start-from {source.folder}: has no {job.agent}; give --agents {' '.join(source.agents)}"
        )
    if job.exposure not in source.exposures:
        known = " ".join(f"{exposure:g}" for exposure in source.exposures)
        raise UserError(
            f"--start-from {source.folder}: has no agent that was trained at exposure {job.exposure:g}; give "
            f"--offer-exposure {known}"
        )
    return Job(job.agent, source.all_seeds[job.seed % source.seeds], job.exposure)


def check_fit(source: TrainConfig, theirs: EnvConfig, config: TrainConfig, mine: EnvConfig) -> None:
    """Raise `UserError` where weights of the source cannot act in this run's visits.

    Args:
        theirs, mine: the offers that agents of the source, and of this run, may make.
    """
    about = f"--start-from {source.folder}"
    if theirs.observation != mine.observation:
        raise UserError(
            f"{about}: its agents see other blocks; give --observation {' '.join(theirs.observation)}"
        )
    missing = [level for level in mine.discounts if level not in theirs.discounts]
    other = mine.discounts != theirs.discounts and FORECASTS in mine.observation
    if missing or other:
        known = " ".join(f"{level:g}" for level in theirs.discounts)
        what = (
            f"have learned nothing of {missing[0]:.0%} off" if missing else "see forecasts by discount level"
        )
        raise UserError(f"{about}: its agents {what}; give --discounts {known}, or some of these")
    for agent in config.agents:
        one, another = (getattr(each.hyper.of(agent), "width", None) for each in (source, config))
        if one != another:
            raise UserError(f"{about}: its network is {one} wide; give --{agent}.width {one}")


def put_weights(model: Any, path: Path, theirs: EnvConfig, mine: EnvConfig) -> None:
    """Give a fresh agent of this run the weights of the checkpoint at `path`, of an agent of the source; it
    has learned from no step yet.

    Raises:
        UserError: unreadable, damaged, or of another shape.
    """
    weights = of_levels(read_weights(path), [theirs.discounts.index(level) for level in mine.discounts])
    try:
        model.policy.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path}: what its agent sees has another shape ({error})") from error


def told(config: TrainConfig) -> list[str]:
    """What a reader of the tables must know of other shops."""
    sentences = []
    if config.start_from is not None:
        sentences.append(f"agents begin as those of {config.start_from}, the run of another shop")
    if config.also:
        others = ", ".join(map(str, config.also))
        sentences.append(
            f"agents also learned from the shoppers of {others}; the tables are of this shop alone"
        )
    return sentences
