"""The recurrent network of `SequenceShopper`: what a shopper's past visits say of the items of the next one.

The hidden state h is that of a gated recurrent unit (Cho et al. 2014) over visits, each the mean of its
items' embeddings with the size of the basket and the days since the visit before. The log rate of item i of
subcategory g, up to what is common to all, is

    b_i + h (U_g + V_i)                                                   what the past visits call for
    + f1 log(1 + n_i / (k1 w_i)) + gap[days since last bought]            bought n_i > 0 times before
    + f2 log(1 + n_g / (k2 q_g)) - f3 log(1 + n_g / k1)                   subcategory bought n_g times before
    + slope_department log(list / shelf price) + display + mailer         what the shop does this week

with w_i the item's share of its subcategory's lines and q_g the subcategory's of all. Were f1 = f2 = f3 = 1,
frequencies would be means of a hierarchical Dirichlet distribution. Slopes are positive by softplus.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, softplus

#: Edges of days since last bought, in units of the shopper's interval; bin 0 is "never", see `recency_bins`.
GAP_BINS = 11


class BasketNet(nn.Module):
    """See the module's docstring.

    Args:
        share: (I,) of lines by item; group, department: (I,) int64 codes, group by subcategory; steady: (I,)
            bool, sold in most weeks, so that its prices are known; width: of the hidden state.
    """

    def __init__(self, share: Tensor, group: Tensor, department: Tensor, steady: Tensor, width: int) -> None:
        super().__init__()
        n_items, n_groups = len(share), int(group.max()) + 1
        group_share = torch.zeros(n_groups).index_add(0, group, share)
        self.group, self.department, self.steady = group, department, steady
        self.within, self.group_share = share / group_share[group], group_share
        self.bias = nn.Parameter(torch.log(share))
        self.heard = nn.Parameter(0.1 * torch.randn(n_items, width))
        self.heard_group = nn.Parameter(0.3 * torch.randn(n_groups, width))
        self.cell = nn.GRU(width + 2, width, batch_first=True)
        self.item = nn.Parameter(torch.zeros(n_items, width))
        self.subcategory = nn.Parameter(torch.zeros(n_groups, width))
        self.frequency = nn.Parameter(torch.tensor([0.8, 0.8, 0.8]))
        self.log_weight = nn.Parameter(torch.log(torch.tensor([4.0, 250.0])))
        self.gap = nn.Parameter(torch.zeros(GAP_BINS))
        self.price = nn.Parameter(torch.tensor(2.0))
        self.price_department = nn.Parameter(torch.zeros(int(department.max()) + 1))
        self.price_unsteady = nn.Parameter(torch.tensor(2.0))
        self.promotion = nn.Parameter(torch.zeros(2))

    def visits(self, item: Tensor, start: Tensor, gap: Tensor) -> Tensor:
        """(V, width + 2) what the unit hears of V visits: their lines' items begin at `start` (V,) in `item`
        (P,); `gap` (V,) days since the visit before."""
        mean = embedding_bag(item, self.hearing(), start, mode="mean")
        size = torch.diff(start, append=torch.tensor([len(item)]))
        return torch.cat([mean, torch.log1p(torch.stack([size.float(), gap], 1))], 1)

    def hearing(self) -> Tensor:
        """(I, width) embeddings of items that were bought."""
        return self.heard + self.heard_group[self.group]

    def calling(self) -> Tensor:
        """(I, width) embeddings of items that may be bought."""
        return self.item + self.subcategory[self.group]

    def own(self, count: Tensor, item: Tensor, gap: Tensor) -> Tensor:
        """What having bought `item` `count` times, `gap` (bin) ago, adds; all of one shape."""
        known = torch.log1p(count / (torch.exp(self.log_weight[0]) * self.within[item]))
        return (self.frequency[0] * known + self.gap[gap]) * (count > 0)

    def by_group(self, count: Tensor) -> Tensor:
        """(N, G) what having bought subcategories `count` (N, G) times adds."""
        weight = torch.exp(self.log_weight)
        liking = torch.log1p(count / (weight[1] * self.group_share))
        return self.frequency[1] * liking - self.frequency[2] * torch.log1p(count / weight[0])

    def slope(self) -> Tensor:
        """(I,) of utility in log price, by department."""
        return softplus(self.price + self.price_department)[self.department]

    def marketing_effect(self, log_discount: Tensor, display: Tensor, mailer: Tensor) -> Tensor:
        """(W, I) what prices and promotions (W, I) of some weeks add, while fitting: the response of items
        that are not sold steadily is set apart, since the log misses their weeks without a sale."""
        slope = torch.where(self.steady, self.slope(), softplus(self.price_unsteady))
        return log_discount * slope + self.promotion[0] * display + self.promotion[1] * mailer

    def coefficients(self) -> list[nn.Parameter]:
        """What all items, or those of a department, have in common."""
        return [
            self.frequency, self.log_weight, self.gap, self.price, self.price_department,
            self.price_unsteady, self.promotion,
        ]  # fmt: skip

    def prior(self) -> Tensor:
        """() minus the log of normal priors, in nats."""
        items = (self.item / 0.1).square().sum() + (self.subcategory / 0.3).square().sum()
        heard = (self.heard / 0.3).square().sum() + self.heard_group.square().sum()
        return 0.5 * (items + heard + (self.price_department / 0.5).square().sum())


def basket_loss(utility: Tensor, row: Tensor, item: Tensor, lines: Tensor) -> Tensor:
    """() sum over visits of -log of the chance of the basket under purchases of item i with chance
    1 - exp(-r_i), r_i = c share_i: the model that is simulated. `utility` (N, I), `lines` (N,) lines a visit,
    `row` and `item` (P,) the lines; c is the one under which the basket is likeliest, to second order."""
    log_share = utility[row, item] - utility.logsumexp(1)[row]
    held = torch.zeros(len(lines)).index_add(0, row, log_share.detach().exp())
    log_rate = log_share + torch.log(lines / (1 - 0.5 * held).clamp(min=0.5))[row]
    # log(1 - exp(-r)) + r, over the items bought, less the sum of all rates, which does not depend on shares.
    return -(torch.log(-torch.expm1(-log_rate.exp())) + log_rate.exp()).sum()
