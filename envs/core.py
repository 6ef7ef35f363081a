"""The one batched simulator: N shoppers, each with a twin, stepped pick by pick.

A pick inside a visit touches the partial bundle only. When an offer is made the shopper responds, the twin
lives the same visit with the same draws unoffered, time passes, and new candidates are retrieved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bundlegym.envs import compiled as compiled_parts
from bundlegym.envs import reference
from bundlegym.envs.arrays import (
    Array,
    Board,
    History,
    Limits,
    Records,
    Shop,
    Told,
    World,
    world_struct,
)
from bundlegym.envs.base import (
    CANDIDATE_FEATURES,
    COMPONENTS,
    CONTEXT_FEATURES,
    FIGURE_OF,
    Reward,
    StepResult,
    VisitRecord,
)
from bundlegym.envs.config import EnvConfig
from bundlegym.envs.forecasts import Forecasts
from bundlegym.envs.market import SHOPPER_FEATURES, Market
from bundlegym.envs.observations import Block, blocks_of
from bundlegym.envs.open_visits import OpenVisits, state_at_door
from bundlegym.envs.rewards import reward_of
from bundlegym.envs.stepped import Ended, Stepped
from bundlegym.errors import UserError
from bundlegym.user_models.base import Offer, State, UserModel
from bundlegym.user_models.response_checks import out_of_range, wrong_shapes
from bundlegym.user_models.rng.counter import Draws, first_episode

#: What a core holds beside its own tensors: views on the same memory, and functions.
_VIEWS = frozenset(("flat_features", "_ops", "_take", "_give", "_told", "_world", "_quiet"))
#: The core's own tensors that steps change, beside its records and the user model's state.
_MOVING = ("episode", "visit", "n_picks", "picks", "candidates", "picked", "features", "shopper_block",
           "context", "mask")  # fmt: skip
#: A slot's episodes are its number and multiples of this, so that they do not depend on N.
_NEXT_EPISODE = 1 << 32


class BundleCore:
    """See the module's docstring.

    Args:
        market: what the shop knows.
        user_model: who reacts.
        config: the offers an agent may make.
        n: shoppers simulated at once.
        shoppers: (P,) codes to draw episodes' shoppers from.
        weeks: half-open range of weeks; an episode starts in the first half of it.
        seed: of everything random; see `reseed`.
        reward: takes the place of the one that `config.reward` names.
        blocks: further blocks of the observation by name, after those of `config.observation`.
        compiled: run the hot parts compiled; None does so on the CPU.
    """

    features: Tensor
    flat_features: Tensor
    shopper_block: Tensor
    context: Tensor
    picked: Tensor

    def __init__(
        self,
        market: Market,
        user_model: UserModel,
        config: EnvConfig,
        *,
        n: int,
        shoppers: np.ndarray,
        weeks: tuple[int, int],
        seed: int | Sequence[int] = 0,
        reward: Reward | None = None,
        blocks: Mapping[str, Block] | None = None,
        compiled: bool | None = None,
    ) -> None:
        if len(shoppers) == 0:
            raise UserError("no shoppers to simulate: the list of shoppers is empty")
        self.market, self.user_model, self.config, self.n = market, user_model, config, n
        self.device = user_model.device
        # Those of the package itself give the shapes of the contract, as tests see to.
        self._shaped = type(user_model).__module__.startswith("bundlegym.user_models.")
        self.k, self.levels = config.n_candidates, len(config.discounts)
        (n_shoppers, listed), n_weeks = market.shortlist.shape, len(market.unit_cost)
        if self.k > listed:
            raise UserError(f"n_candidates {self.k}: the shortlist holds only {listed} items")
        if not 0 <= weeks[0] < weeks[1] <= n_weeks:
            raise UserError(f"weeks ({weeks[0]}, {weeks[1]}): must hold 0 <= first < end <= {n_weeks}")
        codes = np.asarray(shoppers, dtype=np.int64)
        if not 0 <= codes.min() <= codes.max() < n_shoppers:
            raise UserError(f"shoppers: codes must lie in 0..{n_shoppers - 1}")
        self.discounts = torch.tensor(config.discounts, device=self.device)
        self.shoppers = torch.as_tensor(codes, device=self.device)
        self.weeks = weeks
        self.rows = torch.arange(n, device=self.device)
        self._allocate(market)
        self._views(self.device.type == "cpu" if compiled is None else compiled)
        self._forecasts: Forecasts | None = None
        self.reward, self.blocks = reward or reward_of(config.reward), blocks_of(config.observation, blocks)
        self._of_reward = COMPONENTS if reward or ":" in config.reward else (config.reward,)
        self._reward_figure = None if reward else FIGURE_OF.get(config.reward)
        self.reseed(seed)

    def _allocate(self, m: Market) -> None:
        n, k, device = self.n, self.k, self.device

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self.episode, self.visit = zeros(n, dtype=torch.int64), zeros(n, dtype=torch.int64)
        self.n_picks = zeros(n, dtype=torch.int64)
        self.picks = zeros(n, self.config.max_size, dtype=torch.int64)
        self.candidates = zeros(n, k, dtype=torch.int64)
        self.picked, self.features = zeros(n, k), zeros(n, k, len(CANDIDATE_FEATURES))
        self.flat_features = self.features.flatten(1)
        self.shopper_block = zeros(n, len(SHOPPER_FEATURES) + 2)
        self.context = zeros(n, len(CONTEXT_FEATURES))
        self.mask = zeros(n, k + self.levels, dtype=torch.bool)
        self.records = Records(
            zeros(n, dtype=torch.int64),
            zeros(n, dtype=torch.int64),
            zeros(n, m.shortlist.shape[1], dtype=torch.int16),
        )
        self.state: State = {}
        self._nothing = zeros(n), zeros(n, dtype=torch.bool)

    def __getstate__(self) -> dict[str, Any]:
        """What lies in memory once; `_views` makes the rest of it anew."""
        return {name: value for name, value in vars(self).items() if name not in _VIEWS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.flat_features = self.features.flatten(1)
        self._views(self.compiled)

    def __deepcopy__(self, memo: dict[int, Any]) -> BundleCore:
        """A simulator that goes on from here by itself. What no step changes, the market and the user model,
        is not copied."""
        twin = object.__new__(type(self))
        memo |= {id(self): twin, id(self.market): self.market, id(self.user_model): self.user_model}
        if self._forecasts is not None:
            memo[id(self._forecasts.user_model)] = self._forecasts.user_model
        twin.__setstate__({name: deepcopy(value, memo) for name, value in self.__getstate__().items()})
        return twin

    def snapshot(self) -> dict[str, Tensor]:
        """Copies of all that steps change, by name: `restore` puts them into a core that was made alike, and
        both go on in the same way."""
        held = {name: getattr(self, name) for name in _MOVING}
        held |= {f"records.{name}": value for name, value in vars(self.records).items()}
        held |= {f"state.{name}": value for name, value in self.state.items()}
        return {"seed": torch.tensor(self.seed)} | {name: value.cpu().clone() for name, value in held.items()}

    def restore(self, held: Mapping[str, Tensor]) -> None:
        """Go on from what `snapshot` gave.

        Raises:
            KeyError, RuntimeError: it is of a core with other parts or sizes.
        """
        self.seed = int(held["seed"])
        for name in _MOVING:
            getattr(self, name).copy_(held[name])
        for name, value in vars(self.records).items():
            value.copy_(held[f"records.{name}"])
        self.state = {name: value.to(self.device) for name, value in _part(held, "state.").items()}
        self._forecasts = None

    def _views(self, compiled: bool) -> None:
        """The tensors as the hot parts take them: as they are, or as numpy arrays on the same memory."""
        self.compiled = compiled
        self._ops: Any = compiled_parts if compiled else reference
        self._take: Any = Tensor.numpy if compiled else _itself
        self._give: Any = torch.from_numpy if compiled else _itself
        self._told: Any = attrgetter("arrays" if compiled else "tensors")
        take, m, config = self._take, self.market, self.config
        board = Board(
            *(take(tensor) for tensor in (
                self.candidates, self.features, self.shopper_block, self.context, self.picked, self.mask,
                self.picks, self.n_picks, self.visit,
            ))
        )  # fmt: skip
        shop = Shop(*(take(getattr(m, name)) for name in Shop._fields))
        history = History(*(take(getattr(m, name)) for name in History._fields))
        shopper, day, last = (take(tensor) for tensor in vars(self.records).values())
        first, end = self.weeks
        starts = first * 7, max(1, (end - first + 1) // 2) * 7
        limits = Limits(config.visits, config.min_size, config.max_size, *starts)
        people, discounts, episode = take(self.shoppers), take(self.discounts), take(self.episode)
        world = World(board, shop, history, episode, shopper, day, last, people, discounts, limits)
        self._world: Any = world_struct(world) if compiled else world
        earned, ended = map(take, self._nothing)
        self._quiet = Stepped(earned, ended, ended, None)

    def reseed(self, seed: int | Sequence[int]) -> None:
        """Start over: `reset` must follow.

        Args:
            seed: one for all slots, which then live apart; or one a slot, each of which then lives like the
                only slot of a core with that seed.
        """
        if isinstance(seed, int):
            self.seed = seed
            self.episode.copy_(self.rows)
        else:
            self.seed = 0
            self.episode.copy_(torch.tensor([first_episode(int(s)) for s in seed]))

    # --- episodes ---------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Start a new episode in every slot."""
        self._begin(torch.ones_like(self.rows, dtype=torch.bool), 0)

    def restart(self, done: Tensor) -> None:
        """Begin new episodes in the slots of the mask `done` (N,)."""
        self._begin(done, _NEXT_EPISODE)

    def _begin(self, which: Tensor, ahead: int) -> None:
        """Go `ahead` to other episodes in the slots of the mask `which` (N,): a shopper and a first day are
        drawn, and the first visit is opened."""
        rows, shopper, day = self._ops.begin(self._take(which), ahead, self.seed, self._world)
        if len(rows):
            fresh = self.user_model.reset(self._give(shopper), self._give(day))
            self._move(rows, {name: torch.cat([value, value]) for name, value in fresh.items()})
            self._open(self._give(rows))

    def place(self, episode: Tensor, records: Records, state: State) -> None:
        """Open a visit of given shoppers in all slots, whom nothing is drawn for.

        Args:
            episode: (N,) int64, whose luck decides on candidates.
            records: what the shop knows of each.
            state: of the user model, N rows.
        """
        self.episode.copy_(episode)
        self.visit.zero_()
        for mine, given in zip(vars(self.records).values(), vars(records).values(), strict=True):
            mine.copy_(given)
        self._move(self._take(self.rows), {name: torch.cat([value, value]) for name, value in state.items()})
        self._open(self.rows)

    def _both(self, rows: Array) -> Tensor:
        """(2M,) where in the state the shoppers of the slots `rows` (M,) are, then their twins."""
        own = self._give(rows)
        return torch.cat([own, own + self.n])

    def _move(self, rows: Array, state: State) -> None:
        """Put the shoppers of the slots `rows` (M,), then their twins, into a state (2M rows)."""
        if len(rows) == self.n:
            self.state = state
            return
        at = self._take(self._both(rows))
        for name, value in state.items():
            self._take(self.state[name])[at] = self._take(value)

    def _open(self, rows: Tensor) -> None:
        """Retrieve candidates and describe them: the work of a visit's boundary."""
        self._ops.open_visits(self._take(rows), self.seed, self._world)
        if self._forecasts is not None:
            self._forecast(self._forecasts, rows)

    def _forecast(self, forecasts: Forecasts, rows: Tensor) -> None:
        """What the forecaster knows of the shoppers who are at the door in the slots `rows` (M,)."""
        shopper, day = self.records.shopper[rows], self.records.day[rows]
        model, luck = forecasts.user_model, forecasts.luck(self.episode[rows], self.visit[rows])
        state = state_at_door(model, self.user_model, self.state, rows, shopper, day)
        forecasts.open(rows, OpenVisits(model, self.market, state, day, luck), self.candidates[rows])

    def take_back(self) -> None:
        """Empty the bundles of all open visits."""
        self._open(self.rows)

    def draws(self, rows: Tensor) -> Draws:
        """The luck of the visits now open in the slots `rows` (M,)."""
        return Draws(self.seed, self.episode.index_select(0, rows), self.visit.index_select(0, rows))

    # --- what an agent sees -----------------------------------------------------------------------------

    def observe(self, rows: Tensor | None = None) -> dict[str, Tensor]:
        """Blocks (N, width) by name, or those of some rows; without rows they change with the next step."""
        blocks = {name: block(self) for name, block in self.blocks.items()}
        return blocks if rows is None else {name: block[rows] for name, block in blocks.items()}

    def masks(self) -> Tensor:
        """(N, K + D) bool, the legal actions: no repeats, bundle sizes within bounds, nothing at level 0.

        It changes with the next step.
        """
        return self.mask

    @property
    def forecasts(self) -> Forecasts:
        """What the block `forecasts` holds, by `user_model` unless `forecast_by` names another. They are made
        when they are first asked for, and kept up to date from then on."""
        return self._forecasts or self.forecast_by(self.user_model)

    def forecast_by(self, user_model: UserModel) -> Forecasts:
        """Whose forecasts the block shows from now on. Those of the model that reacts make an agent partly an
        oracle.

        Raises:
            UserError: the observation has no such block.
        """
        if "forecasts" not in self.config.observation:
            named = ", ".join(self.config.observation)
            raise UserError(f"observation: forecasts are asked for, and it has only {named}")
        if self._forecasts is None or self._forecasts.user_model is not user_model:
            self._forecasts = Forecasts(user_model, self.market, self.config, self.n)
            if self.state:  # before the first reset nobody is at the door
                self._forecast(self._forecasts, self.rows)
                self._forecasts.pick(self.rows, self.picked)
        return self._forecasts

    # --- a step -----------------------------------------------------------------------------------------

    def step(self, action: Tensor) -> StepResult:
        """Add a candidate or make the offer, (N,) int64; ended episodes stay until `restart`.

        `LEAVE` lets a slot be.

        Raises:
            ValueError: an action is outside the mask.
        """
        give, (reward, terminated, truncated, ended) = self._give, self.act(self.as_given(action))
        record = None if ended is None else self.record_of(ended)
        return StepResult(give(reward), give(terminated), give(truncated), record)

    def as_given(self, action: Tensor) -> Array:
        """An action, (N,) int64, as `act` takes it: on the same memory."""
        return self._take(action)

    def act(self, action: Array) -> Stepped:
        """`step`, of what the hot parts take, giving what they give: arrays where they are compiled."""
        illegal, made = self._ops.pick(action, self._world)
        if illegal >= 0:
            raise ValueError(
                f"environment {illegal}: action {int(action[illegal])} is masked; see action_masks()"
            )
        if self._forecasts is not None:
            given = self._give(action)
            self._forecasts.pick(((given >= 0) & (given < self.k)).nonzero()[:, 0], self.picked)
        return self._visit(action, made) if made else self._quiet

    def _visit(self, action: Array, made: int) -> Stepped:
        """Shoppers and twins live the visits of the `made` offers among the actions (N,); the state moves to
        the door of the next ones. The reward is averaged over `reward_draws` draws of luck."""
        give = self._give
        whose, items, discount, luck = self._ops.offers(action, made, self._world)
        rows, offer = whose[0], Offer(give(items), give(discount))
        draws, state = Draws(self.seed, give(luck[0]), give(luck[1])), self.state
        if made < self.n:
            both = self._both(rows)
            state = {name: value.index_select(0, both) for name, value in state.items()}
        known = state, offer, whose, discount
        ended, told, after = self._answer(draws, *known)
        self._move(rows, after)
        reward = self._rewarded(ended)
        if self.config.reward_draws > 1:
            others = [draws.other(number) for number in range(1, self.config.reward_draws)]
            rewards = [reward, *(self._rewarded(self._answer(other, *known)[0]) for other in others)]
            reward = self._take(torch.stack([*map(give, rewards)]).mean(0))
        done = told.left, told.row, told.item, told.days
        earned, over, late = self._ops.move_on(whose, reward, *done, self.seed, self._world)
        if self._forecasts is not None:
            self._forecast(self._forecasts, give(rows))
        return Stepped(earned, over, late, ended)

    def record_of(self, ended: Ended) -> VisitRecord:
        """What `act` says of visits that ended, as `step` says it."""
        return VisitRecord(self._give(ended.whose), ended.made, ended.both, self._give(ended.figures))

    def _answer(
        self, draws: Draws, state: State, offer: Offer, whose: Array, discount: Array
    ) -> tuple[Ended, Told, State]:
        """What the user model answers, also as the hot parts take it; a `UserError` where these cannot look
        it up."""
        response, after = self.user_model.respond(state, offer, draws)
        n = 2 * whose.shape[1]
        wrong = [] if self._shaped else list(wrong_shapes(response, n))
        if not wrong:
            told = Told(*self._told(response))
            fine, figures = self._ops.reckon(whose, discount, *told[:-1], self._world)
            if fine:
                return Ended(whose, offer, response, figures), told, after
            wrong = list(out_of_range(response, n, len(self.market.category)))
        raise UserError(f"user model {type(self.user_model).__name__}: {'; '.join(wrong)}")

    def _rewarded(self, ended: Ended) -> Array:
        """(M,) float, of M visits; a `UserError` where the reward is not one finite number a visit."""
        if self._reward_figure is not None:
            return ended.figures[self._reward_figure]
        record = self.record_of(ended)
        reward = self.reward(record.components(self._of_reward)).detach().float()
        if reward.shape not in ((), (1,), (len(record),)):
            raise UserError(
                f"reward: its shape is {tuple(reward.shape)}; it must be ({len(record)},), one a visit"
            )
        if not bool(torch.isfinite(reward).all()):
            raise UserError("reward: it is not finite")
        return self._take(reward.expand(len(record)))


def _part(held: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """What of a snapshot begins with `prefix`, under its own names."""
    return {name.removeprefix(prefix): value for name, value in held.items() if name.startswith(prefix)}


def _itself(tensor: Tensor) -> Tensor:
    return tensor
