"""The core's hot parts in torch, for any device: the same functions as in `compiled`, on tensors.

This is the reference: what each function takes, gives and writes is said in `compiled`, where the arrays have
the same shapes. A test holds both paths to the same numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.envs.arrays import Board, History, Shop
from bundlegym.envs.base import FEATURE_LIMIT, LEAVE, LIFT, LOG_PRICE, UNIT_MARGIN
from bundlegym.recommenders.recency import NEVER
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE
from bundlegym.user_models.numeric.ragged import expand_ranges
from bundlegym.user_models.response_codes import MOST_DAYS, MOST_PRICE, MOST_UNITS
from bundlegym.user_models.rng.counter import Draws


def _clip(x: Tensor) -> Tensor:
    """x, any shape, within the limits of an observation."""
    return x.clamp(-FEATURE_LIMIT, FEATURE_LIMIT)


def _describe(b: Board, rows: Tensor, visits: int, min_size: int, max_size: int) -> None:
    """Context and mask of the slots `rows` (M,)."""
    size, picked, features = b.n_picks[rows], b.picked[rows], b.features[rows]
    k = picked.shape[1]
    chosen = picked[:, :, None] * features
    context = torch.stack(
        [
            1 - b.visit[rows] / visits,
            size / max_size,
            (picked * torch.exp(features[:, :, LOG_PRICE])).sum(1) / 10,
            chosen[:, :, UNIT_MARGIN].sum(1) / 4,
            chosen[:, :, LIFT].sum(1) / 4,
        ],
        1,
    )
    b.context[rows] = _clip(context)
    can_pick = (picked == 0) & (size < max_size)[:, None]
    can_offer = (size >= min_size)[:, None].repeat(1, b.mask.shape[1] - k)
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


def begin(
    which: Tensor, ahead: int, key: tuple[int, int, int], days: tuple[int, int], shoppers: Tensor,
    history: History, episode: Tensor, visit: Tensor, shopper: Tensor, day: Tensor, last: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """See `compiled.begin`."""
    (seed, who_stream, day_stream), (first, span) = key, days
    rows = which.nonzero()[:, 0]
    episode[rows] += ahead
    visit[rows] = 0
    draws = Draws(seed, episode[rows], visit[rows])
    who = shoppers[(draws.uniform(who_stream) * len(shoppers)).long()]
    when = first + (draws.uniform(day_stream) * span).long()
    shopper[rows], day[rows] = who, when
    last[rows] = last_bought(who, when // 7 * 7, history, last.shape[1])
    return rows, who, when


def pick(
    action: Tensor, b: Board, synergy: Tensor, category: Tensor, visits: int, min_size: int, max_size: int
) -> tuple[int, Tensor]:
    """See `compiled.pick`."""
    k = b.candidates.shape[1]
    inside = (action >= 0) & (action < b.mask.shape[1])
    legal = (action == LEAVE) | inside & b.mask.gather(1, action.clamp(0, b.mask.shape[1] - 1)[:, None])[:, 0]
    if not bool(legal.all()):
        return int((~legal).nonzero()[0]), action[:0]
    rows = ((action < k) & (action != LEAVE)).nonzero()[:, 0]
    slot = action[rows]
    candidates = b.candidates[rows]
    item = candidates.gather(1, slot[:, None])
    b.picks[rows, b.n_picks[rows]] = item[:, 0]
    b.n_picks[rows] += 1
    b.picked[rows, slot] = 1.0
    lift = synergy[category[item], category[candidates]] * (candidates != item)
    b.features[rows, :, LIFT] = _clip(b.features[rows, :, LIFT] + lift)
    _describe(b, rows, visits, min_size, max_size)
    return -1, (action >= k).nonzero()[:, 0]


def _retrieve(rows: Tensor, key: tuple[int, Tensor, int], shopper: Tensor, b: Board, m: Shop) -> Tensor:
    """See `compiled._retrieve`."""
    seed, episode, stream = key
    s = shopper[rows]
    luck = Draws(seed, episode[rows], b.visit[rows]).uniform(stream, m.shortlist[s])
    rank = -torch.log(luck) * m.retrieval_penalty[s]
    return rank.topk(b.candidates.shape[1], dim=1, largest=False).indices


def open_visits(
    rows: Tensor, key: tuple[int, Tensor, int], shopper: Tensor, day: Tensor, last: Tensor,
    b: Board, m: Shop, visits: int, min_size: int, max_size: int,
) -> None:  # fmt: skip
    """See `compiled.open_visits`."""
    slot = _retrieve(rows, key, shopper, b, m)
    s, today = shopper[rows], day[rows]
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
    _describe(b, rows, visits, min_size, max_size)


def offers(
    rows: Tensor, action: Tensor, episode: Tensor, shopper: Tensor, day: Tensor, b: Board, discounts: Tensor
) -> tuple[Tensor, ...]:
    """See `compiled.offers`."""
    picks, discount = b.picks[rows], discounts[action[rows] - b.candidates.shape[1]]
    items = torch.cat([picks, torch.full_like(picks, -1)])
    discount = torch.cat([discount, torch.zeros_like(discount)])
    episodes, visits = episode[rows].repeat(2), b.visit[rows].repeat(2)
    return items, discount, episodes, visits, shopper[rows], day[rows], b.n_picks[rows]


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


def step_outputs(
    rows: Tensor, reward: Tensor, left: Tensor, visit: Tensor, visits: int
) -> tuple[Tensor, Tensor, Tensor]:
    """See `compiled.step_outputs`."""
    rewards, no = torch.zeros_like(visit, dtype=torch.float32), torch.zeros_like(visit, dtype=torch.bool)
    left = left[: len(rows)]
    late = ~left & (visit[rows] >= visits)
    return rewards.index_put((rows,), reward), no.index_put((rows,), left), no.index_put((rows,), late)


def record_purchases(
    rows: Tensor, row: Tensor, item: Tensor, days: Tensor, visit: Tensor,
    shopper: Tensor, day: Tensor, last: Tensor, shortlist: Tensor,
) -> None:  # fmt: skip
    """See `compiled.record_purchases`."""
    own = row < len(rows)
    slots_of, item = rows[row[own]], item[own]
    known = shortlist[shopper[slots_of]]
    slot = torch.searchsorted(known, item[:, None])[:, 0].clamp(max=known.shape[1] - 1)
    found = known.gather(1, slot[:, None])[:, 0] == item
    last[slots_of[found], slot[found]] = day[slots_of[found]].to(last.dtype)
    day[rows] += days[: len(rows)]
    visit[rows] += 1
