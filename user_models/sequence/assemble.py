"""Everything that a `SequenceShopper` looks up, made from a fitted `BasketNet` and a log."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset, visit_rows
from bundlegym.recommenders import category_synergy
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.recommenders.recency import last_bought_by_week
from bundlegym.recommenders.shortlist_slots import slots_of_purchases
from bundlegym.user_models.components.basket_size import fit_basket_size
from bundlegym.user_models.components.complementarity import ComplementarityConfig
from bundlegym.user_models.components.incidence import fit_hazard, fit_incidence
from bundlegym.user_models.components.marketing import Marketing, recency_bins
from bundlegym.user_models.components.quantity import fit_quantity, fit_units
from bundlegym.user_models.components.trip_effects import fit_missions, shares_by_category
from bundlegym.user_models.parameters import as_tensor
from bundlegym.user_models.sequence.net import BasketNet
from bundlegym.user_models.sequence.parameters import (
    Catalogue,
    Histories,
    Network,
    Prices,
    SequenceParameters,
)
from bundlegym.user_models.sequence.training import Visits, hidden_after, own_interval

_CHUNK = 256  # shoppers at once


@torch.no_grad()
def assemble(
    net: BasketNet, dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, shortlist_size: int
) -> SequenceParameters:
    """All parameters, from a fitted network and the lines of `weeks`; averages come from `shoppers`
    (mask)."""
    marketing = Marketing.of(dataset, weeks)
    slope = net.slope()
    effect = torch.from_numpy(marketing.log_discount) * slope
    effect = effect + net.promotion[0] * torch.from_numpy(marketing.display)
    effect = effect + net.promotion[1] * torch.from_numpy(marketing.mailer)
    everything = Visits.of(dataset, np.arange(len(dataset.visits)))
    joined = torch.zeros(dataset.n_shoppers, dtype=torch.int64)
    joined[torch.unique_consecutive(everything.shopper)] = everything.day[everything.bounds()[:-1]]
    preference, shortlist = _preference(net, dataset, weeks, joined, shortlist_size)
    discount = marketing.log_discount
    units = fit_units(dataset, weeks, shoppers, discount)
    frequency = shares_by_category(dataset, weeks, shoppers)
    lift = category_synergy(dataset, frequency, weeks, ComplementarityConfig().lift_pairs, shoppers=shoppers)
    cell = {f"cell_{name.removesuffix('_l0')}": p for name, p in net.cell.named_parameters()}
    network = {
        "log_preference": preference,
        "marketing_effect": effect,
        "price_slope": slope,
        "item_output": net.calling(),
        "item_input": net.hearing(),
        "within_share": net.within,
        "frequency": net.frequency[0],
        "frequency_weight": net.log_weight[0].exp(),
        "recency": net.gap,
        **cell,
    }
    return SequenceParameters(
        network=Network.of({name: value.clone() for name, value in network.items()}),
        histories=Histories(
            shortlist=as_tensor(shortlist),
            times_bought=as_tensor(_counts_by_week(dataset, shortlist)),
            last_bought=as_tensor(last_bought_by_week(dataset, shortlist)),
            hidden=_hidden_by_week(net, dataset, everything),
            first_day=joined,
        ),
        prices=Prices(as_tensor(dataset.shelf_price.T), as_tensor(marketing.log_discount)),
        catalogue=Catalogue(as_tensor(frequency.category), as_tensor(dataset.subcategory_code)),
        missions=fit_missions(dataset, frequency, lift, weeks, shoppers),
        incidence=fit_incidence(dataset, weeks, shoppers, fit_hazard(dataset, weeks, shoppers)),
        basket_size=fit_basket_size(dataset, weeks, shoppers),
        quantity=fit_quantity(dataset, weeks, shoppers, discount, shortlist, units),
    )


def _preference(
    net: BasketNet, dataset: Dataset, weeks: tuple[int, int], joined: Tensor, size: int
) -> tuple[Tensor, np.ndarray]:
    """(S, I) log rates that stay as they are at the end of `weeks`, and the (S, size) items best liked then,
    whose own history is left out of the rates since it goes on."""
    count = torch.from_numpy(line_counts(dataset, weeks).toarray())
    visits = Visits.of(dataset, visit_rows(dataset, weeks))
    last = torch.full(count.shape, -1)
    shopper, day = (torch.repeat_interleave(v, visits.line.diff()) for v in (visits.shopper, visits.day))
    last.view(-1).scatter_reduce_(0, shopper * count.shape[1] + visits.item, day, "amax")
    log_preference, shortlist, items = torch.empty_like(count), [], torch.arange(count.shape[1])
    for rows in torch.arange(len(count)).split(_CHUNK):
        by_group = torch.zeros(len(rows), len(net.group_share)).index_add(1, net.group, count[rows])
        now = torch.full((len(rows),), 7 * weeks[1])
        interval = own_interval(now[:, None], joined[rows, None], count[rows])
        own = net.own(count[rows], items, recency_bins(now, last[rows], interval))
        rate = net.bias + net.by_group(by_group)[:, net.group]
        best = (rate + own).topk(min(size, count.shape[1]), 1).indices.sort(1).values
        log_preference[rows] = rate + own.scatter(1, best, 0.0)
        shortlist.append(best)
    return log_preference, torch.cat(shortlist).numpy()


def _counts_by_week(dataset: Dataset, shortlist: np.ndarray) -> np.ndarray:
    """(W, S, L) uint8 times that each shopper bought each item of the shortlist before each week."""
    place = slots_of_purchases(dataset, shortlist)
    visit = dataset.visits.iloc[dataset.purchases["visit"].to_numpy()]
    shopper, week = visit["shopper"].to_numpy(), visit["week"].to_numpy()
    known = (place >= 0) & (week + 1 < dataset.n_weeks)
    table = np.zeros((dataset.n_weeks, *shortlist.shape), dtype=np.uint16)
    np.add.at(table, (week[known] + 1, shopper[known], place[known]), 1)
    return table.cumsum(0, dtype=np.uint16).clip(max=255).astype(np.uint8)


def _hidden_by_week(net: BasketNet, dataset: Dataset, visits: Visits) -> Tensor:
    """(W, S, H) the state after the last visit before each week; zeros before the first one."""
    bounds = visits.bounds()
    hidden = [
        hidden_after(net, visits, torch.arange(int(bounds[k]), int(bounds[min(k + _CHUNK, len(bounds) - 1)])))
        for k in range(0, len(bounds) - 1, _CHUNK)
    ]
    after = torch.cat(hidden)
    table = torch.zeros(dataset.n_weeks, dataset.n_shoppers, after.shape[1])
    key = visits.shopper * dataset.n_weeks + visits.week
    everyone = torch.arange(dataset.n_shoppers)
    for week in range(1, dataset.n_weeks):
        place = torch.searchsorted(key, everyone * dataset.n_weeks + week) - 1
        known = (place >= 0) & (visits.shopper[place.clamp(min=0)] == everyone)
        table[week, known] = after[place[known]]
    return table
