"""Substitution within a subcategory: whoever has bought one of two substitutes seldom buys the other at the
same visit.

*Substitutes* are items of one subcategory that are not variants of one product line. Purchases at a visit are
first arrivals of Poisson processes, at the time T = need / rate, of which those before 1 are made. From the
first of a subcategory on, at t, the rates of its substitutes are multiplied by exp(g), g = `substitution` <=
0, so each of them comes at t + (T - t) exp(-g) instead (a Poisson process has no memory). The long tail's
purchases have no order among these: of one whose substitute, and no variant of it, is in the basket already,
as many are made as exp(g) says. In the decision on a bundle a substitute of what is bought first has as much
less time (`offers`). How g is found is in `estimation.substitution`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws


def still_bought(
    p: ChoiceParameters, items: Tensor, value: Tensor, certain: Tensor, bought: Tensor
) -> Tensor:
    """(N, M) which of the items that are `bought` by their `value` alone, -log T, are bought, all that are
    `certain` among them; all (N, M)."""
    row, slot = bought.nonzero(as_tuple=True)
    time = torch.exp(-value[row, slot]).clamp(max=1.0)
    group, line = (code[items[row, slot]] for code in (p.catalogue.subcategory, p.variants.product_line))
    key = row * len(p.substitution.substitution) + group
    order = time.argsort(stable=True)
    order = order[key[order].argsort(stable=True)]
    first = torch.empty_like(order)
    first[order] = order[torch.searchsorted(key[order], key[order])]
    since = time - time[first]
    gone = (line != line[first]) & (time[first] + since * torch.exp(-p.substitution.substitution[group]) >= 1)
    gone &= ~certain[row, slot]
    still = bought.clone()
    still[row[gone], slot[gone]] = False
    return still


def still_wanted(p: ChoiceParameters, row: Tensor, item: Tensor, wanted: Tensor, draws: Draws) -> Tensor:
    """(N, M) bool: which of the items `wanted` (N, M) of the tail, -1 for none, are bought beside the `item`
    (P,) that `row` (P,) holds."""
    mine = torch.arange(len(wanted), device=wanted.device)[:, None]
    group, line = (code[wanted.clamp(min=0)] for code in (p.catalogue.subcategory, p.variants.product_line))
    n_groups, n_products = len(p.substitution.substitution), len(p.variants.follow_prob)
    substitute = torch.isin(mine * n_groups + group, row * n_groups + p.catalogue.subcategory[item])
    variant = torch.isin(mine * n_products + line, row * n_products + p.variants.product_line[item])
    kept = draws.uniform(streams.SUBSTITUTION, line) < torch.exp(p.substitution.substitution[group])
    return kept | variant | ~substitute
