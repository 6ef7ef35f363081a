"""Who is offered what at first visits: by segment, department and discount, and in examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from bundlegym.agents.base import Policy
from bundlegym.agents.planner import Planner
from bundlegym.agents.planner.policy import actions_of
from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.envs import BundleCore, Market
from bundlegym.envs.base import LEAVE
from bundlegym.evaluation.decomposition import decompose_offer
from bundlegym.evaluation.planner_gains import with_fresh_luck
from bundlegym.evaluation.report.document import Bullets, Heading, Paragraph, Part, Section, Table
from bundlegym.evaluation.report.words import Figure, Money, assumed, from_log, number, off, share
from bundlegym.user_models import UserModel

_SEGMENTS = ("spends least", "spends middling", "spends most")
_DEALS = ("buys fewest deals", "buys some deals", "buys most deals")
_DEPARTMENTS = 8
#: Draws of luck behind what an example is expected to do.
_DRAWS = 512


@dataclass(frozen=True)
class Made:
    """What a policy offers to N shoppers at their first visit.

    Attributes:
        shopper, week: (N,) codes. items: (N, B) item codes, -1 for none. discount: (N,).
    """

    shopper: np.ndarray
    week: np.ndarray
    items: np.ndarray
    discount: np.ndarray

    @property
    def made(self) -> np.ndarray:
        """(N,) bool, whether there is an offer."""
        return self.items[:, 0] >= 0


@dataclass(frozen=True)
class Scene:
    """The shoppers at their first visits under an assumption, and what each policy, by name, offers them."""

    core: BundleCore
    made: dict[str, Made]


def first_offers(core: BundleCore, start: Callable[[BundleCore], Policy], seed: int) -> Made:
    """The first visit in each slot; `start` gives the policy once these visits are open."""
    core.reseed(seed)
    core.reset()
    policy = start(core)
    done = torch.zeros(core.n, dtype=torch.bool, device=core.device)
    columns: dict[str, torch.Tensor] = {}
    while not bool(done.all()):
        record = core.step(torch.where(done, LEAVE, policy(core))).record
        if record is None:
            continue
        values = {
            "shopper": record.shopper,
            "week": core.market.week(record.day),
            "items": record.offer.items,
            "discount": record.offer.discount,
        }
        for name, value in values.items():
            column = columns.setdefault(name, value.new_zeros((core.n, *value.shape[1:])))
            column[record.slot] = value
        done[record.slot] = True
    return Made(**{name: value.cpu().numpy() for name, value in columns.items()})


def fixed(policy: Policy) -> Callable[[BundleCore], Policy]:
    """A policy for `first_offers` that needs no start."""
    return lambda core: policy


def planned(user_model: UserModel) -> Callable[[BundleCore], Policy]:
    """The planner for `first_offers`: it plans the first visits alone."""

    def start(core: BundleCore) -> Policy:
        actions = actions_of(Planner(user_model).plan(core, core.rows), core.k)
        return lambda core: actions[core.rows, core.n_picks]

    return start


def offers_section(scenes: dict[float, Scene], dataset: Dataset) -> Section:
    """Who is offered what, by assumption."""
    about = (
        "The first visits of held-out shoppers in the weeks of the tables. 'Spends least' is the third of "
        "shoppers who spent least in the weeks that were learned from; 'buys most deals' the third of whose "
        "purchases then the greatest share was marked down, a sign of price sensitivity."
    )
    parts: list[Part] = [Paragraph(about)]
    for exposure, scene in scenes.items():
        parts += [Heading(f"If {assumed(exposure)}"), *_tables(scene, dataset)]
    return Section("offers", "Who is offered what", parts)


def examples_section(
    scenes: dict[float, Scene],
    dataset: Dataset,
    judged_by: str,
    pseudonym: Callable[[str], str],
    money: Money,
    count: int,
) -> Section:
    """The first `count` offers of each policy, by assumption."""
    about = (
        "The offers to the first of these shoppers: the price of each item on the shelf in brackets, and"
        f" what the offer is expected to do ({judged_by}). Shoppers' names are made up for this run."
    )
    parts: list[Part] = [Paragraph(about)]
    for exposure, scene in scenes.items():
        parts.append(Heading(f"If {assumed(exposure)}"))
        parts += _examples(scene, dataset, pseudonym, money, count)
    return Section("examples", "Examples", parts)


def _tables(scene: Scene, dataset: Dataset) -> list[Part]:
    """Tables of one assumption, a column a policy by name."""
    made = scene.made
    visits = len(next(iter(made.values())).shopper)
    spend, deals = spend_thirds(dataset), deal_thirds(scene.core.market)
    columns = list(made)
    by_segment = [
        [name.capitalize(), *(_to_segment(one, spend[one.shopper] == place) for one in made.values())]
        for place, name in enumerate(_SEGMENTS)
    ]
    levels = sorted({float(d) for one in made.values() for d in one.discount[one.made].round(4)})
    by_discount = [["No offer", *(share((~one.made).mean()) for one in made.values())]]
    by_discount += [
        [
            off(level).capitalize(),
            *(share((one.made & (one.discount.round(4) == level)).mean()) for one in made.values()),
        ]
        for level in levels
    ]
    parts: list[Part] = [
        Table(
            ["Shoppers", *columns], by_segment, "Visits with an offer, by what shoppers spend", compact=True
        ),
        Table(["Discount", *columns], by_discount, f"Share of {visits:,} visits by discount", compact=True),
    ]
    if any(one.made.any() for one in made.values()):
        parts.append(_by_level_and_segment(made, levels, spend, _SEGMENTS, "what shoppers spend"))
        if deals is not None:
            parts.append(_by_level_and_segment(made, levels, deals, _DEALS, "how many deals shoppers buy"))
        parts.append(_by_department(made, dataset))
    return parts


def _by_level_and_segment(
    made: dict[str, Made], levels: list[float], third: np.ndarray, names: tuple[str, ...], by: str
) -> Table:
    """How often each discount is offered in each third of shoppers, the policies side by side.

    Args:
        third: (n_shoppers,) 0, 1 or 2, called `names`.
    """

    def cells(chosen: Callable[[Made], np.ndarray]) -> list[str]:
        shares = []
        for place in range(len(names)):
            for one in made.values():
                mine = third[one.shopper] == place
                shares.append(share(chosen(one)[mine].mean() if mine.any() else None))
        return shares

    rows = [["No offer", *cells(lambda one: ~one.made)]]
    for level in levels:
        at_level = lambda one, level=level: one.made & (one.discount.round(4) == level)  # noqa: E731
        rows.append([off(level).capitalize(), *cells(at_level)])
    columns = [f"{name.capitalize()}: {policy}" for name in names for policy in made]
    return Table(["Discount", *columns], rows, f"Share of visits by discount and by {by}", compact=True)


def deal_thirds(market: Market) -> np.ndarray | None:
    """(n_shoppers,) 0, 1 or 2: the third of shoppers by the share of what they bought in the training weeks
    that was marked down; None where the log tells no shoppers apart by it."""
    marked_down = market.profile[:, market.profile_names.index("deal_share")].cpu().numpy()
    return None if marked_down.min() == marked_down.max() else _thirds(marked_down)


def _thirds(values: np.ndarray) -> np.ndarray:
    """0, 1 or 2 for each value, by rank."""
    return 3 * values.argsort(kind="stable").argsort(kind="stable") // len(values)


def spend_thirds(dataset: Dataset) -> np.ndarray:
    """(n_shoppers,) 0, 1 or 2: the third of shoppers by what they spent in the training weeks."""
    line, place = lines_of(dataset, rows := visit_rows(dataset, dataset.split.train_weeks))
    paid = (dataset.purchases["price_paid"] * dataset.purchases["quantity"]).to_numpy()[line]
    shopper = dataset.visits["shopper"].to_numpy()[rows[place]]
    spent = np.bincount(shopper, weights=paid, minlength=dataset.n_shoppers)
    return _thirds(spent)


def _to_segment(one: Made, mine: np.ndarray) -> str:
    offered = one.made & mine
    if not mine.any():
        return "–"
    if not offered.any():
        return "no offers"
    items = (one.items[offered] >= 0).sum(1).mean()
    return (
        f"{share(offered.sum() / mine.sum())}; {items:.1f} items,"
        f" {share(one.discount[offered].mean(), 1)} off"
    )


def _by_department(made: dict[str, Made], dataset: Dataset) -> Table:
    department = dataset.items["department"].astype(str).to_numpy()
    line, _ = lines_of(dataset, visit_rows(dataset, dataset.split.train_weeks))
    bought = department[dataset.purchases["item"].to_numpy()[line]]
    offered = {name: department[one.items[one.items >= 0]] for name, one in made.items()}
    names, counts = np.unique(np.concatenate(list(offered.values())), return_counts=True)
    top = names[np.argsort(-counts, kind="stable")][:_DEPARTMENTS]

    def row(label: str, inside: np.ndarray, *, others: bool = False) -> list[str]:
        groups = (*offered.values(), bought)
        shares = (np.isin(group, inside, invert=others).mean() if len(group) else None for group in groups)
        return [label, *map(share, shares)]

    rows = [row(from_log(name) or "(no department)", np.array([name])) for name in top]
    if len(names) > len(top):
        rows.append(row("All others", top, others=True))
    columns = ["Department", *made, "What shoppers buy"]
    return Table(columns, rows, "Share of the offered items by department", compact=True)


def _examples(
    scene: Scene, dataset: Dataset, pseudonym: Callable[[str], str], money: Money, count: int
) -> list[Part]:
    core, made = scene.core, scene.made
    core.reset()  # to the first visits again
    parts: list[Part] = []
    for name, one in made.items():
        at = np.flatnonzero(one.made)[:count]
        parts.append(Heading(name, minor=True))
        if len(at):
            parts.append(Bullets([_told(core, one, int(slot), dataset, pseudonym, money) for slot in at]))
        else:
            parts.append(Paragraph("Offers nothing to any of these shoppers."))
    return parts


def _told(
    core: BundleCore,
    one: Made,
    slot: int,
    dataset: Dataset,
    pseudonym: Callable[[str], str],
    money: Money,
) -> str:
    week, discount = int(one.week[slot]), float(one.discount[slot])
    items = [int(item) for item in one.items[slot] if item >= 0]
    prices = [float(dataset.shelf_price[item, week]) for item in items]
    names = " + ".join(f"{_item(dataset, i)} ({price:.2f})" for i, price in zip(items, prices, strict=True))
    who = pseudonym(str(dataset.shoppers["shopper"].iloc[int(one.shopper[slot])]))
    visit = with_fresh_luck(core, core.rows[slot : slot + 1])
    offered = torch.tensor(items, device=core.device)
    found = decompose_offer(visit, offered, discount, range(1, _DRAWS + 1))
    return (
        f"Shopper {who}, week {week + 1}: {names}, together {money.amount(sum(prices))}, {off(discount)}."
        f" Taken whole with a chance of {share(found['taken']['mean'])}; {_expected(found, money)}."
    )


def _expected(found: Figure, money: Money) -> str:
    """What an offer taken apart is expected to earn."""
    gain, new, given = (found[name]["mean"] for name in ("gain", "sold_new", "given_away"))
    rest = gain - new - given
    if max(map(abs, (gain, new, given, rest))) < 0.005:
        return "expected to change nothing"
    return (
        f"expected to earn {money.gain(gain)} more (standard error {found['gain']['error']:.2f}):"
        f" {number(new)} from items that would not have been bought, {number(given)} given away on items that"
        f" would have been bought anyway, {number(rest)} from the rest of the basket"
    )


def _item(dataset: Dataset, code: int) -> str:
    """The item's name, or its id in the log where it has none."""
    row = dataset.items.iloc[code]
    return from_log(row["name"]) or from_log(f"item {row['item']}")
