"""The core's hot parts in torch, for any device: the same functions as in `compiled`, on tensors.

This is the reference: what each function takes, gives and writes is said in `compiled`, where the arrays have
the same shapes. A test holds both paths to the same numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.envs.arrays import Board, History, Limits, World
from bundlegym.envs.base import FEATURE_LIMIT, LEAVE, LIFT, LOG_PRICE, UNIT_MARGIN
from bundlegym.recommenders.recency import NEVER
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE
from bundlegym.user_models.numeric.ragged import expand_ranges
from bundlegym.user_models.response_codes import MOST_DAYS, MOST_PRICE, MOST_UNITS
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws


def _clip(x: Tensor) -> Tensor:
    """x, any shape, within the limits of an observation."""
    return x.clamp(-FEATURE_LIMIT, FEATURE_LIMIT)


def _describe(b: Board, rows: Tensor, limits: Limits) -> None:
    """Context and mask of the slots `rows` (M,)."""
    size, picked, features = b.n_picks[rows], b.picked[rows], b.features[rows]
    k = picked.shape[1]
    chosen = picked[:, :, None] * features
    context = torch.stack(
        [
            1 - b.visit[rows] / limits.visits,
            size / limits.max_size,
            (picked * torch.exp(features[:, :, LOG_PRICE])).sum(1) / 10,
            chosen[:, :, UNIT_MARGIN].sum(1) / 4,
            chosen[:, :, LIFT].sum(1) / 4,
        ],
        1,
    )
    b.context[rows] = _clip(context)
    can_pick = (picked == 0) & (size < limits.max_size)[:, None]
    can_offer = (size >= limits.min_size)[:, None].repeat(1, b.mask.shape[1] - k)
    can_offer[:, 0] |= size == 0
    b.mask[rows] = torch.cat([can_pick, can_offer], 1)


def last_bought(shopper: Tensor, before: Tensor, history: History, length: int) -> Tensor:
    """See `compiled.last_bought`."""
    start = history.bought_start
    row, place = expand_ranges(start[shopper], start[shopper + 1] - start[shopper])
    day = history.bought_day[place].long()
    known = day < before[row]
    cell = row[known] * length + history.bought_slot[place][known]
    last = torch.full((len(shopper) * length,), NEVER, device=shopper.device)
    last.scatter_reduce_(0, cell, day[known], "amax")
    return last.reshape(-1, length).to(torch.int16)


def begin(which: Tensor, ahead: int, seed: int, world: World) -> tuple[Tensor, Tensor, Tensor]:
    """See `compiled.begin`."""
    w, rows = world, which.nonzero()[:, 0]
    w.episode[rows] += ahead
    w.board.visit[rows] = 0
    draws = Draws(seed, w.episode[rows], w.board.visit[rows])
    who = w.people[(draws.uniform(streams.WHO) * len(w.people)).long()]
    when = w.limits.first_day + (draws.uniform(streams.FIRST_DAY) * w.limits.days).long()
    w.shopper[rows], w.day[rows] = who, when
    w.last[rows] = last_bought(who, when // 7 * 7, w.history, w.last.shape[1])
    return rows, who, when


def pick(action: Tensor, world: World) -> tuple[int, int]:
    """See `compiled.pick`."""
    b, category, k = world.board, world.shop.category, world.board.candidates.shape[1]
    inside = (action >= 0) & (action < b.mask.shape[1])
    legal = (action == LEAVE) | inside & b.mask.gather(1, action.clamp(0, b.mask.shape[1] - 1)[:, None])[:, 0]
    if not bool(legal.all()):
        return int((~legal).nonzero()[0]), 0
    rows = ((action < k) & (action != LEAVE)).nonzero()[:, 0]
    slot = action[rows]
    candidates = b.candidates[rows]
    item = candidates.gather(1, slot[:, None])
    b.picks[rows, b.n_picks[rows]] = item[:, 0]
    b.n_picks[rows] += 1
    b.picked[rows, slot] = 1.0
    lift = world.shop.synergy[category[item], category[candidates]] * (candidates != item)
    b.features[rows, :, LIFT] = _clip(b.features[rows, :, LIFT] + lift)
    _describe(b, rows, world.limits)
    return -1, int((action >= k).sum())


def _retrieve(rows: Tensor, seed: int, w: World) -> Tensor:
    """See `compiled._retrieve`."""
    s, draws = w.shopper[rows], Draws(seed, w.episode[rows], w.board.visit[rows])
    luck = draws.uniform(streams.RETRIEVAL, w.shop.shortlist[s])
    rank = -torch.log(luck) * w.shop.retrieval_penalty[s]
    return rank.topk(w.board.candidates.shape[1], dim=1, largest=False).indices


def open_visits(rows: Tensor, seed: int, world: World) -> None:
    """See `compiled.open_visits`."""
    b, m, last = world.board, world.shop, world.last
    slot = _retrieve(rows, seed, world)
    s, today = world.shopper[rows], world.day[rows]
    week = (today // 7).clamp(0, len(m.week_features) - 1)[:, None]
    items, bought = m.shortlist[s].gather(1, slot), last[rows].gather(1, slot)
    overdue = ((today[:, None] - bought).float() / m.interval[s].gather(1, slot)).clamp(0.05, 20)
    fixed = m.item_features[items]
    features = torch.cat(
        [
            m.log_share[s].gather(1, slot)[:, :, None] / 2 + 3,
            m.week_features[week, items],
            (bought >= 0).float()[:, :, None],
            torch.where(bought >= 0, torch.log(overdue), 0.0)[:, :, None],
            fixed[:, :, :1],
            torch.zeros_like(fixed[:, :, :1]),
            fixed[:, :, 1:],
        ],
        2,
    )
    b.candidates[rows] = items
    b.features[rows] = _clip(features)
    angle = week * (2 * torch.pi / 52)
    b.shopper[rows] = torch.cat([m.shopper_features[s], torch.sin(angle), torch.cos(angle)], 1)
    b.picked[rows] = 0.0
    b.picks[rows] = -1
    b.n_picks[rows] = 0
    _describe(b, rows, world.limits)


def offers(action: Tensor, made: int, world: World) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See `compiled.offers`."""
    w, b, k = world, world.board, world.board.candidates.shape[1]
    rows = (action >= k).nonzero()[:, 0]
    picks, discount = b.picks[rows], w.discounts[action[rows] - k]
    items = torch.cat([picks, torch.full_like(picks, -1)])
    discount = torch.cat([discount, torch.zeros_like(discount)])
    luck = torch.stack([w.episode[rows], b.visit[rows]]).repeat(1, 2)
    return torch.stack([rows, w.shopper[rows], w.day[rows], b.n_picks[rows]]), items, discount, luck


def in_range(
    n: int, n_items: int, choice: Tensor, row: Tensor, item: Tensor, quantity: Tensor, price: Tensor,
    days: Tensor,
) -> bool:  # fmt: skip
    """See `compiled.in_range`."""
    lines = (row >= 0) & (row < n) & (item >= 0) & (item < n_items)
    lines = lines & (quantity >= 1) & (quantity <= MOST_UNITS) & (price >= 0) & (price <= MOST_PRICE)
    visits = (days >= 0) & (days <= MOST_DAYS) & (choice >= IGNORE) & (choice <= TAKE)
    return bool(lines.all() & visits.all())


def figures(
    day: Tensor, size: Tensor, discount: Tensor, choice: Tensor, row: Tensor, item: Tensor, quantity: Tensor,
    price: Tensor, unit_cost: Tensor, list_price: Tensor,
) -> Tensor:  # fmt: skip
    """See `compiled.figures`."""
    m, zero = len(day), torch.zeros(2 * len(day), device=row.device)
    week = (day // 7).clamp(0, len(unit_cost) - 1).repeat(2)[row]
    paid = quantity * price
    revenue = zero.index_add(0, row, paid)[:m]
    margin = zero.index_add(0, row, paid - quantity * unit_cost[week, item])
    listed = zero.index_add(0, row, quantity * list_price[week, item])
    no_offer = torch.where(size == 0, torch.nan, 0.0)
    return torch.stack(
        [
            (choice[:m] == TAKE) + no_offer,
            (choice[:m] == CHERRY_PICK) + no_offer,
            size + no_offer,
            discount[:m] + no_offer,
            revenue,
            margin[:m],
            margin[:m] - margin[m:],
            listed[:m] - listed[m:],
            margin[m:],
        ]
    )


def reckon(
    whose: Tensor, discount: Tensor, choice: Tensor, row: Tensor, item: Tensor, quantity: Tensor,
    price: Tensor, days: Tensor, world: World,
) -> tuple[bool, Tensor]:  # fmt: skip
    """See `compiled.reckon`."""
    shop, bought = world.shop, (choice, row, item, quantity, price)
    if not in_range(len(discount), len(shop.category), *bought, days):
        return False, discount[:0]
    return True, figures(whose[2], whose[3], discount, *bought, shop.unit_cost, shop.list_price)


def _step_outputs(
    rows: Tensor, reward: Tensor, left: Tensor, visit: Tensor, visits: int
) -> tuple[Tensor, Tensor, Tensor]:
    """See `compiled._step_outputs`."""
    rewards, no = torch.zeros_like(visit, dtype=torch.float32), torch.zeros_like(visit, dtype=torch.bool)
    left = left[: len(rows)]
    late = ~left & (visit[rows] >= visits)
    return rewards.index_put((rows,), reward), no.index_put((rows,), left), no.index_put((rows,), late)


def _record_purchases(rows: Tensor, row: Tensor, item: Tensor, days: Tensor, w: World) -> None:
    """See `compiled._record_purchases`."""
    own = row < len(rows)
    slots_of, item = rows[row[own]], item[own]
    known = w.shop.shortlist[w.shopper[slots_of]]
    slot = torch.searchsorted(known, item[:, None])[:, 0].clamp(max=known.shape[1] - 1)
    found = known.gather(1, slot[:, None])[:, 0] == item
    w.last[slots_of[found], slot[found]] = w.day[slots_of[found]].to(w.last.dtype)
    w.day[rows] += days[: len(rows)]
    w.board.visit[rows] += 1


def move_on(
    whose: Tensor, reward: Tensor, left: Tensor, row: Tensor, item: Tensor, days: Tensor, seed: int,
    world: World,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """See `compiled.move_on`."""
    rows = whose[0]
    _record_purchases(rows, row, item, days, world)
    outputs = _step_outputs(rows, reward, left, world.board.visit, world.limits.visits)
    open_visits(rows, seed, world)
    return outputs
