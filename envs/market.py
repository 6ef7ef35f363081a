"""What the shop itself knows, as tensors: the source of candidates and observations.

Everything here is computed from the training weeks of the log, never from a user model; prices and promotions
are the shop's own plan for the week at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.envs import reference
from bundlegym.envs.arrays import History
from bundlegym.envs.base import EMBEDDING_SIZE, FEATURE_LIMIT
from bundlegym.errors import UserError
from bundlegym.recommenders import (
    PersonalFrequency,
    Recommender,
    category_synergy,
    retrieval,
    synergy_embeddings,
)
from bundlegym.recommenders.profile import shopper_profile
from bundlegym.recommenders.recency import shortlisted_purchases
from bundlegym.recommenders.shopper_tables import (
    RETRIEVAL_NOISE,
    SHOPPER_FEATURES,
    Purchases,
    ShopperRule,
    ShopperTables,
    by_rank,
)

__all__ = [
    "RETRIEVAL_NOISE", "SHOPPER_FEATURES", "WEEK_FEATURES", "CandidateSource", "Market", "build_market",
    "recommended", "with_shoppers",
]  # fmt: skip

#: `source(dataset) -> items (S, L) integer codes without repeats in a row, scores (S, L) float`, numpy both.
#: Scores are on a log scale: an item that scores higher by log 2 becomes a candidate about twice as often.
CandidateSource = Callable[[Dataset], tuple[np.ndarray, np.ndarray]]

WEEK_FEATURES = ("log_price", "rebate", "unit_margin", "margin_share", "display", "mailer")


@dataclass(frozen=True)
class Market:
    """Attributes (S shoppers, I items, W weeks, L shortlisted items a shopper):

    shortlist: (S, L) int64, ascending item codes; only these become candidates.
    rule: how the tables of shoppers are made of their purchases.
    retrieval_penalty: (S, L) exp((best score - score) / noise); retrieval multiplies draws of Exp(1) by it
        and keeps the items with the least products.
    log_share: (S, L) log of the shopper's share of purchase lines, shrunk to the shop's.
    interval: (S, L) days between purchases.
    bought_start: (S + 1,) int64, bought_slot: (P,) int32, bought_day: (P,) int16: see `arrays.History`.
    shelf_price, list_price, unit_cost: (W, I) money a piece.
    week_features: (W, I, 6), names in `WEEK_FEATURES`.
    item_features: (I, 1 + E) log popularity and embedding.
    synergy: (C, C) log lift of categories after taste. category: (I,).
    shopper_features: (S, F) standardised; names in `SHOPPER_FEATURES`.
    profile: (S, P) the block `profile` of observations: what `shopper_profile` says of each shopper.
    profile_names: (P,) what its columns are called.
    shopper_vectors: (S, V) the block `shopper_embedding` of observations; V is 0 where none were given.
    names: (I,) what to call the items when they are shown.
    """

    shortlist: Tensor
    retrieval_penalty: Tensor
    log_share: Tensor
    interval: Tensor
    bought_start: Tensor
    bought_slot: Tensor
    bought_day: Tensor
    shelf_price: Tensor
    list_price: Tensor
    unit_cost: Tensor
    week_features: Tensor
    item_features: Tensor
    synergy: Tensor
    category: Tensor
    shopper_features: Tensor
    profile: Tensor
    profile_names: tuple[str, ...]
    shopper_vectors: Tensor
    names: tuple[str, ...]
    rule: ShopperRule

    def week(self, day: Tensor) -> Tensor:
        """The week of `day` in the tables by week; days before or after them have the nearest one."""
        return (day // 7).clamp(0, len(self.unit_cost) - 1)

    def last_bought(self, shopper: Tensor, day: Tensor) -> Tensor:
        """(M, L) int16, the day on which shoppers (M,) last bought each item of their shortlists before the
        week of `day` (M,), -1 for never."""
        history = History(self.bought_start, self.bought_slot, self.bought_day)
        return reference.last_bought(shopper, 7 * self.week(day), history, self.shortlist.shape[1])


def build_market(
    dataset: Dataset,
    shortlist_size: int = 160,
    device: torch.device | str = "cpu",
    candidates: CandidateSource | None = None,
    embeddings: np.ndarray | None = None,
    shopper_embeddings: np.ndarray | None = None,
) -> Market:
    """Read a `Market` off the training weeks of a data set.

    Args:
        shortlist_size: items a shopper that can become candidates, where `candidates` is not given.
        candidates: who may become a candidate; by default each shopper's most likely items.
        embeddings: (I, EMBEDDING_SIZE) of the items; by default of their categories' synergies.
        shopper_embeddings: (S, V) of the shoppers, such as `recommenders.ShopperVectors.as_of` the end of the
            training weeks; by default none.

    Raises:
        UserError: `candidates` gives items or scores, or embeddings have, a wrong shape or range.
    """
    weeks = dataset.split.train_weeks
    taste = PersonalFrequency.fit(dataset, weeks)
    rule = ShopperRule.of(dataset, weeks, taste, shortlist_size)
    chosen = None if candidates is None else _checked(*candidates(dataset), dataset)
    tables, _ = rule.as_of(Purchases.of(dataset), dataset.n_shoppers, 7 * weeks[1], chosen=chosen)
    synergy = category_synergy(dataset, taste, weeks)
    if embeddings is None:
        embeddings = synergy_embeddings(synergy, taste.category, EMBEDDING_SIZE)
    if embeddings.shape != (dataset.n_items, EMBEDDING_SIZE):
        raise UserError(f"embeddings {embeddings.shape}: must be ({dataset.n_items}, {EMBEDDING_SIZE})")
    if shopper_embeddings is None:
        shopper_embeddings = np.zeros((dataset.n_shoppers, 0), dtype=np.float32)
    if shopper_embeddings.ndim != 2 or len(shopper_embeddings) != dataset.n_shoppers:
        rows = f"a row for each of {dataset.n_shoppers} shoppers"
        raise UserError(f"shopper_embeddings {shopper_embeddings.shape}: must be {rows}")
    for name, vectors in (("embeddings", embeddings), ("shopper_embeddings", shopper_embeddings)):
        if not np.isfinite(vectors).all():
            raise UserError(f"{name}: must be finite")
    profile = shopper_profile(dataset, weeks)
    popularity = np.log(taste.popularity)[:, None] / 2 + 4
    arrays = {
        **vars(tables),
        **dict(zip(History._fields, shortlisted_purchases(dataset, tables.shortlist), strict=True)),
        "shelf_price": dataset.shelf_price.T,
        "list_price": dataset.list_price.T,
        "unit_cost": dataset.unit_cost.T,
        "week_features": _week_features(dataset),
        "item_features": _bounded(np.concatenate([popularity, embeddings], 1)),
        "synergy": synergy,
        "category": taste.category,
        "profile": profile.values,
        "shopper_vectors": _bounded(shopper_embeddings),
    }
    items = dataset.items
    names = tuple(str(n or f"item {i}") for n, i in zip(items["name"], items["item"], strict=True))
    tensors = {name: _tensor(value).to(device) for name, value in arrays.items()}
    return Market(**tensors, profile_names=profile.names, names=names, rule=rule)


def _tensor(value: np.ndarray) -> Tensor:
    """A contiguous copy; floats as float32."""
    return torch.from_numpy(
        np.array(value, dtype=np.float32 if value.dtype.kind == "f" else value.dtype, order="C")
    )


def with_shoppers(
    market: Market, rows: np.ndarray, size: int, tables: ShopperTables, vectors: np.ndarray | None = None
) -> Market:
    """A market of `size` shoppers of whom only those of `rows` (n,) may be met, with these tables and vectors
    (n, V); what they bought before must be told (`BundleCore.place`). Whom `market` does not know has the
    mean profile."""
    device = market.profile.device

    def spread(value: np.ndarray) -> Tensor:
        table = np.zeros((size, *value.shape[1:]), dtype=value.dtype)
        table[rows] = value
        return _tensor(table).to(device)

    own = vars(tables) | ({} if vectors is None else {"shopper_vectors": _bounded(vectors)})
    changed: dict[str, Any] = {name: spread(value) for name, value in own.items()}
    profile = torch.zeros(size, market.profile.shape[1], device=device)
    profile[: len(market.profile)] = market.profile[:size]
    nothing: list[np.ndarray] = [np.zeros(size + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int16)]
    changed |= {name: _tensor(v).to(device) for name, v in zip(History._fields, nothing, strict=True)}
    return replace(market, **changed, profile=profile)


def _week_features(dataset: Dataset) -> np.ndarray:
    """(W, I, 6) what a week's plan says of each item, scaled to about unit size."""
    price, cost = dataset.shelf_price.T, dataset.unit_cost.T
    columns = [
        np.log(price),
        np.log(dataset.list_price.T / price) * 4,
        price - cost,
        (price - cost) / price * 2,
        dataset.display.T,
        dataset.mailer.T,
    ]
    return _bounded(np.stack(columns, 2))


def _bounded(features: np.ndarray) -> np.ndarray:
    """What an observation may hold."""
    return features.clip(-FEATURE_LIMIT, FEATURE_LIMIT)


def _checked(items: np.ndarray, scores: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """A candidate source's answer in ascending code order."""
    items, scores = np.asarray(items), np.asarray(scores, dtype=np.float32)
    shape = f"items {items.shape}, scores {scores.shape}"
    if items.ndim != 2 or items.shape != scores.shape or len(items) != dataset.n_shoppers:
        raise UserError(f"candidate source: {shape}; must both be ({dataset.n_shoppers} shoppers, L)")
    order = np.argsort(items, 1)
    items, scores = np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1)
    if items.dtype.kind not in "iu" or items.min() < 0 or items.max() >= dataset.n_items:
        raise UserError(f"candidate source: items must be integer codes in 0..{dataset.n_items - 1}")
    if (np.diff(items, axis=1) == 0).any():
        raise UserError("candidate source: a shopper's items must not repeat")
    if not np.isfinite(scores).all():
        raise UserError("candidate source: scores must be finite; leave items that shall not come out")
    return items.astype(np.int64), scores


def recommended(model: Recommender, size: int = 160) -> CandidateSource:
    """A fitted recommender's best items as candidates, with scores by rank."""

    def source(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
        items, scores = retrieval.shortlist(model, size)
        return items, by_rank(scores)

    return source
