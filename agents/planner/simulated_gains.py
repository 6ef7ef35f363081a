"""What offers earn by simulation: the whole visit with the offer, less the same visit without, by draw."""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.agents.margins import margin_of
from bundlegym.envs.open_visits import OpenVisits
from bundlegym.user_models.base import Offer

#: Shoppers simulated at once, so that memory does not grow with visits, offers and draws.
_ROWS = 1 << 14


def simulated_gains(visits: OpenVisits, items: Tensor, discount: Tensor, numbers: range) -> Tensor:
    """(M, T, D) incremental margin of M visits under T offers, rest of the basket included.

    All offers to a visit, and no offer, live under the same D draws `visits.draws.other(number)`.

    Args:
        items: (M, T, B) item codes, -1 where a bundle is smaller than B.
        discount: (M, T).
        numbers: D of them.
    """
    m, tries, size = items.shape
    step = max(1, _ROWS // (len(numbers) * (tries + 1)))
    nothing = items.new_full((m, 1, size), -1)
    items = torch.cat([nothing, items], 1)
    discount = torch.cat([discount.new_zeros(m, 1), discount], 1)
    gains = []
    for first in range(0, m, step):
        rows = torch.arange(first, min(first + step, m), device=items.device)
        margin = _margins(visits, items, discount, numbers, rows)
        gains.append(margin[:, 1:] - margin[:, :1])
    return torch.cat(gains) if gains else torch.zeros(0, tries, len(numbers), device=items.device)


def _margins(visits: OpenVisits, items: Tensor, discount: Tensor, numbers: range, rows: Tensor) -> Tensor:
    """(R, T, D) margin of the visits `rows` (R,) under each offer."""
    tries, d = items.shape[1], len(numbers)
    visit = rows.repeat_interleave(tries * d)
    offer = Offer(
        items[rows].repeat_interleave(d, 1).flatten(0, 1), discount[rows].repeat_interleave(d, 1).flatten()
    )
    luck = visits.draws.of(rows).others(numbers)
    luck = luck.of(
        torch.arange(len(rows) * d, device=rows.device).reshape(-1, 1, d).expand(-1, tries, -1).flatten()
    )
    state = {name: value[visit] for name, value in visits.state.items()}
    response, _ = visits.user_model.respond(state, offer, luck)
    return margin_of(visits.market, response, visits.day[visit]).reshape(len(rows), tries, d)
