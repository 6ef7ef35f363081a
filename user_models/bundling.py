"""Mixed bundling (Adams and Yellen 1976): whether a shopper takes an offer whole, at the discount.

Utility falls with log price at slope b, so an item that lacks the utility x <= 0 to be bought at the shelf
price p would be bought at p exp(x / b): this is its *reservation price*, read off the fitted price response.
An item that is bought anyway pays for itself. Taking the bundle saves the discount on one unit of each item,
and costs, for each item that would not have been bought, what it is short of its shelf price:

    take if   discount * sum(p)  >=  sum over items not bought anyway of  p - p exp(x / b).

This is the choice between the best basket that holds the whole bundle, at its price, and the best basket at
shelf prices, in money: the surplus of what is bought in both cancels, so nothing is said of how much more
than its price an item is worth. Shortfalls lie between 0 and p, and are finite for every slope. One item by
itself is taken when x - b log(1 - discount) >= 0, which is when it is bought at a shelf price as low.
"""

from __future__ import annotations

import torch
from torch import Tensor


def shortfall(value: Tensor, price: Tensor, slope: Tensor) -> Tensor:
    """What items are short of their shelf price, in money, 0..price: `price` less the price at which the
    shopper would buy; tensors of one shape.

    Args:
        value: utility that the item has beyond, or below 0 lacks for, being bought at the shelf price.
        price: at the shelf.
        slope: utility in minus log price, > 0.
    """
    return -price * torch.expm1(value.clamp(max=0.0) / slope)


def takes_whole(
    value: Tensor,
    wanted: Tensor,
    price: Tensor,
    slope: Tensor,
    here: Tensor,
    discount: Tensor,
    pull: float = 0.0,
) -> Tensor:
    """(N,) bool: the shopper takes the bundle whole.

    At no discount, and without a pull, it is taken where all of it would be bought anyway, and else not.

    Args:
        value, price, slope: (N, B) of the bundle's slots, as in `shortfall`.
        wanted: (N, B) bool, bought at the shelf price anyway.
        here: (N, B) bool, False where a slot is empty.
        discount: (N,) share off the price of the whole bundle.
        pull: utility of taking a bundle as such, worth what as much utility is worth on its mean item.
    """
    missing = here & ~wanted
    short = (shortfall(value, price, slope) * missing).sum(1)
    size = here.sum(1).clamp(min=1)
    liking = (shortfall(torch.full_like(value, -pull), price, slope) * here).sum(1) / size
    saving = discount * (price * here).sum(1) + liking
    return here.any(1) & (~missing.any(1) | ((saving > 0) & (saving >= short)))
