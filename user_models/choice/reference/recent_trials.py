"""What a shopper bought off the shortlist since preferences were counted: each such trial makes another
purchase of the item likelier (trial and repeat).

Preferences know nothing of these items, or little. Each purchase adds to the item's own rate: more where the
item is popular, by a power of how popular it is, and less the more has been tried since, exp(-fade) a
purchase. The three numbers of this are fitted with the other coefficients. In a simulation these items are
drawn as what is remembered is (`long_tail`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.user_models.choice.parameters import Trials

#: So many trials of a shopper are known at most: the latest ones.
TRIALS = 64
#: Stands for "no trial".
NONE = -1


def fading(fade: Tensor | float) -> Tensor:
    """(TRIALS,) what is left of a purchase, the latest first."""
    return torch.exp(-fade * torch.arange(TRIALS))


def trial_weight(p: Trials, trials: Tensor) -> Tensor:
    """(N, TRIALS) what each of `trials` (N, TRIALS) adds to its item's rate; 0 for none."""
    return _weights(trials, p.trial_weight, p.trial_fading)


def _weights(trials: Tensor, weight: Tensor, left: Tensor) -> Tensor:
    return torch.where(trials >= 0, weight[trials.clamp(min=0)] * left, 0.0)


def by_item_of(p: Trials, trials: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row in `trials` (N, TRIALS), item and what its trials add to its rate."""
    return by_item(trials, p.trial_weight, p.trial_fading)


def by_item(trials: Tensor, weight: Tensor, left: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row in `trials` (N, TRIALS), item and what its trials add to its rate:
    `weight` (I,) of the item times what is `left` (TRIALS,)."""
    row, slot = (trials >= 0).nonzero(as_tuple=True)
    key, place = torch.unique(row * len(weight) + trials[row, slot], return_inverse=True)
    each = _weights(trials, weight, left)[row, slot]
    total = torch.zeros(len(key), device=each.device).index_add(0, place, each)
    return key // len(weight), key % len(weight), total


def of_item(p: Trials, trials: Tensor, items: Tensor) -> Tensor:
    """(N, B) what `trials` (N, TRIALS) add to the rates of `items` (N, B)."""
    return p.trial_weight[items] * ((trials[:, None] == items[:, :, None]) * p.trial_fading).sum(2)


def try_more(trials: Tensor, row: Tensor, item: Tensor) -> Tensor:
    """(N, TRIALS) `trials` with what is bought now before what is there: `row` (P,) in it and `item` (P,), of
    each row in their order."""
    order = row.argsort(stable=True)
    row, item = row[order], item[order]
    count = torch.bincount(row, minlength=len(trials))
    now = torch.full((len(trials), int(count.max()) if len(trials) else 0), NONE, dtype=trials.dtype)
    now = now.to(trials.device)
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    now[row, place] = item.to(trials.dtype)
    both = torch.cat([now, trials], 1)
    return both.gather(1, (both < 0).to(torch.int8).argsort(dim=1, stable=True))[:, :TRIALS].contiguous()
