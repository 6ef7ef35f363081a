"""The one batched simulator: N shoppers, each with a twin, stepped pick by pick.

A pick inside a visit touches the partial bundle only. When an offer is made the shopper responds, the twin
lives the same visit with the same draws unoffered, time passes, and new candidates are retrieved.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bundlegym.envs.base import (
    CANDIDATE_FEATURES,
    FEATURE_LIMIT,
    LIFT,
    EnvConfig,
    StepResult,
    VisitRecord,
)
from bundlegym.envs.market import SHOPPER_FEATURES, Market
from bundlegym.errors import UserError
from bundlegym.user_models.base import Offer, Response, State, UserModel
from bundlegym.user_models.draws import Draws

# Streams of the core's own draws; a user model numbers its own from 0.
_SHOPPER, _START, _RETRIEVAL = 100, 101, 102
#: Spread of the noise in retrieval: it lets items outside the top K become candidates on some visits.
_RETRIEVAL_NOISE = 0.5


class BundleCore:
    """See the module's docstring.

    Args:
        market: what the shop knows.
        user_model: who reacts.
        config: the offers an agent may make.
        n: shoppers simulated at once.
        shoppers: (P,) codes to draw episodes' shoppers from.
        weeks: half-open range of weeks; an episode starts in the first half of it.
        seed: of everything random.
    """

    def __init__(
        self,
        market: Market,
        user_model: UserModel,
        config: EnvConfig,
        *,
        n: int,
        shoppers: np.ndarray,
        weeks: tuple[int, int],
        seed: int = 0,
    ) -> None:
        if len(shoppers) == 0:
            raise UserError("no shoppers to simulate: the list of shoppers is empty")
        self.market, self.user_model, self.config, self.n = market, user_model, config, n
        self.device = user_model.device
        self.k, self.levels = config.candidates, len(config.discounts)
        if self.k > market.shortlist.shape[1]:
            raise UserError(
                f"candidates {self.k}: the shortlist holds only {market.shortlist.shape[1]} items"
            )
        self.discounts = torch.tensor(config.discounts, device=self.device)
        self.shoppers = torch.as_tensor(np.asarray(shoppers, dtype=np.int64), device=self.device)
        self.weeks = weeks
        self.rows = torch.arange(n, device=self.device)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start over: `reset` must follow."""
        self.seed = seed
        self.episode = self.rows.clone()

    # --- episodes ---------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Start a new episode in every slot."""
        n, k, size = self.n, self.k, self.config.max_size
        self.visit = torch.zeros(n, dtype=torch.int64, device=self.device)
        self.picks = torch.full((n, size), -1, dtype=torch.int64, device=self.device)
        self.n_picks = torch.zeros(n, dtype=torch.int64, device=self.device)
        self.picked = torch.zeros(n, k, device=self.device)
        self.candidates = torch.zeros(n, k, dtype=torch.int64, device=self.device)
        self.features = torch.zeros(n, k, len(CANDIDATE_FEATURES), device=self.device)
        self.shopper_block = torch.zeros(n, len(SHOPPER_FEATURES) + 2, device=self.device)
        self.state: State = {}
        self._begin(self.rows)

    def _begin(self, rows: Tensor) -> None:
        """Draw a shopper and a first day for the episodes in `rows`, and open the first visit."""
        self.visit[rows] = 0
        draws = self._draws(rows)
        pick = (draws.uniform(_SHOPPER) * len(self.shoppers)).long()
        shopper = self.shoppers[pick]
        first, end = self.weeks
        span = max(1, (end - first + 1) // 2) * 7
        day = first * 7 + (draws.uniform(_START) * span).long()
        fresh = self.user_model.reset(shopper, day)
        last = self.market.last[day // 7, shopper].long()
        fresh = {**fresh, "_shop_last": last, "_shop_shopper": shopper, "_shop_day": day}
        if not self.state:
            self.state = {name: value.clone() for name, value in fresh.items()}
            self.twin = {name: value.clone() for name, value in fresh.items()}
        for name, value in fresh.items():
            self.state[name][rows] = value
            self.twin[name][rows] = value
        self._open_visit(rows)

    def _open_visit(self, rows: Tensor) -> None:
        """Retrieve candidates and describe them: the work of a visit's boundary."""
        m, draws = self.market, self._draws(rows)
        shopper, day = self.state["_shop_shopper"][rows], self.state["_shop_day"][rows]
        week = (day // 7).clamp(0, len(m.shelf_price) - 1)[:, None]
        shortlist = m.shortlist[shopper]
        score = m.log_share[shopper] + _RETRIEVAL_NOISE * draws.gumbel(_RETRIEVAL, shortlist)
        slot = score.topk(self.k, dim=1).indices
        items = shortlist.gather(1, slot)
        last = self.state["_shop_last"][rows].gather(1, slot)
        overdue = (day[:, None] - last) / m.interval[shopper].gather(1, slot)
        price, cost = m.shelf_price[week, items], m.unit_cost[items]
        columns = [
            m.log_share[shopper].gather(1, slot) / 2 + 3,
            torch.log(price),
            torch.log(m.list_price[week, items] / price) * 4,
            price - cost,
            (price - cost) / price * 2,
            m.display[week, items],
            m.mailer[week, items],
            (last >= 0).float(),
            torch.where(last >= 0, torch.log(overdue.clamp(0.05, 20)), 0.0),
            torch.log(m.popularity[items]) / 2 + 4,
            torch.zeros_like(price),
        ]
        self.candidates[rows] = items
        self.features[rows] = torch.cat([torch.stack(columns, 2), m.embedding[items]], 2).clamp(
            -FEATURE_LIMIT, FEATURE_LIMIT
        )
        angle = week[:, 0] * (2 * torch.pi / 52)
        season = torch.stack([torch.sin(angle), torch.cos(angle)], 1)
        self.shopper_block[rows] = torch.cat([m.shopper_features[shopper], season], 1)
        self.picks[rows] = -1
        self.n_picks[rows] = 0
        self.picked[rows] = 0.0

    def _draws(self, rows: Tensor) -> Draws:
        return Draws(self.seed, self.episode[rows], self.visit[rows])

    # --- what an agent sees -----------------------------------------------------------------------------

    def observe(self) -> dict[str, Tensor]:
        """Blocks (N, width): shopper, candidates (K features flattened), context and picked."""
        chosen = self.picked[:, :, None] * self.features
        context = torch.stack(
            [
                1 - self.visit / self.config.visits,
                self.n_picks / self.config.max_size,
                (self.picked * torch.exp(self.features[:, :, 1])).sum(1) / 10,
                chosen[:, :, 3].sum(1) / 4,
                chosen[:, :, LIFT].sum(1) / 4,
            ],
            1,
        )
        return {
            "shopper": self.shopper_block,
            "context": context.float().clamp(-FEATURE_LIMIT, FEATURE_LIMIT),
            "candidates": self.features.flatten(1),
            "picked": self.picked,
        }

    def masks(self) -> Tensor:
        """(N, K + D) bool, the legal actions: no repeats, bundle sizes within bounds, nothing at level 0."""
        can_pick = (self.picked == 0) & (self.n_picks < self.config.max_size)[:, None]
        can_offer = (self.n_picks >= self.config.min_size)[:, None].expand(-1, self.levels).clone()
        can_offer[:, 0] |= self.n_picks == 0
        return torch.cat([can_pick, can_offer], 1)

    # --- a step -----------------------------------------------------------------------------------------

    def step(self, action: Tensor) -> StepResult:
        """Add a candidate or make the offer, (N,) int64; ended episodes stay until `restart`.

        Raises:
            ValueError: an action is outside the mask.
        """
        legal = self.masks().gather(1, action[:, None])[:, 0]
        if not bool(legal.all()):
            slot = int((~legal).nonzero()[0])
            raise ValueError(f"environment {slot}: action {int(action[slot])} is masked; see action_masks()")
        picking = action < self.k
        rows = self.rows[picking]
        self.picks[rows, self.n_picks[rows]] = self.candidates[rows, action[rows]]
        self.picked[rows, action[rows]] = 1.0
        self.n_picks[rows] += 1
        self._add_lift(rows, self.candidates[rows, action[rows]])
        zero = torch.zeros(self.n, device=self.device)
        none = torch.zeros(self.n, dtype=torch.bool, device=self.device)
        rows = self.rows[~picking]
        if len(rows) == 0:
            return StepResult(zero, none, none.clone(), None)
        record = self._visit(rows, self.discounts[action[rows] - self.k])
        zero[rows] = record.incremental_margin
        terminated, truncated = none, none.clone()
        terminated[rows] = record.response.left
        truncated[rows] = ~record.response.left & (self.visit[rows] >= self.config.visits)
        self._open_visit(rows)
        return StepResult(zero, terminated, truncated, record)

    def _add_lift(self, rows: Tensor, item: Tensor) -> None:
        """Candidates (M, K) in `rows` gain their log lift with the item (M,) that was just picked."""
        category = self.market.category
        candidates = self.candidates[rows]
        lift = self.market.synergy[category[item][:, None], category[candidates]]
        lift = lift * (candidates != item[:, None])
        lift = self.features[rows, :, LIFT] + lift
        self.features[rows, :, LIFT] = lift.clamp(-FEATURE_LIMIT, FEATURE_LIMIT)

    def restart(self, done: Tensor) -> None:
        """Begin new episodes in the slots of the mask `done` (N,)."""
        rows = self.rows[done]
        if len(rows):
            self.episode[rows] += self.n
            self._begin(rows)

    def _visit(self, rows: Tensor, discount: Tensor) -> VisitRecord:
        """Shopper and twin live the visit; the state moves to the door of the next one."""
        draws = self._draws(rows)
        offer = Offer(self.picks[rows], discount)
        nothing = Offer.nothing(len(rows), self.config.max_size, self.device)
        before = {name: value[rows] for name, value in self.state.items()}
        twin_before = {name: value[rows] for name, value in self.twin.items()}
        response, after = self.user_model.respond(before, offer, draws)
        twin, twin_after = self.user_model.respond(twin_before, nothing, draws)
        revenue, margin = self._money(response, len(rows))
        _, twin_margin = self._money(twin, len(rows))
        record = VisitRecord(
            rows, before["_shop_shopper"], before["_shop_day"], offer, response, twin,
            self.n_picks[rows].clone(), revenue, margin, margin - twin_margin,
        )  # fmt: skip
        for name, value in after.items():
            self.state[name][rows] = value
        for name, value in twin_after.items():
            self.twin[name][rows] = value
        self._remember(rows, before, response)
        self.visit[rows] += 1
        return record

    def _money(self, response: Response, n: int) -> tuple[Tensor, Tensor]:
        """(n,) revenue and margin."""
        paid = response.quantity * response.price
        cost = response.quantity * self.market.unit_cost[response.item]
        zero = torch.zeros(n, device=self.device)
        return zero.index_add(0, response.row, paid), zero.index_add(0, response.row, paid - cost)

    def _remember(self, rows: Tensor, before: State, response: Response) -> None:
        """The shop's own records: when each shortlisted item was last bought, and the next visit's day."""
        shortlist = self.market.shortlist[before["_shop_shopper"]]
        slot = torch.searchsorted(shortlist[response.row], response.item[:, None])[:, 0]
        slot = slot.clamp(max=shortlist.shape[1] - 1)
        known = shortlist[response.row, slot] == response.item
        row = response.row[known]
        self.state["_shop_last"][rows[row], slot[known]] = before["_shop_day"][row]
        self.state["_shop_day"][rows] = before["_shop_day"] + response.days
