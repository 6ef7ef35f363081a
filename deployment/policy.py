"""`BundlePolicy`: the agents of a run, and the planner, outside the simulator."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.agents.base import Policy
from bundlegym.agents.planner import Planner
from bundlegym.deployment.at_door import states_at_door
from bundlegym.deployment.histories import codes_of, day_after, day_of, read_history
from bundlegym.deployment.limits import Limits
from bundlegym.deployment.picking import Picked, pick
from bundlegym.envs import BundleCore, with_shoppers
from bundlegym.envs.arrays import Records
from bundlegym.errors import UserError
from bundlegym.evaluation.experiment import Experiment, learned
from bundlegym.evaluation.job import Job
from bundlegym.recommenders import Interactions
from bundlegym.recommenders.shopper_tables import Purchases
from bundlegym.threads import one_thread

PLANNER = "planner"


@dataclass(frozen=True)
class OfferedItem:
    """An item of an offer: its id and name in the log, and its price at the shelf."""

    item: str
    name: str
    price: float


@dataclass(frozen=True)
class MadeOffer:
    """A bundle with its discount, off the shelf price of each item if the bundle is taken whole."""

    items: tuple[OfferedItem, ...]
    discount: float

    @property
    def price(self) -> float:
        """Of the whole bundle at the discount."""
        return (1 - self.discount) * sum(item.price for item in self.items)


@dataclass(frozen=True)
class Answer:
    """Offers to one shopper, best first, none where nothing is worth offering; and the items of the given
    history that the catalogue does not have, which were left out of account."""

    offers: tuple[MadeOffer, ...]
    unknown_items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """N shoppers whom offers are made to.

    Attributes:
        names: of each, as the log or the caller calls them; they seed what is drawn for each.
        code: (N,) int64, the log's code, or from the log's number of shoppers on for those it does not know.
        model_code: (N,) int64, by whose code a user model knows each: their own, or that of the shopper of
            the log whose purchases are most alike.
        more: the purchases of those whom the log does not know, under their codes.
    """

    names: tuple[str, ...]
    code: np.ndarray
    model_code: np.ndarray
    more: Purchases

    def of(self, rows: np.ndarray) -> Asked:
        """Some of them, by their numbers."""
        return Asked(tuple(self.names[i] for i in rows), self.code[rows], self.model_code[rows], self.more)


class BundlePolicy:
    """Offers to shoppers by what they bought, from a run's agent or its planner.

    `BundlePolicy.load("runs/NAME").recommend("1234")` is an offer to shopper 1234 on the day after the log's
    last; `recommend(table)` is one to anybody, `table` holding what they bought. What the shop knows of a
    shopper is made anew from their purchases before the day, by the rule that the agent was trained with
    (`recommenders.shopper_tables`), so that a shopper of the log and a stranger with the same purchases are
    told the same. Among candidates there is luck, as in training: it hangs on the shopper's name, the day and
    the seed, and on nothing else.

    Attributes:
        experiment: the run.
        name: of the policy: that of an agent, or `planner`.
        exposure: the assumption on what being offered does by itself, under which it was trained, or plans.
        seed: of the luck.
    """

    def __init__(
        self, experiment: Experiment, name: str, policy: Policy, exposure: float, seed: int = 0
    ) -> None:
        self.experiment, self.name, self.exposure, self.seed = experiment, name, exposure, seed
        self.dataset, self.market = experiment.dataset, experiment.market
        self.user_model, self.config = experiment.user_models[exposure], experiment.env
        self._policy = policy

    @staticmethod
    def load(
        folder: Path | str,
        policy: str | None = None,
        *,
        agent_seed: int | None = None,
        exposure: float | None = None,
        seed: int = 0,
        trust_code: bool = False,
        cache_dir: Path | None = None,
    ) -> BundlePolicy:
        """The policy of a finished run.

        Args:
            policy: an agent of the run, or `planner`; by default the run's first agent.
            agent_seed: of the agent where a run trained several of a kind; by default the first.
            exposure: of the assumptions of the run; by default the first.
            trust_code, cache_dir: as in `evaluation.experiment.read_config`.

        Raises:
            UserError: there is no such run, agent, seed or assumption.
        """
        experiment = Experiment.open(Path(folder), trust_code=trust_code, cache_dir=cache_dir)
        config = experiment.config
        name = policy or config.agents[0]
        under = config.exposures[0] if exposure is None else exposure
        agent_seed = config.seed if agent_seed is None else agent_seed
        for what, given, known in (
            ("policy", name, (*config.agents, PLANNER)),
            ("offer exposure", under, config.exposures),
            ("agent seed", agent_seed, tuple(config.all_seeds)),
        ):
            if given not in known:
                raise UserError(f"{what} {given}: {folder} has {', '.join(map(str, known))}")
        if name == PLANNER:
            return BundlePolicy(experiment, name, Planner(experiment.user_models[under]), under, seed)
        agent = learned(experiment.trained(Job(name, agent_seed, under)))
        return BundlePolicy(experiment, name, agent, under, seed)

    @one_thread()
    def recommend(
        self,
        history: pd.DataFrame | str | int,
        *,
        k: int = 1,
        day: str | None = None,
        name: str = "",
        exclude_items: Sequence[str] = (),
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> Answer:
        """Up to `k` offers that share no item; each is made as if the items of those before were not there.

        Args:
            history: the id of a shopper of the log; or a table of what a shopper bought with the columns
                item and time, and any of basket, quantity and price_paid, a row an item; without rows of
                somebody who bought nothing yet.
            day: date of the offer; by default the day after the log's last.
            name: of a shopper given by a table; it decides on their luck alone.
            exclude_items: ids of items that shall not be offered.

        Raises:
            UserError: the log knows no such shopper or item, or the table lacks a column.
        """
        if k < 1:
            raise UserError(f"k {k}: must be at least 1")
        when = day_after(self.dataset) if day is None else day_of(day, self.dataset.start)
        unknown: tuple[str, ...] = ()
        if isinstance(history, pd.DataFrame):
            asked, unknown = self.ask_new(history, name)
        else:
            asked = self.ask([str(history)])
        excluded = self.excluded(exclude_items)[None].copy()
        offers: list[MadeOffer] = []
        while len(offers) < k:
            core = self.open(asked, when, excluded)
            picked = pick(core, self._policy, limits)
            items = picked.items[0][picked.items[0] >= 0].tolist()
            if not items:
                break
            offers.append(self.told(items, float(core.discounts[picked.level[0]]), when))
            excluded[0, items] = True
        return Answer(tuple(offers), unknown)

    # --- who is asked for ---------------------------------------------------------------------------------

    def ask(self, shoppers: Sequence[str] | None = None) -> Asked:
        """Shoppers of the log by their ids; by default all.

        Raises:
            UserError: the log does not know one.
        """
        ids = self.dataset.shoppers["shopper"].astype(str)
        if shoppers is None:
            code = np.arange(len(ids), dtype=np.int64)
        else:
            code = codes_of(shoppers, ids)
            if (code < 0).any():
                strange = list(shoppers)[int(np.flatnonzero(code < 0)[0])]
                raise UserError(
                    f"shopper {strange}: {self.dataset.name} knows none of that id; give what they bought"
                )
        none = np.zeros(0, dtype=np.int64)
        return Asked(tuple(ids.iloc[code]), code, code, Purchases(none, none, none, none))

    def ask_new(self, history: pd.DataFrame, name: str = "") -> tuple[Asked, tuple[str, ...]]:
        """A shopper of one's own history, and the items of it that are none of the catalogue's."""
        bought, unknown = read_history(history, self.dataset.items["item"], self.dataset.start)
        code = np.array([self.dataset.n_shoppers], dtype=np.int64)
        more = Purchases(bought.shopper + code, bought.visit, bought.item, bought.day)
        return Asked((name,), code, self._alike(bought), more), unknown

    def _alike(self, bought: Purchases) -> np.ndarray:
        """(1,) code of the shopper of the log whose shares of purchase lines by category are the nearest
        (Hellinger distance), by all purchases."""
        counts = np.bincount(bought.item, minlength=self.dataset.n_items).astype(np.float32)
        _, share = self.market.rule.averages.shares(counts[None])
        return np.array([((self._category_shares - np.sqrt(share)) ** 2).sum(1).argmin()], dtype=np.int64)

    @cached_property
    def _category_shares(self) -> np.ndarray:
        """(S, C) square roots of the log's shoppers' shares of lines by category."""
        bought, dataset = self._bought, self.dataset
        flat = bought.shopper * dataset.n_items + bought.item
        counts = np.bincount(flat, minlength=dataset.n_shoppers * dataset.n_items).astype(np.float32)
        return np.sqrt(self.market.rule.averages.shares(counts.reshape(dataset.n_shoppers, -1))[1])

    @cached_property
    def _bought(self) -> Purchases:
        return Purchases.of(self.dataset)

    def excluded(self, items: Sequence[str] = (), categories: Sequence[str] = ()) -> np.ndarray:
        """(I,) bool of items by id, and of all in categories, departments or subcategories by name.

        Raises:
            UserError: the catalogue has no such item or category.
        """
        mask = np.zeros(self.dataset.n_items, dtype=bool)
        codes = codes_of(list(items), self.dataset.items["item"]) if len(items) else np.zeros(0, dtype=int)
        if (codes < 0).any():
            raise UserError(f"item {list(items)[int(np.flatnonzero(codes < 0)[0])]}: not in the catalogue")
        mask[codes] = True
        for category in categories:
            levels = ("department", "category", "subcategory")
            within = np.any(
                [self.dataset.items[n].astype(str).str.casefold() == category.casefold() for n in levels], 0
            )
            if not within.any():
                raise UserError(f"category {category}: no department, category or subcategory of that name")
            mask |= within
        return mask

    # --- what is offered ----------------------------------------------------------------------------------

    def open(self, asked: Asked, day: int, excluded: np.ndarray) -> BundleCore:
        """A simulator in which the shoppers are at the door on `day`, with their candidates before them, and
        nobody reacts yet.

        Args:
            excluded: (N, I) or (I,) bool, what no candidate may be.

        Raises:
            UserError: too few items are left, or the day lies before the log.
        """
        if day < 0:
            raise UserError(f"--day: lies before the log, which begins on {self.dataset.start.date()}")
        left = self.dataset.n_items - int(excluded.sum(-1).max())
        if left < self.config.n_candidates:
            raise UserError(
                f"{left} items are left to be offered; the policy needs {self.config.n_candidates} candidates"
            )
        n, rule = len(asked.code), self.market.rule
        people, place = np.unique(asked.code, return_inverse=True)
        bought = self._joined(asked.more)
        here = bought.where(np.isin(bought.shopper, people))
        rows = Purchases(np.searchsorted(people, here.shopper), here.visit, here.item, here.day)
        barred = excluded if excluded.ndim == 1 else excluded[np.unique(asked.code, return_index=True)[1]]
        score = self._score(bought, people, day)
        tables, last = rule.as_of(rows, len(people), day, score=score, excluded=barred)
        size = max(self.dataset.n_shoppers, int(people[-1]) + 1)
        market = with_shoppers(self.market, people, size, tables, last)
        core = BundleCore(
            market, self.user_model, self.config, n=n, shoppers=people, weeks=(0, self.dataset.n_weeks),
            seed=self.seed,
        )  # fmt: skip
        shopper, today = torch.from_numpy(asked.code), torch.full((n,), day, dtype=torch.int64)
        known = Records(*(t.to(core.device) for t in (shopper, today, torch.from_numpy(last[place]))))
        state = states_at_door(self.user_model, self.dataset, asked.model_code, day)
        core.place(_luck(asked.names, day).to(core.device), known, state)
        return core

    def pick(self, core: BundleCore, limits: Limits) -> Picked:
        """The policy's offers at the visits that are open in the core."""
        return pick(core, self._policy, limits)

    def _joined(self, more: Purchases) -> Purchases:
        parts = zip(vars(self._bought).values(), vars(more).values(), strict=True)
        return Purchases(*(np.concatenate(part) for part in parts)) if len(more.item) else self._bought

    def _score(self, bought: Purchases, people: np.ndarray, day: int) -> np.ndarray | None:
        """(n, I) how the run's recommender scores items for `people`; None where candidates are by shares."""
        if not self.config_candidates:
            return None
        model, before = self.experiment.recommender(self.config_candidates), bought.where(bought.day < day)
        n = max(self.dataset.n_shoppers, int(people[-1]) + 1)
        held_out = np.ones(n, dtype=bool)
        held_out[: self.dataset.n_shoppers] = self.dataset.split.held_out
        log = Interactions.from_columns(
            before.shopper, before.item, before.day, n_shoppers=n, n_items=self.dataset.n_items,
            visit=before.visit, held_out=held_out, content=model.log.content,
        )  # fmt: skip
        return model.over(log).score(people)

    @property
    def config_candidates(self) -> str:
        """The recommender whose best items become candidates; empty for shares of purchase lines."""
        return self.experiment.config.candidates

    def told(self, items: Sequence[int], discount: float, day: int) -> MadeOffer:
        """An offer of item codes in the log's own ids and names."""
        week = min(max(day // 7, 0), self.dataset.n_weeks - 1)
        ids, prices = self.dataset.items["item"], self.market.shelf_price[week].tolist()
        told = (OfferedItem(str(ids.iloc[i]), self.market.names[i], round(prices[i], 4)) for i in items)
        return MadeOffer(tuple(told), round(discount, 6))


def _luck(names: Sequence[str], day: int) -> Tensor:
    """(N,) int64, the episodes whose luck shoppers of these names have on a day."""
    digests = (hashlib.sha256(f"{day} {name}".encode()).digest()[:8] for name in names)
    return torch.tensor([int.from_bytes(d, "big", signed=True) for d in digests], dtype=torch.int64)
