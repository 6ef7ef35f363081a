"""The best that can be done with planted shoppers: dynamic programming over all their states and offers.

A `PlantedShopper` is known by type, by how tired of offers they are, and by what they bought at the last
visit of the few items whose purchase carries over. Every offer is tried in every such state on the same D
draws of luck, which gives what the visit earns and where the shopper is at the next one; then

    V_0 = 0,    V_h(state) = max over offers of  mean over draws of  margin + V_{h-1}(next state)

(Bellman 1957). Since the twin's margin does not depend on offers, what is best for the margin is best for the
incremental margin. The best offers on D draws do on these draws no worse than those that are truly best, so
`value` is on average a bound from above, and `value_of` the same offers on other draws is one from below; but
for a bias of order 1 / D where several visits are looked at, since all of them have the same draws.
"""

from __future__ import annotations

import itertools
from functools import cached_property

import torch
from torch import Tensor

from bundlegym.agents.margins import margin_of
from bundlegym.agents.planner.policy import Plan, actions_of
from bundlegym.envs import BundleCore, EnvConfig, Market
from bundlegym.user_models.base import Offer, State
from bundlegym.user_models.planted import PlantedShopper
from bundlegym.user_models.rng.counter import Draws

#: Nobody would take it as the seed of a simulation: this luck must not be that of the visits.
_SEED = 7_046_029_254_386_353
#: Visits simulated at once.
_ROWS = 1 << 15


class Optimum:
    """A policy `optimum(core) -> actions (N,)`, in a core of planted shoppers whose every item is a
    candidate.

    Args:
        shopper: who reacts in the core.
        market: of the core; its first week's costs, which are those of all weeks.
        config: of the core.
        ahead: visits that it looks at, this one among them; by default all that are left of the episode. 1
            is the *myopic* optimum.
        draws: D of the module's docstring.
        seed: of their luck.
    """

    def __init__(
        self,
        shopper: PlantedShopper,
        market: Market,
        config: EnvConfig,
        *,
        ahead: int | None = None,
        draws: int = 1024,
        seed: int = 0,
    ) -> None:
        self.shopper, self.market, self.config = shopper, market, config
        self.draws, self.seed = draws, seed
        self.ahead = ahead or config.visits
        #: Items whose purchase at the last visit matters.
        self.carried = (
            shopper.price[:0].long() if shopper.carryover is None else shopper.carryover.nonzero()[:, 0]
        )
        self.items, self.level = _all_offers(len(shopper.price), config)

    def looking(self, ahead: int) -> Optimum:
        """The same, looking at `ahead` visits; what was tried is not tried again."""
        other = Optimum(self.shopper, self.market, self.config, ahead=ahead, draws=self.draws, seed=self.seed)
        other.tried = self.tried
        return other

    def __call__(self, core: BundleCore) -> Tensor:
        plan = self.plan(core)
        return actions_of(plan, core.k)[core.rows, core.n_picks]

    def plan(self, core: BundleCore) -> Plan:
        """What to offer at the open visits."""
        left = (self.config.visits - core.visit).clamp(1, self.ahead)
        state = self.code({name: value[core.rows] for name, value in core.state.items()})
        best = self.best[left - 1, state]
        items, none = self.items[best], torch.zeros(core.n)
        place = (items[:, :, None] == core.candidates[:, None]).long().argmax(2)
        return Plan(torch.where(items < 0, -1, place), self.level[best], none, none)

    # --- states -------------------------------------------------------------------------------------------

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """How many types there are, how many degrees of being tired, and sets of carried items."""
        return len(torch.atleast_2d(self.shopper.utility)), len(self.shopper.left), 1 << len(self.carried)

    def code(self, state: State) -> Tensor:
        """(N,) the number of each state."""
        types, tired, sets = self._sizes
        bought = (state["bought"][:, self.carried] << torch.arange(len(self.carried))).sum(1)
        return (state["shopper"] % types * tired + state["offers"]) * sets + bought

    def states(self) -> State:
        """One of each, S rows, by number."""
        types, tired, sets = self._sizes
        code = torch.arange(types * tired * sets)
        bought = torch.zeros(len(code), len(self.shopper.price), dtype=torch.bool)
        bought[:, self.carried] = (code[:, None] % sets >> torch.arange(len(self.carried)) & 1) > 0
        return {
            "shopper": code // (tired * sets),
            "day": torch.zeros_like(code),
            "bought": bought,
            "offers": code // sets % tired,
        }

    # --- dynamic programming ------------------------------------------------------------------------------

    @cached_property
    def tried(self) -> tuple[Tensor, Tensor]:
        """(S, A) mean margin of each state under each offer, and (S, A, D) the number of the state after."""
        states, offers, d = self.states(), len(self.items), self.draws
        margin = torch.empty(len(states["day"]), offers)
        after = torch.empty(len(states["day"]), offers, d, dtype=torch.int32)
        luck, discounts = torch.arange(d), torch.tensor(self.config.discounts)
        for s in range(len(margin)):
            for part in torch.arange(offers).split(max(1, _ROWS // d)):
                n = len(part) * d
                state = {name: value[s].expand(n, *value.shape[1:]) for name, value in states.items()}
                offer = Offer(
                    self.items[part].repeat_interleave(d, 0),
                    discounts[self.level[part]].repeat_interleave(d),
                )
                draws = Draws(_SEED + self.seed, luck.repeat(len(part)), torch.zeros_like(state["day"]))
                response, new = self.shopper.respond(state, offer, draws)
                margin[s, part] = margin_of(self.market, response, state["day"]).reshape(-1, d).mean(1)
                after[s, part] = self.code(new).reshape(-1, d).int()
        return margin, after

    @cached_property
    def _solved(self) -> tuple[Tensor, Tensor]:
        margin = self.tried[0]
        value, best = torch.zeros(self.ahead + 1, len(margin)), torch.zeros(self.ahead, len(margin)).long()
        for h in range(self.ahead):
            value[h + 1], best[h] = (margin + self._later(value[h])).max(1)
        return value, best

    def _later(self, value: Tensor) -> Tensor:
        """(S, A) mean over draws of the value (S,) of the state after each offer."""
        after = self.tried[1]
        return torch.stack([value[row.long()].mean(1) for row in after])

    @property
    def best(self) -> Tensor:
        """(`ahead`, S) the best offer with 1, 2, ... visits left, as a row of `items` and `level`; of equals
        the first, and no offer is the first of all."""
        return self._solved[1]

    @property
    def value(self) -> Tensor:
        """(`ahead` + 1, S) expected margin with 0, 1, ... visits left under the best offers."""
        return self._solved[0]

    def value_of(self, best: Tensor) -> Tensor:
        """(H + 1, S) expected margin with 0, 1, ..., H visits left under the offers `best` (H, S), of another
        `Optimum`, say, on the draws of this one."""
        margin, after = self.tried
        every, value = torch.arange(len(margin)), torch.zeros(len(best) + 1, len(margin))
        for h, offer in enumerate(best):
            later = value[h][after[every, offer].long()]
            value[h + 1] = margin[every, offer] + later.mean(1)
        return value

    def gain(self, core: BundleCore, best: Tensor | None = None) -> Tensor:
        """(N,) expected incremental margin of the whole episodes that now begin in the slots of a core, under
        the best offers, or `best` (visits, S)."""
        state = self.code({name: value[core.rows] for name, value in core.state.items()})
        value = self.value if best is None else self.value_of(best)
        return (value - self.value_of(torch.zeros_like(self.best)))[self.config.visits, state]


def _all_offers(n_items: int, config: EnvConfig) -> tuple[Tensor, Tensor]:
    """(A, B) item codes, -1 where a bundle is smaller, and (A,) discount levels; nothing comes first."""
    bundles = [()] + [
        bundle
        for size in range(config.min_size, config.max_size + 1)
        for bundle in itertools.combinations(range(n_items), size)
    ]
    rows = [
        ([*bundle, *[-1] * (config.max_size - len(bundle))], level)
        for bundle in bundles
        for level in range(len(config.discounts) if bundle else 1)
    ]
    items, level = zip(*rows, strict=True)
    return torch.tensor(items), torch.tensor(level)
