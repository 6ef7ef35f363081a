"""Maximum likelihood for `ChoiceShopper`: which items a basket of n lines holds, given the shopper.

Tastes are counted on the first four fifths of the weeks and the coefficients fitted on the rest, so that no
line helps to explain itself; afterwards tastes are counted again on all weeks. The likelihood is multinomial
over the whole catalogue but what else the basket holds. Price, display and mailer enter as departures from
the item's own mean over the weeks of its taste, since a taste counts what the usual price and promotions
brought.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import softplus

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.errors import UserError
from bundlegym.recommenders.history import last_bought_at_visits
from bundlegym.recommenders.profile import deal_share
from bundlegym.user_models.choice.tried import by_item, fading, tried_at_visits
from bundlegym.user_models.taste import Taste, decay, subcategories
from bundlegym.user_models.trips import GAP_EDGES as TRIP_GAP_EDGES

#: Edges of (days since last bought) / (the shopper's own interval). Bin 0 is "never bought", 1 "today".
GAP_EDGES = (1e-6, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0)
#: Edges of an item's lines as a taste counts them, between classes of familiarity; class 0 is "none".
FAMILIAR_EDGES = (0.0, 1.0, 2.0, 4.0, 8.0)
#: Classes of familiarity of what is off the shortlist: never bought, and bought all the same.
NEW, ONCE = 0, 1
_BATCH, _LEARNING_RATE = 512, 0.05
_TASTE_PART = 0.8  # of the weeks


@dataclass(frozen=True)
class Marketing:
    """What the shop did, (n_weeks, n_items) float32 each, less the item's mean over some weeks: `rebate` is
    log(list price / shelf price), `display` and `mailer` shares of stores, `neighbours` the mean rebate of
    the other items of the subcategory that are sold steadily."""

    rebate: np.ndarray
    display: np.ndarray
    mailer: np.ndarray
    neighbours: np.ndarray

    @staticmethod
    def of(dataset: Dataset, weeks: tuple[int, int]) -> Marketing:
        rebate = np.log(dataset.list_price / dataset.shelf_price)
        neighbours = mean_of_others(rebate, subcategories(dataset), steadily_sold(dataset, weeks))
        tables = (rebate, dataset.display, dataset.mailer, neighbours)
        weight = decay(weeks)
        return Marketing(*((t - (t[:, slice(*weeks)] @ weight)[:, None]).T.copy() for t in tables))


def mean_of_others(table: np.ndarray, group: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(n_items, T) float32 mean of the rows of the other items of each item's group (n_items,) that are
    `counted` (mask); 0 where there is none."""
    total = np.zeros((group.max() + 1, table.shape[1]))
    np.add.at(total, group[counted], table[counted])
    others = (np.bincount(group[counted], minlength=len(total))[group] - counted)[:, None]
    mean = (total[group] - counted[:, None] * table) / np.maximum(others, 1)
    return np.where(others > 0, mean, 0.0).astype(np.float32)


def gap_bins(day: Tensor, last: Tensor, interval: Tensor) -> Tensor:
    """(N, L) int64 bins of time since last bought: day (N,), last (N, L; -1 never), interval (N, L)."""
    ratio = (day[:, None] - last) / interval
    bins = torch.bucketize(ratio, torch.tensor(GAP_EDGES, device=ratio.device)) + 1
    return torch.where(last < 0, 0, bins)


def familiarity(count: np.ndarray, shortlist: np.ndarray) -> np.ndarray:
    """(S, L) int8 class of familiarity of each item of `shortlist` (S, L); `count` (S, I) as in `Taste`.

    A favourite is bought again when it is used up. Of an item bought once, another purchase soon after says
    that it is liked: what the time since last bought does differs by class. So does the answer to promotions,
    which are news to who does not know the item.
    """
    return np.searchsorted(FAMILIAR_EDGES, np.take_along_axis(count, shortlist, 1)).astype(np.int8)


def experience_of(taste: Taste, shoppers: np.ndarray) -> np.ndarray:
    """(S,) float32 log of the lines that each one's taste counts, less its mean over `shoppers` (mask)."""
    log_lines = np.log1p(taste.count.sum(1))
    return np.asarray(log_lines - log_lines[shoppers].mean())


def steadily_sold(dataset: Dataset, weeks: tuple[int, int]) -> np.ndarray:
    """(n_items,) bool: sold in nine of ten `weeks` or more. Of other items the log shows the price only in
    weeks with a sale; promotions that sold nothing are missing, and their price response looks too strong.
    """
    lines, place = lines_of(dataset, rows := visit_rows(dataset, weeks))
    sold = np.zeros((dataset.n_items, weeks[1]), dtype=bool)
    sold[dataset.purchases["item"].to_numpy()[lines], dataset.visits["week"].to_numpy()[rows][place]] = True
    return sold[:, weeks[0] :].mean(1) >= 0.9


def departments(dataset: Dataset) -> np.ndarray:
    """(n_items,) int64 code of each item's department."""
    return pd.factorize(dataset.items["department"].astype(str), sort=True)[0].astype(np.int64)


def fit_coefficients(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    shortlist_size: int,
    *,
    epochs: int,
    seed: int,
    progress: Callable[[str], None],
) -> dict[str, np.ndarray]:
    """Coefficients by name: `taste` (), `gap` (n_classes, n_bins) by familiarity, `memory` () of items bought
    before but not shortlisted; `tried` (), the log of what a purchase off the shortlist since tastes were
    counted adds to the rate of an item as popular as the average, `tried_popularity` (), the power of how
    popular it is, `tried_fade` () (see `tried`); `experience` () of all items bought before, `price`
    (n_departments,), `price_deal` (), `neighbours` (), `display` () and `mailer` () of items sold steadily
    and with `_unsteady` of the others, whose promotions are also news that the item is there;
    `new_gap` (6,) of items neither shortlisted nor bought before, by days since the last visit;
    `promotion_answer` (n_classes,), what these three are multiplied by for items of each class of
    familiarity, 1 for the mean line; and `nll` (), nats a line on the fitted weeks.

    Raises:
        UserError: the weeks hold too few visits.
    """
    first, end = weeks
    cut = first + max(1, round(_TASTE_PART * (end - first)))
    taste = Taste.fit(dataset, (first, cut), shoppers)
    visits = dataset.visits
    rows = visit_rows(dataset, (cut, end), shoppers)
    if len(rows) < 50:
        raise UserError(
            f"{dataset.name}: the last fifth of the weeks to fit on holds {len(rows)} visits; "
            "a ChoiceShopper needs at least 50"
        )
    shortlist = taste.shortlist(shortlist_size)
    last = torch.from_numpy(last_bought_at_visits(dataset, shortlist, rows))
    tried = torch.from_numpy(tried_at_visits(dataset, shortlist, rows, cut))
    interval = torch.from_numpy(taste.interval(shortlist, (first, cut)))
    short = torch.from_numpy(shortlist)
    familiar = torch.from_numpy(familiarity(taste.count, shortlist))
    deal = torch.from_numpy(deal_share(dataset, (first, cut), shoppers))
    log_share = torch.from_numpy(taste.log_share())
    known = torch.from_numpy(taste.count > 0)
    remembered = known.scatter(1, short, False)
    log_popularity = torch.from_numpy(taste.log_popularity)
    experience = torch.from_numpy(experience_of(taste, shoppers))
    shopper, week, day = (
        torch.from_numpy(visits[name].to_numpy()[rows].astype(np.int64))
        for name in ("shopper", "week", "day")
    )
    since = visits.groupby("shopper")["day"].diff().fillna(TRIP_GAP_EDGES[-1]).to_numpy()[rows]
    gap = torch.from_numpy(np.digitize(since, TRIP_GAP_EDGES))
    marketing = Marketing.of(dataset, (first, cut))
    rebate, display, mailer, neighbours = (torch.from_numpy(table) for table in vars(marketing).values())
    department = torch.from_numpy(departments(dataset))
    steady = torch.from_numpy(steadily_sold(dataset, (first, end)))
    line_item, offsets = _lines(dataset, rows)

    # What a fit moves far begins near where it ends: it has few steps to get there.
    raw = {
        "taste": torch.tensor(0.75),
        "known": torch.tensor(1.0),
        "gap": torch.zeros(len(FAMILIAR_EDGES) + 1, len(GAP_EDGES) + 2),
        "memory": torch.tensor(1.0),
        "tried": torch.tensor(-4.0),
        "tried_popularity": torch.tensor(0.3),
        "tried_fade": torch.tensor(-4.0),
        "experience": torch.tensor(0.0),
        "price": torch.tensor(2.0),
        "price_department": torch.zeros(int(department.max()) + 1),
        "price_deal": torch.tensor(0.0),
        "neighbours": torch.tensor(0.0),
        "display": torch.tensor(0.0),
        "mailer": torch.tensor(0.0),
        "display_unsteady": torch.tensor(0.0),
        "mailer_unsteady": torch.tensor(0.0),
        "promotion_answer": torch.zeros(len(FAMILIAR_EDGES) + 1),
        "new_gap": torch.zeros(len(TRIP_GAP_EDGES) + 1),
        # Of no use afterwards: an item's own drift since its taste was counted, and the price response of
        # items that are not sold steadily.
        "drift": torch.zeros(dataset.n_items),
        "price_unsteady": torch.tensor(2.0),
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
            slope = softplus(raw["price"] + raw["price_department"])[department]
            slope = torch.where(steady, slope, softplus(raw["price_unsteady"]))
            push = rebate[w] * slope * torch.exp(raw["price_deal"] * deal[s])[:, None]
            utility = raw["taste"] * log_share[s] + raw["memory"] * remembered[s]
            utility = utility + raw["experience"] * experience[s, None] * known[s]
            each = torch.exp(raw["tried"] + raw["tried_popularity"] * log_popularity)
            again = by_item(tried[batch], each, fading(torch.exp(raw["tried_fade"])))
            utility = _with_tried(utility, *again) + push + raw["drift"]
            promotion = raw["neighbours"] * neighbours[w]
            for name, table in (("display", display), ("mailer", mailer)):
                promotion = promotion + torch.where(steady, raw[name], raw[f"{name}_unsteady"]) * table[w]
            answer, slots, class_ = torch.exp(raw["promotion_answer"]), short[s], familiar[s].long()
            utility = utility + answer[NEW] * promotion
            # What is new is most of the shop, so what differs is told of the rest: shares are the same.
            less = raw["new_gap"][gap[batch]]
            own = _gap(raw)[class_, gap_bins(day[batch], last[batch], interval[s])] - less[:, None]
            own = own + promotion.gather(1, slots) * (answer[class_] - answer[NEW])
            utility = utility.scatter_add(1, slots, own)
            who, what = remembered[s].index_put(again[:2], torch.tensor(True)).nonzero(as_tuple=True)
            own = promotion[who, what] * (answer[ONCE] - answer[NEW]) - less[who]
            utility = utility.index_put((who, what), own, accumulate=True)
            row, item = _batch_lines(batch, offsets, line_item)
            lines = offsets[batch + 1] - offsets[batch]
            loss = _surprise(utility, row, item)
            # Departments, and classes, differ by about a half, drifts by about a third.
            halves = torch.cat([raw["price_department"], raw["promotion_answer"], raw["new_gap"]])
            prior = 0.5 * ((halves / 0.5).square().sum() + (raw["drift"] / 0.3).square().sum())
            optimiser.zero_grad()
            ((loss + prior / batches) / lines.sum()).backward()
            optimiser.step()
            schedule.step()
            total, count = total + loss.item(), count + int(lines.sum())
        nll = torch.tensor(total / count)
        progress(f"user model: epoch {epoch + 1} of {epochs}, {nll:.4f} nats a line")
    answer = torch.exp(raw["promotion_answer"])
    of_line = np.repeat(visits["shopper"].to_numpy()[rows], np.diff(offsets.numpy()))
    usual = answer[np.searchsorted(FAMILIAR_EDGES, taste.count[of_line, line_item.numpy()])].mean()
    of_taste = ("taste", "memory", "tried", "tried_popularity", "experience", "new_gap", "price_deal")
    promotions = ("neighbours", "display", "mailer", "display_unsteady", "mailer_unsteady")
    found = {name: raw[name] for name in of_taste} | {name: usual * raw[name] for name in promotions}
    found["gap"], found["tried_fade"] = _gap(raw), torch.exp(raw["tried_fade"])
    found["promotion_answer"] = answer / usual
    found["price"] = softplus(raw["price"] + raw["price_department"])
    return {name: value.detach().numpy() for name, value in (found | {"nll": nll}).items()}


def _gap(raw: dict[str, Tensor]) -> Tensor:
    """(n_classes, n_bins) by familiarity and time since last bought; never bought is the reference. What is
    common to all that was bought is a number of its own, which few steps move far enough."""
    return torch.cat([torch.zeros(len(raw["gap"]), 1), raw["known"] + raw["gap"][:, 1:]], 1)


def _with_tried(utility: Tensor, row: Tensor, item: Tensor, more: Tensor) -> Tensor:
    """Log rates (N, I), with `more` (M,) added to the rates of some items (M,) of some rows (M,)."""
    return utility.index_put((row, item), torch.logaddexp(utility[row, item], torch.log(more)))


def _surprise(utility: Tensor, row: Tensor, item: Tensor) -> Tensor:
    """() sum over lines of -log of the item's share among all items that are not otherwise in the basket: an
    item is bought once a visit, so what is held already is no alternative."""
    log_total = utility.logsumexp(1)
    log_share = utility[row, item] - log_total[row]
    held = torch.zeros_like(log_total).index_add(0, row, log_share.exp())
    others = (held[row] - log_share.exp()).clamp(max=0.95)
    return (torch.log1p(-others) - log_share).sum()


def _lines(dataset: Dataset, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Purchase lines of the visits in `rows`, grouped: (P,) item, (len(rows) + 1,) offsets."""
    lines, place = lines_of(dataset, rows)
    item = dataset.purchases["item"].to_numpy()[lines].astype(np.int64)
    offsets = np.concatenate([[0], np.bincount(place, minlength=len(rows)).cumsum()])
    return torch.from_numpy(item), torch.from_numpy(offsets)


def _batch_lines(batch: Tensor, offsets: Tensor, line_item: Tensor) -> tuple[Tensor, Tensor]:
    """Row in the batch and item of each line of the visits in `batch`."""
    counts = offsets[batch + 1] - offsets[batch]
    row = torch.repeat_interleave(torch.arange(len(batch)), counts)
    within = torch.arange(len(row)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    return row, line_item[offsets[batch][row] + within]
