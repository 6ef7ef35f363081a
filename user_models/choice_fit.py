"""Maximum likelihood for `ChoiceShopper`: which items a basket of n lines holds, given the shopper.

Tastes are counted on the first two thirds of the training weeks and the coefficients fitted on the rest, so
that no line helps to explain itself; afterwards tastes are counted again on all training weeks.
The likelihood is multinomial over the whole catalogue: sum over lines of u - logsumexp(u).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.recommenders.copurchase import category_baskets
from bundlegym.recommenders.frequency import PersonalFrequency
from bundlegym.recommenders.history import last_bought_at_visits
from bundlegym.recommenders.profile import deal_share, own_intervals

#: Edges of (days since last bought) / (the shopper's own interval); bin 0 is "never bought".
GAP_EDGES = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0)
_BATCH, _LEARNING_RATE = 512, 0.05


def gap_bins(day: Tensor, last: Tensor, interval: Tensor) -> Tensor:
    """(N, L) int64 bins of time since last bought: day (N,), last (N, L; -1 never), interval (N, L)."""
    ratio = (day[:, None] - last) / interval
    bins = torch.bucketize(ratio, torch.tensor(GAP_EDGES, device=ratio.device)) + 1
    return torch.where(last < 0, 0, bins)


def fit_coefficients(
    dataset: Dataset,
    shortlist_size: int,
    *,
    epochs: int,
    seed: int,
    progress: Callable[[str], None],
) -> dict[str, Tensor]:
    """Coefficients by name: `taste` (), `gap` (n_bins,), `price` (n_departments,), `price_deal` (),
    `display` (), `mailer` () and `nll` (), nats a line on the fitted weeks.

    Raises:
        UserError: the training weeks hold too few visits.
    """
    first, end = dataset.split.train_weeks
    cut = first + max(1, round(0.67 * (end - first)))
    taste = PersonalFrequency.fit(dataset, (first, cut))
    visits = dataset.visits
    keep = visits["week"].between(cut, end - 1).to_numpy(copy=True)
    keep &= ~dataset.split.held_out[visits["shopper"].to_numpy()]
    rows = np.flatnonzero(keep)
    if len(rows) < 50:
        raise UserError(
            f"{dataset.name}: the last third of the training weeks holds {len(rows)} visits; "
            "a ChoiceShopper needs at least 50"
        )
    shortlist = taste.shortlist(shortlist_size)
    last = torch.from_numpy(last_bought_at_visits(dataset, shortlist, rows))
    interval = torch.from_numpy(own_intervals(taste.counts, (first, cut)))
    short, deal = torch.from_numpy(shortlist), torch.from_numpy(deal_share(dataset, (first, cut)))
    log_share = torch.from_numpy(taste.log_share)
    shopper = torch.from_numpy(visits["shopper"].to_numpy()[rows].astype(np.int64))
    week = torch.from_numpy(visits["week"].to_numpy()[rows].astype(np.int64))
    day = torch.from_numpy(visits["day"].to_numpy()[rows].astype(np.int64))
    rebate = torch.from_numpy(np.log(dataset.list_price / dataset.shelf_price).T.copy())
    display, mailer = torch.from_numpy(dataset.display.T.copy()), torch.from_numpy(dataset.mailer.T.copy())
    _, department = np.unique(dataset.items["department"].astype(str), return_inverse=True)
    department_of = torch.from_numpy(department.astype(np.int64))
    line_item, offsets = _lines(dataset, rows)

    raw = {
        "taste": torch.tensor(1.0),
        "gap": torch.zeros(len(GAP_EDGES) + 2),
        "price": torch.tensor(2.0),
        "price_department": torch.zeros(int(department.max()) + 1),
        "price_deal": torch.tensor(0.0),
        "display": torch.tensor(0.0),
        "mailer": torch.tensor(0.0),
    }
    for value in raw.values():
        value.requires_grad_()
    optimiser = torch.optim.Adam(raw.values(), lr=_LEARNING_RATE)
    generator = torch.Generator().manual_seed(seed)
    batches = -(-len(rows) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, epochs * batches)
    nll = torch.tensor(0.0)
    for epoch in range(epochs):
        total, count = 0.0, 0
        for batch in torch.randperm(len(rows), generator=generator).split(_BATCH):
            s, w = shopper[batch], week[batch]
            slope = softplus(raw["price"] + raw["price_department"])[department_of]
            push = rebate[w] * slope * torch.exp(raw["price_deal"] * deal[s])[:, None]
            utility = raw["taste"] * log_share[s] + push
            utility = utility + raw["display"] * display[w] + raw["mailer"] * mailer[w]
            slots = short[s]
            bins = gap_bins(day[batch], last[batch], interval[s].gather(1, slots))
            coefficient = torch.cat([torch.zeros(1), raw["gap"][1:]])  # never bought is the reference
            utility = utility.scatter_add(1, slots, coefficient[bins])
            row, item = _batch_lines(batch, offsets, line_item)
            lines = offsets[batch + 1] - offsets[batch]
            loss = (lines * utility.logsumexp(1)).sum() - utility[row, item].sum()
            prior = 0.5 * (raw["price_department"] / 0.5).square().sum()  # departments differ by about half
            optimiser.zero_grad()
            ((loss + prior / batches) / lines.sum()).backward()
            optimiser.step()
            schedule.step()
            total, count = total + loss.item(), count + int(lines.sum())
        nll = torch.tensor(total / count)
        progress(f"user model: epoch {epoch + 1} of {epochs}, {nll:.4f} nats a line")
    return {
        "taste": raw["taste"].detach(),
        "gap": torch.cat([torch.zeros(1), raw["gap"][1:].detach()]),
        "price": softplus(raw["price"] + raw["price_department"]).detach(),
        "price_deal": raw["price_deal"].detach(),
        "display": raw["display"].detach(),
        "mailer": raw["mailer"].detach(),
        "nll": nll,
    }


def fit_synergy_scale(
    dataset: Dataset, taste: PersonalFrequency, synergy: np.ndarray, weeks: tuple[int, int], seed: int
) -> float:
    """How much of the pairwise log lifts adds up when an item meets half of a basket, by grid likelihood.

    Half of each basket's lines are context, half are targets; p(b | context) is proportional to
    p_s(b) exp(scale * sum over the context of synergy), over categories.
    """
    visits = dataset.visits
    keep = visits["week"].between(weeks[0], weeks[1] - 1).to_numpy(copy=True)
    keep &= ~dataset.split.held_out[visits["shopper"].to_numpy()]
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(keep)
    rows = np.sort(rng.choice(rows, min(len(rows), 8000), replace=False))
    baskets = category_baskets(dataset, taste.category, rows)
    context = rng.binomial(baskets.astype(int), 0.5)
    targets = torch.from_numpy((baskets - context).astype(np.float32))
    pull = torch.from_numpy(context.astype(np.float32) @ synergy)
    base = torch.from_numpy(np.log(taste.category_share[visits["shopper"].to_numpy()[rows]]))
    grid = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
    scores = [(targets * torch.log_softmax(base + scale * pull, 1)).sum().item() for scale in grid]
    return grid[int(np.argmax(scores))]


def _lines(dataset: Dataset, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Purchase lines of the visits in `rows`, grouped: (P,) item, (len(rows) + 1,) offsets."""
    position = np.full(len(dataset.visits), -1)
    position[rows] = np.arange(len(rows))
    where = position[dataset.purchases["visit"].to_numpy()]
    item = dataset.purchases["item"].to_numpy()[where >= 0].astype(np.int64)
    where = where[where >= 0]
    offsets = np.concatenate([[0], np.bincount(where, minlength=len(rows)).cumsum()])
    return torch.from_numpy(item), torch.from_numpy(offsets)


def _batch_lines(batch: Tensor, offsets: Tensor, line_item: Tensor) -> tuple[Tensor, Tensor]:
    """Row in the batch and item of each line of the visits in `batch`."""
    counts = offsets[batch + 1] - offsets[batch]
    row = torch.repeat_interleave(torch.arange(len(batch)), counts)
    within = torch.arange(len(row)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    return row, line_item[offsets[batch][row] + within]
