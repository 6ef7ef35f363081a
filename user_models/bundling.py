"""Mixed bundling (Adams and Yellen 1976): whether an offer is taken whole.

Item i has the latent value v = log(rate) + noise and is bought at the shelf price when v > 0. Utility falls
with log price at slope b, so the reservation price is r = price exp(v / b). Taking the bundle whole earns
sum(r with the bundle's synergy) - (1 - discount) sum(price); cherry-picking earns sum(r with the synergy of
what is picked - price) over the items with v > 0; ignoring earns nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor


def takes_whole(
    value: Tensor, price: Tensor, slope: Tensor, here: Tensor, synergy: Tensor, discount: Tensor, pull: float
) -> Tensor:
    """(N,) bool: taking the bundle whole beats both cherry-picking and ignoring it.

    Args:
        value, price, slope, here: (N, B) of the bundle's slots; `here` is 0 where a slot is empty.
        synergy: (N, B, B) between slots, 0 on the diagonal.
        discount: (N,) share off the price of the whole bundle.
        pull: utility of taking a bundle as such.
    """

    def worth(chosen: Tensor) -> Tensor:
        """Reservation prices of the chosen items, each with its synergy to the other chosen ones."""
        gain = (synergy * chosen[:, :, None]).sum(1)
        return chosen * price * torch.exp((value + gain).clamp(max=20.0 * slope) / slope)

    picked = here * (value > 0)
    cherry = (worth(picked) - picked * price).sum(1)
    size = here.sum(1)
    liking = pull * (here * price / slope).sum(1) / size.clamp(min=1)
    whole = worth(here).sum(1) - (1 - discount) * (here * price).sum(1) + liking
    return (size > 0) & (whole >= cherry.clamp(min=0.0))
