"""The command line of `bundlegym recommend`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
import tyro

from bundlegym.data.checked import Count, NotNegative, Options, Seed, Share, Whole, check_output
from bundlegym.data.config import default_cache_dir
from bundlegym.deployment.limits import Limits
from bundlegym.deployment.offers_file import check_suffix, write_offers
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.deployment.recommend import Rules, read_stock, read_table
from bundlegym.deployment.shards import make_offers_by
from bundlegym.errors import UserError
from bundlegym.evaluation.engines import EngineOptions
from bundlegym.evaluation.field_test.tables import OFFERS
from bundlegym.evaluation.parallel import Place
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.options import parsed
from bundlegym.terminal import say


@dataclass(frozen=True)
class RecommendConfig(Options):
    """Make offers for the shoppers of a run's log, one at most for each, and write them as a file."""

    run: tyro.conf.Positional[Path]
    """Folder of a finished run, such as runs/NAME."""

    out: Path = Path("offers.csv")
    """File of the offers: .csv, .parquet or .json."""

    policy: str = ""
    """An agent of the run, such as ppo, or planner; by default the run's first agent."""

    agent_seed: Seed | None = None
    """Seed of the agent where the run trained several of a kind; by default the first."""

    offer_exposure: NotNegative | None = None
    """Assumption on what being offered does by itself, one of the run's; by default the first."""

    shoppers: Path | None = None
    """Table with a column shopper, CSV or Parquet: whom to make offers for; by default all of the log. Where
    it has a column arm, as experiment plan --assignment writes it, only the arm offers is made any."""

    day: str = ""
    """Day of the offers, as 2017-12-04; by default the one after the log's last."""

    budget: NotNegative | None = None
    """Money that all discounts may cost, if every offer is taken whole."""

    most_offers: Whole | None = None
    """Greatest number of offers."""

    least_margin: float | None = None
    """Least margin of an offer that is taken whole, in the log's currency."""

    below_cost: bool = False
    """Let items be offered below what they cost."""

    exclude_items: tuple[str, ...] = ()
    """Ids of items that are never offered."""

    exclude_categories: tuple[str, ...] = ()
    """Departments, categories or subcategories that are never offered."""

    exclude_presets: tuple[str, ...] = ()
    """What many shops may not discount, found by words of names and categories: alcohol, tobacco,
    infant-formula."""

    stock: Path | None = None
    """Table with the columns item and units; each offer takes a unit of each of its items."""

    explore: Share = 0.0
    """Share of shoppers whose offer is drawn at random, with its propensity written beside it."""

    seed: Seed = 0
    """Seed of candidates and of what is drawn."""

    draws: Count = 64
    """Draws of luck behind each expected margin."""

    workers: Count = 1
    """Ranges of shoppers that are made offers at once, each in a process of its own. Where budget, number or
    stock are short, there is one."""

    ray: bool = False
    """Make them in processes of Ray (extra `ray`) on this machine."""

    ray_address: str = ""
    """Make them on the cluster of Ray at this address, such as 10.0.0.1:6379 or auto."""

    pseudonyms: bool = False
    """Write pseudonyms in place of shoppers' ids: a file to show, not one to make offers by."""

    trust_code: bool = False
    """Import the modules that the run names; give it only if you trust whoever made the run."""

    cache_dir: Path = field(default_factory=default_cache_dir)
    """Where logs are kept."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_suffix(self.out)
        check_output("--out", self.out)


def recommend() -> None:
    """`bundlegym recommend runs/NAME [options]`: offers as a file; what they come to, on standard error."""
    config = parsed(RecommendConfig)
    jobs_by = EngineOptions(config.ray, config.ray_address)
    rules = Rules(
        budget=config.budget,
        most_offers=config.most_offers,
        limits=Limits(config.below_cost, config.least_margin),
        exclude_items=config.exclude_items,
        exclude_categories=config.exclude_categories,
        exclude_presets=config.exclude_presets,
        stock=None if config.stock is None else read_stock(config.stock),
        explore=config.explore,
    )
    shoppers = None if config.shoppers is None else _shoppers(config.shoppers)
    load = partial(
        BundlePolicy.load,
        config.run,
        config.policy or None,
        agent_seed=config.agent_seed,
        exposure=config.offer_exposure,
        seed=config.seed,
        trust_code=config.trust_code,
        cache_dir=config.cache_dir,
    )
    place = Place(load(), load, config.run)
    with jobs_by.engine(config.workers, gpu=place.here.experiment.on_gpu) as engine:
        made = make_offers_by(
            engine, place, rules, shoppers=shoppers, day=config.day or None, draws=config.draws
        )
    table = under_pseudonyms(made.table, config.run) if config.pseudonyms else made.table
    write_offers(table, config.out)
    for note in made.notes:
        say(note)
    if (made.table["items"] == "[]").all():
        say(_why_nothing(place.here))
    called = "pseudonyms" if config.pseudonyms else "the log's own ids: keep it as the log is kept"
    say(f"The offers are in {config.out}, which calls shoppers by {called}")


def _why_nothing(policy: BundlePolicy) -> str:
    others = [f"--offer-exposure {e:g}" for e in policy.experiment.config.exposures if e != policy.exposure]
    return (
        f"{policy.name} offers nobody anything: under --offer-exposure {policy.exposure:g} it found nothing "
        f"that pays within the rules given. There are also {', '.join([*others, 'others by --policy'])}"
    )


def under_pseudonyms(table: pd.DataFrame, run: Path) -> pd.DataFrame:
    """Offers of a run whose shoppers, and ids of offers, say nothing outside it."""
    shopper = table["shopper"].map(Pseudonyms.of_run(run))
    return table.assign(shopper=shopper, offer_id=table["time"] + "-" + shopper)


def _shoppers(path: Path) -> list[str]:
    """Whom a table asks offers for; never the control arm of an experiment."""
    table = read_table(path)
    if "shopper" not in table:
        raise UserError(f"{path}: no column shopper; it has: {', '.join(map(str, table.columns))}")
    if "arm" in table:
        if not (table["arm"] == OFFERS).any():
            raise UserError(f"{path}: nobody is in the arm '{OFFERS}'")
        others = int((table["arm"] != OFFERS).sum())
        if others:
            say(f"{path}: no offers to {others:,} shopper(s) outside the arm '{OFFERS}'")
        table = table[table["arm"] == OFFERS]
    return table["shopper"].tolist()
