"""What offers earn by simulation: the whole visit with the offer, less the same visit without, by draw."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bundlegym.agents.margins import purchase_margin
from bundlegym.envs.open_visits import OpenVisits
from bundlegym.user_models.base import Offer

#: Shoppers simulated at once, so that memory does not grow with visits, offers and draws.
_ROWS = 1 << 14


class Gains(NamedTuple):
    """Incremental margin of M visits under T offers and D draws, (M, T, D) each.

    Attributes:
        visit: of the whole visit, rest of the basket included.
        direct: of the offered items alone.
    """

    visit: Tensor
    direct: Tensor


def simulated_gains(visits: OpenVisits, items: Tensor, discount: Tensor, numbers: range) -> Tensor:
    """(M, T, D) incremental margin of whole visits; see `simulated_parts`."""
    return simulated_parts(visits, items, discount, numbers).visit


def simulated_parts(visits: OpenVisits, items: Tensor, discount: Tensor, numbers: range) -> Gains:
    """What M visits earn more under T offers.

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
    if not m:
        none = torch.zeros(0, tries, len(numbers), device=items.device)
        return Gains(none, none)
    parts = torch.arange(m, device=items.device).split(step)
    found = [_some(visits, items, discount, numbers, rows) for rows in parts]
    return Gains(*map(torch.cat, zip(*found, strict=True)))


def _some(visits: OpenVisits, items: Tensor, discount: Tensor, numbers: range, rows: Tensor) -> Gains:
    """Of the visits `rows` (R,); the first of the offers `items` (M, 1 + T, B) is none."""
    tries, d = items.shape[1], len(numbers)
    cells = torch.arange(len(rows) * tries * d, device=rows.device).reshape(len(rows), tries, d)
    lived = _as_twins(cells)
    at, tried, drawn = lived // (tries * d), lived // d % tries, lived % d
    visit = rows[at]
    luck = visits.draws.of(rows).others(numbers).of(at * d + drawn)
    state = {name: value[visit] for name, value in visits.state.items()}
    offer = Offer(items[visit, tried], discount[visit, tried])
    response, _ = visits.user_model.respond(state, offer, luck)
    earned = purchase_margin(visits.market, response, visits.day[visit])
    of_bundle = earned * (offer.items[response.row] == response.item[:, None]).any(1)
    zero = torch.zeros(len(lived), device=rows.device)
    row = lived[response.row]
    whole, bundles = (
        zero.index_add(0, row, margin).reshape(len(rows), tries, d) for margin in (earned, of_bundle)
    )
    unoffered = row // d % tries == 0
    cell = row // (tries * d) * d + row % d
    without = _margins(cell[unoffered], response.item[unoffered], earned[unoffered], items[rows, 1:], d)
    return Gains(whole[:, 1:] - whole[:, :1], bundles[:, 1:] - without)


def _as_twins(cells: Tensor) -> Tensor:
    """The `cells` (R, 1 + T, D) in the order in which a user model has least to do: as it goes through a
    shopper and the twin, who stands half of all rows behind, it meets all offers of a visit under one draw
    after each other, and last no offer, which repeats what an offer did not change."""
    order = cells.roll(-1, 1).transpose(1, 2).flatten()
    return torch.cat([order[::2], order[1::2]])


def _margins(cell: Tensor, item: Tensor, earned: Tensor, bundles: Tensor, d: int) -> Tensor:
    """(R, T, D) what of purchases (P,) belongs to each of the `bundles` (R, T, B); `cell` (P,) is r D + d."""
    within = (bundles[cell // d] == item[:, None, None]).any(2)
    zero = torch.zeros(len(bundles) * d, bundles.shape[1], device=item.device)
    return zero.index_add(0, cell, earned[:, None] * within).reshape(len(bundles), d, -1).transpose(1, 2)
