"""What is bought together for a common purpose, and what one thing adds to another.

R, the log lift of two categories after taste and basket size, has two explanations, which baskets alone
cannot tell apart (Gentzkow 2007). *Synergy*: holding one raises the log rate of the other by k R. *Missions*:
purposes of the trip (a party, a baby, baking) that lift some categories at once; category c's log rate at a
visit gains s (sum_r L_cr z_r + d_c e_c) with z and e standard normal, stronger (s) on small trips, a common
cause, so that selling one does not sell the other.

They are told apart by promotions, which move the one and have no business with the other: k is the response
of category b to the purchases of a that a's promotions bring, as a share of R_ab. Every mean by week, basket
size and category and by shopper and category is taken out first, so that what is left compares shoppers who
like a more with those who like it less in weeks when a is promoted (a shift-share instrument).

A subcategory that holds many of all lines counts as a category of its own: single bottles of a soft drink
and packs of twelve, or eggs of two sizes, are not bought for one purpose.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders import PersonalFrequency, category_synergy
from bundlegym.recommenders.copurchase import category_baskets
from bundlegym.user_models.components.basket_size import SIZE_EDGES, on_grid
from bundlegym.user_models.components.preferences import subcategories
from bundlegym.user_models.numeric.one_hot import indicator

#: Share of lines from which a subcategory is a category of its own, unless it is nearly all of its category.
_OWN_SHARE, _NEARLY_ALL = 0.005, 0.95
#: One purpose for so many categories, and at most so many.
_CATEGORIES_A_MISSION, _MOST_MISSIONS = 5, 40
_SIZE_EDGES = (2, 4, 8, 14, 22, 35)  # lines of a basket
#: Weight, in pairs of lines, of no lift: smaller than that of a recommender's features, which need no scale.
LIFT_PSEUDO_COUNT = 5.0
_LEAST_VARIANCE = 0.15  # of a category's log rate between visits, so that it can take part in a mission


def shares_by_category(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> PersonalFrequency:
    """Personal frequency with the categories that missions tell apart, by the lines of `shoppers` (mask)."""
    bought = lines_of(dataset, visit_rows(dataset, weeks, shoppers))[0]
    lines = np.bincount(dataset.purchases["item"].to_numpy()[bought], minlength=dataset.n_items)
    _, category = np.unique(dataset.items["category"].astype(str).to_numpy(), return_inverse=True)
    group = subcategories(dataset)
    of_group, of_category = (lines @ indicator(code) for code in (group, category))
    own = (of_group >= _OWN_SHARE * lines.sum())[group]
    own &= of_group[group] < _NEARLY_ALL * of_category[category]
    _, code = np.unique(np.where(own, category.max() + 1 + group, category), return_inverse=True)
    return PersonalFrequency.fit(dataset, weeks, shoppers=shoppers, category=code)


def mission_tables(
    dataset: Dataset,
    taste: PersonalFrequency,
    lift: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
) -> dict[str, np.ndarray]:
    """What missions that explain a log lift (C, C) are drawn from: `mission_loading` (C, R),
    `mission_spread` (C,), `mission_scale` (K,) by the size of the trip in `GRID`, and `category_level` (K,
    C), less the log of what they multiply rates by on average."""
    loading, spread = mission_loadings(lift, taste.category_share[shoppers].mean(0))
    scale = on_grid(mission_scale(dataset, taste, visit_rows(dataset, weeks, shoppers)))
    variance = (loading**2).sum(1) + spread**2
    return {
        "mission_loading": loading,
        "mission_spread": spread,
        "mission_scale": scale.astype(np.float32),
        "category_level": (-(scale[:, None] ** 2) * variance / 2).astype(np.float32),
    }


def mission_loadings(lift: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(C, R) loadings L such that L L' is near a log lift (C, C) that missions explain, each category
    weighted by a root of its share of lines (C,), and (C,) the spread d that a category has beyond. What a
    category's items add to each other bounds the variance it can have."""
    rank = min(_MOST_MISSIONS, len(lift) // _CATEGORIES_A_MISSION)
    weight = (share / share.sum()) ** 0.25 + 0.03
    target = (lift + lift.T) / 2
    np.fill_diagonal(target, np.diag(lift).clip(min=_LEAST_VARIANCE))
    values, vectors = np.linalg.eigh(target * weight[:, None] * weight)
    lead = slice(len(lift) - rank, None)
    loading = vectors[:, lead] * np.sqrt(values[lead].clip(min=0)) / weight[:, None]
    spread = np.sqrt((np.diag(lift) - (loading**2).sum(1)).clip(min=0))
    return np.asarray(loading, dtype=np.float32), np.asarray(spread, dtype=np.float32)


def mission_scale(dataset: Dataset, taste: PersonalFrequency, rows: np.ndarray) -> np.ndarray:
    """(6,) how strong missions are in baskets of each class of `SIZE_EDGES`, as a factor on the loadings:
    small baskets are bought for one purpose. From the lift of two lines of one category."""
    lines = category_baskets(dataset, taste.category, rows)
    size, shopper = lines.sum(1), dataset.visits["shopper"].to_numpy()[rows]
    alike = (lines * (lines - 1)).sum(1)
    chance = (taste.category_share**2).sum(1)[shopper] * size * (size - 1)
    bins, n = np.digitize(size, SIZE_EDGES), len(SIZE_EDGES) + 1
    observed, expected = (np.bincount(bins, weights=w, minlength=n) for w in (alike, chance))
    lift = np.log((observed + 20) / (expected + 20)).clip(min=0)
    overall = np.log((observed.sum() + 20) / (expected.sum() + 20)).clip(min=0.05)
    return np.sqrt(lift / overall).clip(0.5, 2.5).astype(np.float32)


def synergy_share(
    dataset: Dataset,
    taste: PersonalFrequency,
    push: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    seed: int = 0,
) -> tuple[float, float]:
    """k and its standard error, clustered by shopper; `push` (n_weeks, I) is what promotions add to utility.
    0 and infinity where the halves' lifts have nothing in common.

    The lift of one half of the shoppers explains the purchases of the other half: in one and the same baskets
    the noise of the one would explain that of the other. Noise in the lift itself would pull k to 0; it is no
    part of what the two halves' lifts have in common, by which the response is measured (instrumental
    variables).
    """
    codes = np.random.default_rng(seed).permutation(np.flatnonzero(shoppers))
    score, information = [], 0.0
    for mine in (codes[::2], codes[1::2]):
        half = np.isin(np.arange(dataset.n_shoppers), mine)
        lifts = [
            category_synergy(dataset, taste, weeks, LIFT_PSEUDO_COUNT, shoppers=mask)
            for mask in (shoppers & ~half, half)
        ]
        part, amount = _response_to(dataset, taste, lifts, push, weeks, half)
        score.append(part)
        information += amount
    if information <= 0:
        return 0.0, float("inf")
    share = sum(part.sum() for part in score) / information
    return float(share), float(np.sqrt(sum((part**2).sum() for part in score)) / information)


def _response_to(
    dataset: Dataset,
    taste: PersonalFrequency,
    lifts: list[np.ndarray],
    push: np.ndarray,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
) -> tuple[np.ndarray, float]:
    """(n_shoppers,) score of k at 0 by the first lift, and what k = 1 would add to it by the second, from the
    visits of `shoppers`."""
    n_categories = len(lifts[0])
    rows = visit_rows(dataset, weeks, shoppers)
    visits = dataset.visits.iloc[rows]
    shopper, week = visits["shopper"].to_numpy(), visits["week"].to_numpy()
    lines = category_baskets(dataset, taste.category, rows)
    size = lines.sum(1)
    base = np.bincount(taste.category, weights=taste.popularity, minlength=n_categories)
    attraction = np.stack(
        [
            np.bincount(taste.category, taste.popularity * np.exp(p), minlength=n_categories) / base
            for p in push
        ]
    ).astype(np.float32)
    mean = size[:, None] * taste.category_share[shopper]
    brought = mean * (attraction[week] - 1)
    signals = [brought @ (lift - np.diag(np.diag(lift))) for lift in lifts]
    mean *= attraction[week]
    cells = week * (len(_SIZE_EDGES) + 1) + np.digitize(size, _SIZE_EDGES)
    for _ in range(2):
        mean *= ((_sums(cells, lines) + 0.5) / (_sums(cells, mean) + 0.5))[cells]
        mean *= (size / mean.sum(1))[:, None]
    for signal in signals:
        for _ in range(2):
            for code in (cells, shopper):
                signal -= (_sums(code, mean * signal) / np.maximum(_sums(code, mean), 1e-9))[code]
            signal -= ((mean * signal).sum(1) / size)[:, None]
    score = np.bincount(shopper, weights=((lines - mean) * signals[0]).sum(1))
    return score, float((mean * signals[0] * signals[1]).sum(dtype=np.float64))


def _sums(code: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(max(code) + 1, C) sums of the rows of `table` by code."""
    shape = int(code.max(initial=-1)) + 1, len(code)
    one_hot = csr_matrix((np.ones(len(code), np.float32), (code, np.arange(len(code)))), shape)
    return one_hot @ table
