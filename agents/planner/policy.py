"""The planner: at each visit the offer with the greatest expected incremental margin under a fitted model.

It needs no learning and can be deployed as it stands: it knows the shopper's history and the shop's prices,
and integrates over luck with draws of its own, the same for all offers that it compares. Four steps, with D
draws:

1. *Search*: the direct effect of all pairs at all discount levels in closed form (`direct_gains`), on D
   draws; the few candidates of the best pairs stay.
2. *Search among these*: all pairs, and what grows from them, on 8 D fresh draws; a few finalists.
3. *Choice*: the finalists are simulated, the rest of the basket included, on D fresh draws.
4. *Test*: the best of them is simulated on 4 D fresh draws. It is offered if what the offered items
   themselves earn more is above zero by more than `errors` standard errors, and the gain of the whole visit
   is not below zero by as many.

What was chosen on some draws looks better on them than it is (the winner's curse); each step therefore has
draws of its own. The test has two parts because luck moves the rest of the basket much more than an offer
does: by the gain of the whole visit alone, a good offer could be told from a useless one on many more draws
only. It looks at one visit only; habits, stocks and wear-out are nothing to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bundlegym.agents.planner.search import Effort, Finalists, find_finalists
from bundlegym.agents.planner.simulated_gains import Gains, simulated_parts
from bundlegym.agents.planner.ties import first_best
from bundlegym.envs import BundleCore, EnvConfig
from bundlegym.envs.open_visits import OpenVisits, state_at_door
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.rng.counter import Draws

#: Nobody would take it as the seed of a simulation: the planner's luck must not be that of the visit.
_SEED = 6_148_914_691_236_517
#: Draws of the second search and of the test, as multiples of those of the first search.
_MORE, _TEST = 8, 4


@dataclass(frozen=True)
class Plan:
    """What to offer at M visits.

    Attributes:
        picks: (M, B) places among the candidates, -1 where the bundle is smaller; all -1 for no offer.
        level: (M,) int64 of the discount.
        gain, error: (M,) float, expected incremental margin of the visit and its standard error, 0 for no
            offer. Those who choose by it must estimate anew.
    """

    picks: Tensor
    level: Tensor
    gain: Tensor
    error: Tensor


class Planner:
    """A policy `planner(core) -> actions (N,)`; it plans a whole bundle when a visit opens.

    Args:
        user_model: that it plans with, which need not be the one that reacts. Where it is, the planner goes
            by the shopper's state in the core, so by all that the shopper did in the episode. Where it is
            not, the planner knows the shopper by the log until that day, as `UserModel.reset` gives it, and
            by the offers of the episode, where both models remember them (`user_models.choice.exposures`):
            purchases of the episode's earlier visits are not known to it.
        draws: of luck, as the module says.
        kept: candidates that are searched on more draws.
        finalists: offers a visit that are simulated in full.
        errors: standard errors of the test. More than 1 demands that more than one draw speaks for the offer:
            where only one does, the mean is one standard error.
        seed: of the planner's own luck.
    """

    def __init__(
        self,
        user_model: UserModel,
        *,
        draws: int = 128,
        kept: int = 12,
        finalists: int = 2,
        errors: float = 1.05,
        seed: int = 0,
    ) -> None:
        if draws < 2 or finalists < 1:
            raise ValueError(f"draws {draws}, finalists {finalists}: at least 2 and 1")
        self.user_model, self.draws, self.finalists = user_model, draws, finalists
        self.kept, self.errors, self.seed = kept, errors, _SEED + seed
        self._actions = torch.zeros(0, 0, dtype=torch.int64)

    def __call__(self, core: BundleCore) -> Tensor:
        if len(self._actions) != core.n:
            shape = core.n, core.config.max_size + 1
            self._actions = torch.zeros(shape, dtype=torch.int64, device=core.device)
        rows = core.rows[core.n_picks == 0]
        if len(rows):
            self._actions[rows] = actions_of(self.plan(core, rows), core.k)
        return self._actions[core.rows, core.n_picks]

    def plan(self, core: BundleCore, rows: Tensor) -> Plan:
        """What to offer at the visits now open in the slots `rows` (M,)."""
        return self.plan_visits(self.open_visits(core, rows), core.candidates[rows], core.config)

    def open_visits(self, core: BundleCore, rows: Tensor) -> OpenVisits:
        """What the planner knows of the shoppers in the slots `rows` (M,)."""
        shopper, day = core.records.shopper[rows], core.records.day[rows]
        state = state_at_door(self.user_model, core.user_model, core.state, rows, shopper, day)
        draws = Draws(self.seed, core.episode[rows], core.visit[rows])
        return OpenVisits(self.user_model, core.market, state, day, draws)

    def plan_visits(self, visits: OpenVisits, candidates: Tensor, config: EnvConfig) -> Plan:
        """What to offer to shoppers at the door, of `candidates` (M, K) item codes."""
        m, device, d = len(candidates), candidates.device, self.draws
        kept = min(max(self.kept, config.max_size), config.n_candidates)
        first, second, choice, test = _apart(d, _MORE * d, d, _TEST * d)
        found = find_finalists(visits, candidates, config, Effort(first, second, kept, self.finalists))
        picks = torch.full((m, config.max_size), -1, dtype=torch.int64, device=device)
        plan = Plan(picks, picks[:, 0] * 0, torch.zeros(m, device=device), torch.zeros(m, device=device))
        hopeful = (found.picks[:, 0, 0] >= 0).nonzero()[:, 0]
        if not len(hopeful):
            return plan
        gains = _simulate(visits, candidates, config, found, hopeful, choice).visit.mean(2)
        gains = gains.masked_fill(found.picks[hopeful, :, 0] < 0, -torch.inf)
        _, best = first_best(gains, 1)
        chosen = Finalists(found.picks[hopeful, best][:, None], found.level[hopeful, best][:, None])
        every = torch.arange(len(hopeful), device=device)
        some = visits.some(hopeful), candidates[hopeful]
        tested = _simulate(*some, config, chosen, every, test)
        (mean, error), (direct, direct_error) = (_mean_and_error(gain[:, 0]) for gain in tested)
        pays = (direct > self.errors * direct_error) & (mean > -self.errors * error)
        at = hopeful[pays]
        plan.picks[at], plan.level[at] = chosen.picks[pays, 0], chosen.level[pays, 0]
        plan.gain[at], plan.error[at] = mean[pays], error[pays]
        return plan


def _simulate(
    visits: OpenVisits, candidates: Tensor, config: EnvConfig, offers: Finalists, rows: Tensor, numbers: range
) -> Gains:
    """Of the offers of the visits `rows` (R,)."""
    picks = offers.picks[rows]
    discount = torch.tensor(config.discounts, device=picks.device)[offers.level[rows]]
    return simulated_parts(visits.some(rows), items_of(candidates[rows], picks), discount, numbers)


def _mean_and_error(gain: Tensor) -> tuple[Tensor, Tensor]:
    """(R,) each, of gains (R, D): the mean, and its standard error."""
    return gain.mean(1), gain.std(1) / gain.shape[1] ** 0.5


def items_of(candidates: Tensor, picks: Tensor) -> Tensor:
    """Item codes (M, ..., B) of `picks` (M, ..., B) among `candidates` (M, K); -1 stays -1."""
    flat = picks.flatten(1)
    return torch.where(flat < 0, -1, candidates.gather(1, flat.clamp(min=0))).reshape(picks.shape)


def actions_of(plan: Plan, k: int) -> Tensor:
    """(M, B + 1) actions from an empty bundle to the offer: the picks, then the discount level."""
    end = (k + plan.level)[:, None]
    return torch.cat([torch.where(plan.picks < 0, end, plan.picks), end], 1)


def _apart(*counts: int) -> list[range]:
    """Numbers of draws one after the other, from 1."""
    ranges, first = [], 1
    for count in counts:
        ranges.append(range(first, first + count))
        first += count
    return ranges
