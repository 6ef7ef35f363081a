"""Vectors of shoppers, of one width, by what they bought: what an observation has of a fitted recommender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.registry import RECOMMENDERS, recommender_class
from bundlegym.recommenders.retrieval import principal_axes
from bundlegym.recommenders.shopper_tables import Purchases


@dataclass(frozen=True)
class ShopperVectors:
    """How a shopper's purchases become a vector: the principal components of a recommender's own vectors.

    Everybody is taken for a stranger whom the recommender has not learned from and knows by purchases alone
    (`Recommender.over`), the shoppers that it was fitted on among them. Factors that were learned for a
    shopper hold more of that shopper's purchases than a stranger's ever can: an agent that trained with them
    would meet other vectors where it is judged.

    Attributes:
        model: a fitted recommender with vectors of shoppers, of length E.
        weeks: of how many weeks purchases count, those that the recommender was fitted on.
        mean: (E,) of the shoppers that it was fitted on, without held-out ones.
        axes: (E, width): a vector v becomes (v - mean) axes, of deviation 1 over these shoppers and columns.
    """

    model: Recommender
    weeks: int
    mean: np.ndarray
    axes: np.ndarray

    @staticmethod
    def of(model: Recommender, width: int) -> ShopperVectors:
        """Of a fitted recommender; columns come in the order of how much they hold, and those beyond what
        there is are 0.

        Raises:
            UserError: the recommender has no vectors of shoppers.
        """
        check_shopper_vectors(model.name)
        log = model.log.training()
        weeks = log.day // 7
        bought = Purchases(log.shopper, log.visit, log.item, log.day)
        vectors = _as_strangers(model, bought, log.n_shoppers)[log.n_visits > 0]
        mean = vectors.mean(axis=0)
        axes = principal_axes(vectors - mean, width)
        deviation = max(float(((vectors - mean) @ axes).std()), 1e-12)
        return ShopperVectors(model, int(np.ptp(weeks)) + 1, mean, axes / deviation)

    def as_of(self, purchases: Purchases, n: int, day: int) -> np.ndarray:
        """(n, width) float32 of n shoppers by what they bought before `day`, 0 for who bought nothing: that
        is the mean shopper. Items that came after the recommender was fitted count for nothing."""
        known = purchases.item < self.model.log.n_items
        recent = (purchases.day < day) & (purchases.day >= day - 7 * self.weeks)
        bought = purchases.where(known & recent)
        vectors = np.zeros((n, self.axes.shape[1]), dtype=np.float32)
        some = np.unique(bought.shopper)
        vectors[some] = (_as_strangers(self.model, bought, n)[some] - self.mean) @ self.axes
        return vectors


def check_shopper_vectors(name: str) -> None:
    """For those who fit a recommender late, and want to know before whether it has vectors of shoppers.

    Raises:
        UserError: there is none of that name, or it has none.
    """
    if not _has_vectors(name):
        having = filter(_has_vectors, RECOMMENDERS)
        raise UserError(f"recommender {name!r} has no vectors of shoppers; {', '.join(having)} have")


def _has_vectors(name: str) -> bool:
    return recommender_class(name).shopper_embeddings is not Recommender.shopper_embeddings


def _as_strangers(model: Recommender, bought: Purchases, n: int) -> np.ndarray:
    """(n, E) the model's vectors of n shoppers, taken for held-out ones behind those that it knows."""
    log = model.log
    strangers = Interactions.from_columns(
        bought.shopper + log.n_shoppers, bought.item, bought.day, visit=bought.visit, content=log.content,
        n_shoppers=log.n_shoppers + n, n_items=log.n_items, held_out=np.r_[log.held_out, np.ones(n, bool)],
    )  # fmt: skip
    vectors = model.over(log.join(strangers)).shopper_embeddings
    assert vectors is not None  # `check_shopper_vectors`
    return vectors[log.n_shoppers :]
