"""`BundlePolicy`: the agents of a run, and the planner, outside the simulator."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from bundlegym.agents.base import Policy
from bundlegym.agents.planner import Planner
from bundlegym.deployment.answers import luck_of
from bundlegym.deployment.at_door import states_at_door
from bundlegym.deployment.core_visits import CoreVisits
from bundlegym.deployment.ledger import Asked, Ledger
from bundlegym.deployment.recommending import Recommending
from bundlegym.envs import BundleCore, with_shoppers
from bundlegym.envs.arrays import Records
from bundlegym.errors import UserError
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.training import learned
from bundlegym.recommenders import Interactions
from bundlegym.recommenders.dirichlet_shares import counted
from bundlegym.recommenders.shopper_tables import Purchases
from bundlegym.threads import one_thread

PLANNER = "planner"


class BundlePolicy(Recommending):
    """Offers to shoppers by what they bought, from a run's agent or its planner.

    `BundlePolicy.load("runs/NAME").recommend("1234")` is an offer to shopper 1234 on the day after the log's
    last; `recommend(table)` is one to anybody, `table` holding what they bought. What the shop knows of a
    shopper is made anew from their purchases before the day, by the rule that the agent was trained with
    (`recommenders.shopper_tables`), so that a shopper of the log and a stranger with the same purchases and
    name are told the same by an agent. Among candidates there is luck, as in training: it hangs on the
    shopper's name, the day and the seed, and on nothing else.

    A user model knows only the shoppers of the log. Where it is asked, by the planner or for a block of
    forecasts, a stranger is taken for the shopper of the log who shares out purchases over categories most
    alike; candidates and prices are the stranger's own.

    Attributes:
        experiment: the run.
        ledger: the shop's books.
        name: of the policy: that of an agent, or `planner`.
        exposure: the assumption on what being offered does by itself, under which it was trained, or plans.
        seed: of the luck.
        model: the Stable-Baselines3 model of an agent; None for the planner.
    """

    def __init__(
        self,
        experiment: Experiment,
        name: str,
        policy: Policy,
        exposure: float,
        *,
        seed: int = 0,
        model: object = None,
    ) -> None:
        self.experiment, self.name, self.exposure, self.seed = experiment, name, exposure, seed
        self.dataset, self.market, self.model = experiment.dataset, experiment.market, model
        self.user_model, self.config = experiment.user_models[exposure], experiment.env
        self.ledger = Ledger.of(self.dataset, self.market.rule, self.market.names)
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
            trust_code: as in `evaluation.run_folder.read_config`.
            cache_dir: the same.

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
            return BundlePolicy(experiment, name, Planner(experiment.user_models[under]), under, seed=seed)
        model = experiment.trained(Job(name, agent_seed, under))
        return BundlePolicy(experiment, name, learned(model), under, seed=seed, model=model)

    recommend = one_thread()(Recommending.recommend)

    def open(self, asked: Asked, day: int, excluded: np.ndarray) -> CoreVisits:
        """The shoppers who are asked for, at the door on `day` of a simulator, with their candidates before
        them; nobody reacts.

        Args:
            excluded: (N, I) or (I,) bool, what no candidate may be.

        Raises:
            UserError: too few items are left.
        """
        self.ledger.check_left(excluded, self.config.n_candidates)
        stands = self.ledger.standing(asked, day, excluded, self._score(asked, day))
        size = max(self.dataset.n_shoppers, int(asked.code.max()) + 1)
        market = with_shoppers(self.market, asked.code, size, stands.tables, self._vectors(asked, day))
        core = BundleCore(
            market, self.user_model, self.config, n=len(asked.code), shoppers=asked.code,
            weeks=(0, self.dataset.n_weeks), seed=self.seed,
        )  # fmt: skip
        today = np.full(len(asked.code), day, dtype=np.int64)
        known = (asked.code, today, stands.last)
        state = states_at_door(self.user_model, self.dataset, self.model_codes(asked), day)
        core.place(self._tensor(luck_of(asked.names, day)), Records(*map(self._tensor, known)), state)
        return CoreVisits(core, self._policy, *self.ledger.prices(day))

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.user_model.device)

    def model_codes(self, asked: Asked) -> np.ndarray:
        """(N,) by whose codes a user model knows those who are asked for: their own, or that of the shopper
        of the log whose shares of purchase lines by category are the nearest (Hellinger distance)."""
        codes = asked.code.copy()
        for row in np.flatnonzero(codes >= self.dataset.n_shoppers):
            item = asked.more.item[asked.more.shopper == codes[row]]
            counts = np.bincount(item, minlength=self.dataset.n_items).astype(np.float32)
            _, share = self.market.rule.averages.shares(counts[None])
            codes[row] = ((self._category_shares - np.sqrt(share)) ** 2).sum(1).argmin()
        return codes

    @cached_property
    def _category_shares(self) -> np.ndarray:
        """(S, C) square roots of the log's shoppers' shares of lines by category."""
        bought, averages = self.ledger.bought, self.market.rule.averages
        counts = counted(bought.shopper, bought.item, (self.dataset.n_shoppers, self.dataset.n_items))
        return np.sqrt(averages.category_shares(averages.lines_by_category(counts)))

    def _vectors(self, asked: Asked, day: int) -> np.ndarray | None:
        """(N, V) the block `shopper_embedding`; None where agents see none."""
        if (rule := self.experiment.shopper_vectors) is None:
            return None
        return rule.as_of(self.ledger.bought_by(asked), len(asked.code), day)

    def _score(self, asked: Asked, day: int) -> np.ndarray | None:
        """(N, I) how the run's recommender scores items; None where candidates are by shares of lines."""
        name = self.experiment.config.candidates
        if not name:
            return None
        model, bought = self.experiment.recommender(name), self.ledger.bought.joined(asked.more)
        before: Purchases = bought.where(bought.day < day)
        held_out = np.ones(max(self.dataset.n_shoppers, int(asked.code.max()) + 1), dtype=bool)
        held_out[: self.dataset.n_shoppers] = self.dataset.split.held_out
        log = Interactions.from_columns(
            before.shopper, before.item, before.day, n_shoppers=len(held_out), n_items=self.dataset.n_items,
            visit=before.visit, held_out=held_out, content=model.log.content,
        )  # fmt: skip
        return model.over(log).score(asked.code)
