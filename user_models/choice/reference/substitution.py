"""One of these is enough: who has bought one of two substitutes seldom buys the other at the same visit.

*Substitutes* are items of one subcategory that are not flavours of one product. Purchases at a visit are
first arrivals of Poisson processes, at the time T = need / rate, of which those before 1 are made. From the
first of a subcategory on, at t, the rates of its substitutes are multiplied by exp(g), g = `enough` <= 0, so
each of them comes at t + (T - t) exp(-g) instead (a Poisson process has no memory). The tail's purchases have
no order among these: of one whose substitute, and no flavour of it, is in the basket already, as many are
made as exp(g) says.

In the decision on a bundle a substitute of what is bought first has as much less time (`offers`).

g is found by simulated moments in weeks that tastes have not seen: in those that they were counted in,
shortlists hold the very items that met in a basket, and pairs say nothing. exp(g) of a subcategory is the
number of its pairs of substitutes met in the log as a share of those that simulations without g would hold,
shrunk to that of all subcategories. Pairs with both off the shortlist do not count, since nothing is said of
them. Of substitutes that are bought together g is 0. Liking of a whole subcategory that the model has not
learned makes more pairs meet, so it hides a part of g and adds none.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bundlegym.user_models.base import UserModel
from bundlegym.user_models.panel import simulated_tape
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws

_STEPS = 5
_PAIRS = 10.0  # weight of all subcategories' share in that of each, and of no effect in that of all
_LEAST = -3.0  # a twentieth: fewer than that no count of pairs tells apart


def fit_enough(
    model: UserModel,
    tensors: dict[str, Tensor],
    tape: pd.DataFrame,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
) -> np.ndarray:
    """(G,) float32 g of each subcategory, with which a simulation of `shoppers` (codes) in `weeks` holds as
    many pairs of substitutes as the `tape` of what they bought then, which tastes have not seen; with few
    pairs to go by, as many as all subcategories together say. Replaces `enough` of the model's `tensors`, 0
    to begin with, on the way."""
    enough = np.zeros(len(tensors["enough"]), dtype=np.float32)
    real, usual = _pairs(tape, tensors)
    simulated, kept = np.zeros_like(real), np.zeros_like(real)
    for step in range(_STEPS):
        pairs, by_chance = _pairs(simulated_tape(model, weeks, shoppers, seed + step), tensors)
        weight = (step + 1) ** 2  # of the first little, for where g is far off, so are lines
        simulated += weight * pairs * usual / by_chance
        kept += weight * np.exp(enough)
        free = simulated / kept  # what one simulation would hold without g
        overall = (real.sum() + _PAIRS) / (free.sum() + _PAIRS)
        enough = np.log((real + _PAIRS * overall) / (free + _PAIRS)).clip(_LEAST, 0.0).astype(np.float32)
        tensors["enough"] = torch.from_numpy(enough)
    return enough


def _pairs(tape: pd.DataFrame, t: dict[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """(G,) pairs of substitutes in the baskets of a tape, but for those with both off the shortlist; and (G,)
    what such pairs are in proportion to: the square of the subcategory's share of lines, and pairs of
    different subcategories."""
    group, product = t["group"].numpy(), t["product"].numpy()
    group_of = np.zeros(product.max() + 1, dtype=np.int64)
    group_of[product] = group
    shortlist, item = t["shortlist"].numpy(), tape["item"].to_numpy()
    listed = np.arange(len(shortlist))[:, None] * len(group) + shortlist
    short = np.isin(tape["shopper"].to_numpy() * len(group) + item, listed)
    alike, one_group, every = (
        _pairs_by(tape, code, short) for code in (product, group, np.zeros_like(group))
    )
    share = (np.bincount(group[item], minlength=len(one_group)) + 1.0) / len(item)
    return one_group - np.bincount(group_of, alike), share**2 * (every.sum() - one_group.sum() + 1.0)


def _pairs_by(tape: pd.DataFrame, code: np.ndarray, short: np.ndarray) -> np.ndarray:
    """(max(code) + 1,) pairs of lines of one code (I,) in a basket, of which one at least is `short` (P,)."""
    lines = pd.DataFrame({"visit": tape["visit"], "code": code[tape["item"]], "off": ~short})
    held = lines.groupby(["visit", "code"])["off"].agg(["size", "sum"]).reset_index("code")
    pairs = held["size"] * (held["size"] - 1) / 2 - held["sum"] * (held["sum"] - 1) / 2
    return np.bincount(held["code"], pairs, minlength=int(code.max()) + 1)


def still_bought(
    t: dict[str, Tensor], items: Tensor, value: Tensor, certain: Tensor, bought: Tensor
) -> Tensor:
    """(N, M) which of the items that are `bought` by their `value` alone, -log T, are bought, all that are
    `certain` among them; all (N, M)."""
    row, slot = bought.nonzero(as_tuple=True)
    time = torch.exp(-value[row, slot]).clamp(max=1.0)
    group, product = (t[name][items[row, slot]] for name in ("group", "product"))
    key = row * len(t["enough"]) + group
    order = time.argsort(stable=True)
    order = order[key[order].argsort(stable=True)]
    first = torch.empty_like(order)
    first[order] = order[torch.searchsorted(key[order], key[order])]
    since = time - time[first]
    gone = (product != product[first]) & (time[first] + since * torch.exp(-t["enough"][group]) >= 1)
    gone &= ~certain[row, slot]
    still = bought.clone()
    still[row[gone], slot[gone]] = False
    return still


def still_wanted(t: dict[str, Tensor], row: Tensor, item: Tensor, wanted: Tensor, draws: Draws) -> Tensor:
    """(N, M) bool: which of the items `wanted` (N, M) of the tail, -1 for none, are bought beside the `item`
    (P,) that `row` (P,) holds."""
    mine = torch.arange(len(wanted), device=wanted.device)[:, None]
    group, product = (t[name][wanted.clamp(min=0)] for name in ("group", "product"))
    n_groups, n_products = len(t["enough"]), len(t["follow"])
    substitute = torch.isin(mine * n_groups + group, row * n_groups + t["group"][item])
    flavour = torch.isin(mine * n_products + product, row * n_products + t["product"][item])
    kept = draws.uniform(streams.ENOUGH, product) < torch.exp(t["enough"][group])
    return kept | flavour | ~substitute
