"""What is bought together for a common purpose, and what one thing adds to another.

R, the log lift of two categories after taste and basket size, has two explanations. A *mission* is a purpose of
the trip (a party, a baby, baking) that lifts many categories at once: category c's log rate at a visit gains
sum_r L_cr z_r + d_c e_c with z and e standard normal, so that two categories' lift is (L L')_ab. It is a common
cause: selling one of the two does not sell the other. *Synergy* is what few common purposes leave unexplained, of
either sign, as far as it adds up in real baskets (`fit_synergy_scale`). Which part is cause cannot be read off
baskets alone (Gentzkow 2007); giving the common purposes precedence keeps synergy from being overstated.
"""

from __future__ import annotations

import numpy as np
import torch

from bundlegym.data import Dataset, visit_rows
from bundlegym.recommenders import PersonalFrequency
from bundlegym.recommenders.copurchase import category_baskets

#: One purpose for so many categories, and at most so many.
_CATEGORIES_A_MISSION, _MOST_MISSIONS = 20, 8
_LEAST_VARIANCE = 0.15  # of a category's log rate between visits, so that it can take part in a mission


def split_lift(lift: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(C, R) loadings L, (C,) spread d, and (C, C) synergy before scaling, from the log lift R (C, C).

    L L' is the best positive approximation of rank R to the lift, each category weighted by a root of its share
    of lines (C,). What a category's items add to each other bounds the variance it can have.
    """
    rank = min(_MOST_MISSIONS, len(lift) // _CATEGORIES_A_MISSION)
    weight = (share / share.sum()) ** 0.25 + 0.03
    variance = np.diag(lift).clip(min=_LEAST_VARIANCE)
    target = (lift + lift.T) / 2
    np.fill_diagonal(target, variance)
    values, vectors = np.linalg.eigh(target * weight[:, None] * weight)
    lead = slice(len(lift) - rank, None)
    loading = vectors[:, lead] * np.sqrt(values[lead].clip(min=0)) / weight[:, None]
    common = loading @ loading.T
    spread = np.sqrt((np.diag(lift) - np.diag(common)).clip(min=0))
    synergy = lift - common
    # Within a category, what missions leave is spread or, where negative, satiation by substitutes.
    np.fill_diagonal(synergy, np.diag(synergy).clip(max=0))
    return loading.astype(np.float32), spread.astype(np.float32), synergy.astype(np.float32)


def fit_synergy_scale(
    dataset: Dataset,
    taste: PersonalFrequency,
    synergy: np.ndarray,
    common: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int,
) -> float:
    """How much of the pairwise synergy adds up when an item meets half of a basket, by grid likelihood.

    Half of each basket's lines are context, half are targets; p(b | context) is proportional to
    p_s(b) exp(m * sum over the context of `common` + scale * the same of `synergy`), over categories, with m and
    scale on a grid.
    """
    rng = np.random.default_rng(seed)
    rows = visit_rows(dataset, weeks, shoppers)
    rows = np.sort(rng.choice(rows, min(len(rows), 8000), replace=False))
    baskets = category_baskets(dataset, taste.category, rows)
    context = rng.binomial(baskets.astype(int), 0.5).astype(np.float32)
    targets = torch.from_numpy(baskets - context)
    base = torch.from_numpy(np.log(taste.category_share[dataset.visits["shopper"].to_numpy()[rows]]))
    pulls = [torch.from_numpy(context @ part) for part in (common, synergy)]
    grid = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
    scores = {
        (m, s): float((targets * torch.log_softmax(base + m * pulls[0] + s * pulls[1], 1)).sum())
        for m in grid[:6]
        for s in grid
    }
    return max(scores, key=lambda pair: scores[pair])[1]
