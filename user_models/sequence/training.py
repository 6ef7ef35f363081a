"""Maximum likelihood for `BasketNet`: each visit of the second half of the weeks, given those before it.

The network hears a shopper's visits from the first one on; nothing of a visit explains itself, and nothing
after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.terminal import worth_telling
from bundlegym.user_models.components.fit_weeks import heard_end
from bundlegym.user_models.components.marketing import Marketing, recency_bins, steadily_sold
from bundlegym.user_models.requirements import check_requirements
from bundlegym.user_models.sequence.net import BasketNet, basket_loss

_BATCH = 768  # visits asked about
#: Rates of learning: of the network, and of the coefficients that all items or departments share.
_RATES = (0.01, 0.05)
_FLOOR = 0.5  # lines, so that no item is impossible


@dataclass(frozen=True)
class Visits:
    """Visits of some weeks, by shopper and time: `shopper`, `day`, `week` (V,) int64, `gap` (V,) float32 days
    since the visit before (0 for none); `line` (V + 1,) int64, where each one's lines begin in `item` (P,)
    int64."""

    shopper: Tensor
    day: Tensor
    week: Tensor
    gap: Tensor
    line: Tensor
    item: Tensor

    @staticmethod
    def of(dataset: Dataset, rows: np.ndarray) -> Visits:
        """The visits `rows`, ascending, of `dataset.visits`."""
        visits = dataset.visits.iloc[rows]
        lines, place = lines_of(dataset, rows)
        gap = visits.groupby("shopper")["day"].diff().fillna(0).to_numpy(np.float32)
        shopper, day, week = (visits[c].to_numpy(np.int64) for c in ("shopper", "day", "week"))
        line = np.searchsorted(place, np.arange(len(rows) + 1))
        item = dataset.purchases["item"].to_numpy(np.int64)[lines]
        return Visits(*map(torch.from_numpy, (shopper, day, week, gap, line, item)))

    def lines(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(P,) place in `rows`, and item, of the lines of some visits."""
        count = self.line[rows + 1] - self.line[rows]
        place = torch.repeat_interleave(torch.arange(len(rows)), count)
        within = torch.arange(len(place)) - (count.cumsum(0) - count)[place]
        return place, self.item[self.line[rows][place] + within]

    def bounds(self) -> Tensor:
        """(K + 1,) where the visits of each shopper who has any begin."""
        new = torch.nonzero(torch.diff(self.shopper))[:, 0] + 1
        return torch.cat([torch.zeros(1, dtype=torch.int64), new, torch.tensor([len(self.shopper)])])


@dataclass(frozen=True)
class Past:
    """What was bought before visits: `place` (E,) of the visit, `item`, `count` and `gap` (bin of days since
    last bought) of each item bought before it."""

    place: Tensor
    item: Tensor
    count: Tensor
    gap: Tensor

    @staticmethod
    def of(visits: Visits, asked: Tensor) -> Past:
        """Before each of the visits `asked`, of what is in `visits`."""
        bounds = visits.bounds()
        first = bounds[torch.searchsorted(bounds, asked, right=True) - 1]
        item, day = visits.item.numpy(), np.repeat(visits.day.numpy(), np.diff(visits.line.numpy()))
        begin, end = visits.line[first].numpy(), visits.line[asked].numpy()
        parts = [_unique(item[b:e], day[b:e]) for b, e in zip(begin, end, strict=True)]
        place = torch.repeat_interleave(
            torch.arange(len(asked)), torch.tensor([len(p[0]) for p in parts], dtype=torch.int64)
        )
        items, counts, last = (torch.from_numpy(np.concatenate(a)) for a in zip(*parts, strict=True))
        now, joined = visits.day[asked][place], visits.day[first][place]
        interval = own_interval(now, joined, counts)
        gap = recency_bins(now, last[:, None], interval[:, None])[:, 0]
        return Past(place, items, counts.float(), gap)


def _unique(item: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items of a history in order of time, how often each occurs, and the day of the last time."""
    items, index, counts = np.unique(item[::-1], return_index=True, return_counts=True)
    return items, counts, day[::-1][index]


def own_interval(day: Tensor, joined: Tensor, count: Tensor) -> Tensor:
    """Days between purchases of an item bought `count` times since the shopper joined, at least 1."""
    return ((day - joined + 7) / (count + 1)).clamp(min=1.0)


def fit_net(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    *,
    width: int,
    epochs: int,
    seed: int,
    progress: Callable[[str], None],
) -> BasketNet:
    """The network, fitted on the visits of `shoppers` (mask) in `weeks`.

    Raises:
        UserError: the weeks hold too few visits.
    """
    check_requirements("sequence", dataset, weeks, shoppers)
    visits = Visits.of(dataset, visit_rows(dataset, weeks, shoppers))
    cut = heard_end(weeks)
    torch_state = torch.get_rng_state()
    torch.manual_seed(seed)
    count = torch.bincount(visits.item, minlength=dataset.n_items) + _FLOOR
    net = BasketNet(
        (count / count.sum()).float(),
        torch.from_numpy(dataset.subcategory_code),
        torch.from_numpy(dataset.department_code),
        torch.from_numpy(steadily_sold(dataset, weeks)),
        width,
    )
    torch.set_rng_state(torch_state)
    marketing = Marketing.of(dataset, weeks)
    shop = [torch.from_numpy(m) for m in (marketing.log_discount, marketing.display, marketing.mailer)]
    batches = [(rows, Past.of(visits, rows[ask]), ask) for rows, ask in _batches(visits, visits.week >= cut)]
    shared = net.coefficients()
    groups = [p for p in net.parameters() if all(p is not c for c in shared)], shared
    optimiser = torch.optim.Adam(
        [{"params": part, "lr": rate} for part, rate in zip(groups, _RATES, strict=True)]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, list(_RATES), epochs * len(batches))
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        total, lines = 0.0, 0
        for number in rng.permutation(len(batches)):
            rows, past, ask = batches[number]
            target = rows[ask]
            utility = _utility(net, visits, rows, past, ask, net.marketing_effect(*shop)[visits.week[target]])
            row, item = visits.lines(target)
            loss = basket_loss(utility, row, item, (visits.line[target + 1] - visits.line[target]).float())
            optimiser.zero_grad()
            ((loss + net.prior() / len(batches)) / len(item)).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                log_share = utility[row, item] - utility.logsumexp(1)[row]
                total, lines = total - float(log_share.sum()), lines + len(item)
        if worth_telling(epoch, epochs):
            progress(f"user model: epoch {epoch + 1} of {epochs}, {total / lines:.4f} nats a line")
    return net


def _utility(
    net: BasketNet, visits: Visits, rows: Tensor, past: Past, ask: Tensor, marketing_effect: Tensor
) -> Tensor:
    """(N, I) log rates at the N asked of the visits `rows`, up to what a visit's items have in common."""
    hidden = hidden_after(net, visits, rows)
    first = torch.diff(visits.shopper[rows], prepend=torch.tensor([-1])) != 0
    before = torch.roll(hidden, 1, 0).masked_fill(first[:, None], 0.0)[ask]
    n = len(before)
    by_group = torch.zeros(n, len(net.group_share))
    by_group.index_put_((past.place, net.group[past.item]), past.count, accumulate=True)
    utility = (net.by_group(by_group) + before @ net.subcategory.T)[:, net.group]
    utility = utility + before @ net.item.T + net.bias + marketing_effect
    return utility.index_put((past.place, past.item), net.own(past.count, past.item, past.gap), True)


def hidden_after(net: BasketNet, visits: Visits, rows: Tensor) -> Tensor:
    """(R, width) state after each of the visits `rows`: all of some shoppers, by shopper and time."""
    place, item = visits.lines(rows)
    heard = net.visits(item, torch.searchsorted(place, torch.arange(len(rows))), visits.gap[rows])
    _, count = torch.unique_consecutive(visits.shopper[rows], return_counts=True)
    packed = torch.nn.utils.rnn.pack_sequence(list(heard.split(count.tolist())), enforce_sorted=False)
    out, length = torch.nn.utils.rnn.pad_packed_sequence(net.cell(packed)[0], batch_first=True)
    return out[torch.arange(out.shape[1]) < length[:, None]]


def _batches(visits: Visits, asked: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Visits of about `_BATCH` to ask about, of shoppers with histories alike in length, and which of them
    are asked about."""
    bounds = visits.bounds()
    parts = [torch.arange(int(b), int(e)) for b, e in zip(bounds[:-1], bounds[1:], strict=True)]
    batch: list[Tensor] = []
    held = 0
    for part in sorted(parts, key=len):
        batch.append(part)
        held += int(asked[part].sum())
        if held >= _BATCH:
            rows = torch.cat(batch)
            yield rows, asked[rows]
            batch, held = [], 0
    if held:
        rows = torch.cat(batch)
        yield rows, asked[rows]
