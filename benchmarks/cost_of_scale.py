"""What a large shop needs, from measured costs: `python benchmarks/cost_of_scale.py --shoppers 100e6`.

A shop of S shoppers with L lines each and I items is cut into groups of g shoppers, each a log and a run of
its own, since the log of a run is held in the memory of one process. With k cores and M gigabytes a machine
and a log of W weeks:

    g = (M / k - held_gb - week_gb I W) / max(prepare_gb L, market_gb L, fit_gb)
    groups = S / g

CPU seconds, where A agents (kinds x seeds x assumptions on exposure) learn for N steps each:

    prepare = prepare_s S L      market = market_s S L      offers = offer_s S
    fit     = fit_s S L          train  = step_s A N groups       where each group fits and trains its own
    fit     = fit_s n L          train  = step_s A N              where one sample of n shoppers does for all

    core-hours = (their sum) (1 + idle) / 3600
    machines   = core-hours / (hours k)          money = core-hours x price

`--costs FILE` reads the measured costs from what `benchmarks/scale.py --json FILE` wrote, of each stage its
largest log; what it lacks is as measured for docs/scale.md, with 6,000 items: another catalogue is measured
by `scale.py --items`. Costs are taken to grow in proportion to lines, shoppers and steps; where scale.py
finds an exponent above 1, a far larger shop needs more. Judging agents and the planner's visits that they
begin with are not counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bundlegym.errors import UserError, guarded
from bundlegym.options import Parser


@dataclass(frozen=True)
class Costs:
    """Measured on one core of a shared machine, as docs/scale.md tells with the commands.

    Attributes:
        prepare_s, market_s, fit_s: CPU seconds a line.
        step_s: CPU seconds a step of PPO. offer_s: CPU seconds an offer, expected gains included.
        prepare_gb, market_gb: gigabytes a line. fit_gb: gigabytes a shopper.
        week_gb: gigabytes an item and week, eleven tables of 4 bytes (docs/scale.md).
        held_gb: gigabytes that a process holds before it has read anything.
    """

    prepare_s: float = 29.2 / 10e6
    market_s: float = 21.1 / 10e6
    fit_s: float = 12.4 / 100e3
    step_s: float = 7.7 / 65_536
    offer_s: float = 1.2 / 1_000
    prepare_gb: float = (1.16 - 0.4) / 10e6
    market_gb: float = (3.55 - 0.4) / 10e6
    fit_gb: float = (0.87 - 0.44) / 1_000
    week_gb: float = 11 * 4 / 2**30
    held_gb: float = 0.4


@dataclass(frozen=True)
class Shop:
    """A shop and what is to be done for it: the options of the command line."""

    shoppers: float
    lines_a_shopper: float
    items: float
    weeks: float
    agents: int
    steps: float
    sample: float
    cores: int
    memory_gb: float
    hours: float
    idle: float
    price: float


@dataclass(frozen=True)
class Bill:
    """What it comes to.

    Attributes:
        stages: CPU hours by stage.
        core_hours: their sum, with idle time.
        machines, hours: how many, and for how long.
        money: in the currency of the price.
    """

    stages: dict[str, float]
    core_hours: float
    machines: int
    hours: float
    money: float


def measured(path: Path) -> Costs:
    """The costs of what `scale.py --json` wrote, by the largest log of each stage.

    Raises:
        UserError: it is not that.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        largest = {
            row["stage"]: row for row in sorted(rows, key=lambda row: row["rows"]) if "error" not in row
        }
        found: dict[str, float] = {}
        for stage, row in largest.items():
            found |= _costs_of(stage, row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"--costs {path}: not what scale.py --json writes ({error})") from error
    return dataclasses.replace(Costs(), **found)


def _costs_of(stage: str, row: dict[str, Any]) -> dict[str, float]:
    """What a row of `scale.py` says of its stage."""
    seconds, sample = row["cpu_seconds"], row["fit_shoppers"]
    more = row["peak_gb"] - row["held_gb"]
    if stage in ("prepare", "market"):
        return {f"{stage}_s": seconds / row["rows"], f"{stage}_gb": more / row["rows"]}
    if stage == "fit":
        lines = sample * row["rows"] / row["shoppers"]
        return {"fit_s": seconds / lines, "fit_gb": more / row["shoppers"]}
    if stage == "ppo":
        return {"step_s": seconds / row["steps"]}
    return {"offer_s": seconds / row["shoppers"]} if stage == "offers" else {}


def group_of(shop: Shop, costs: Costs) -> float:
    """Shoppers of a group, whose log a process can hold.

    Raises:
        UserError: it cannot hold even one.
    """
    room = shop.memory_gb / shop.cores - costs.held_gb - costs.week_gb * shop.items * shop.weeks
    a_shopper = max(max(costs.prepare_gb, costs.market_gb) * shop.lines_a_shopper, costs.fit_gb)
    if room < a_shopper:
        raise UserError(f"--memory-gb {shop.memory_gb:g}: a core's part of it does not hold one shopper")
    return min(math.floor(room / a_shopper), shop.shoppers)


def bill(shop: Shop, costs: Costs, *, one_fit: bool) -> Bill:
    """What the shop needs; with `one_fit` shoppers are fitted and agents trained once, on a sample."""
    lines = shop.shoppers * shop.lines_a_shopper
    groups = math.ceil(shop.shoppers / group_of(shop, costs))
    fitted, trainings = (shop.sample * shop.lines_a_shopper, 1) if one_fit else (lines, groups)
    seconds = {
        "prepare": costs.prepare_s * lines,
        "market": costs.market_s * lines,
        "fit": costs.fit_s * fitted,
        "train": costs.step_s * shop.agents * shop.steps * trainings,
        "offers": costs.offer_s * shop.shoppers,
    }
    hours = {stage: each / 3600 for stage, each in seconds.items()}
    core_hours = sum(hours.values()) * (1 + shop.idle)
    machines = math.ceil(core_hours / (shop.hours * shop.cores))
    return Bill(hours, core_hours, machines, core_hours / (machines * shop.cores), core_hours * shop.price)


def as_text(shop: Shop, costs: Costs) -> str:
    """The costs, the groups and both bills."""
    group = group_of(shop, costs)
    lines = ["measured costs:"]
    lines += [f"    {field.name:11} {getattr(costs, field.name):.3g}" for field in fields(costs)]
    lines.append(
        f"{shop.shoppers:,.0f} shoppers x {shop.lines_a_shopper:,.0f} lines, {shop.items:,.0f} items: "
        f"{math.ceil(shop.shoppers / group):,} groups of {group:,.0f}"
    )
    for one_fit, title in ((False, "each group fits and trains its own"), (True, "one fit on a sample")):
        found = bill(shop, costs, one_fit=one_fit)
        parts = ", ".join(f"{stage} {hours:,.1f}" for stage, hours in found.stages.items())
        lines.append(f"{title}:\n    CPU hours: {parts}")
        lines.append(
            f"    {found.core_hours:,.0f} core-hours with {shop.idle:.0%} idle; machines of {shop.cores} "
            f"cores: {found.machines:,}, for {found.hours:.1f} hours; money: {found.money:,.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shoppers", type=float, default=100e6, help="S (100 million)")
    parser.add_argument("--lines-a-shopper", type=float, default=100, help="L (100)")
    parser.add_argument("--items", type=float, default=6_000, help="I of a group's catalogue (6,000)")
    parser.add_argument("--weeks", type=float, default=104, help="W (104)")
    parser.add_argument("--agents", type=int, default=2, help="A (2: one kind, two assumptions)")
    parser.add_argument("--steps", type=float, default=250_000, help="of an agent (250,000)")
    parser.add_argument("--sample", type=float, default=2_000, help="n, fitted for all (2,000)")
    parser.add_argument("--cores", type=int, default=16, help="k of a machine (16)")
    parser.add_argument("--memory-gb", type=float, default=64, help="M of a machine (64)")
    parser.add_argument("--hours", type=float, default=24, help="until all is done (24)")
    parser.add_argument(
        "--idle", type=float, default=0.25, help="start and waiting beside work (0.25, a guess)"
    )
    parser.add_argument("--price", type=float, default=0.05, help="of a core-hour (0.05, an example)")
    parser.add_argument("--costs", type=Path, help="what scale.py --json wrote")
    options = vars(parser.parse_args())
    costs = Costs() if options["costs"] is None else measured(options["costs"])
    del options["costs"]
    for name, value in options.items():
        if not (value > 0 or (name == "idle" and value == 0)):
            raise UserError(f"--{name.replace('_', '-')} {value:g}: must be above 0")
    print(as_text(Shop(**options), costs))


if __name__ == "__main__":
    guarded(main)
