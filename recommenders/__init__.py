"""Supervised models of what a shopper buys: candidates, embeddings, baselines."""

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.copurchase import category_synergy, synergy_embeddings
from bundlegym.recommenders.frequency import PersonalFrequency
from bundlegym.recommenders.interactions import Content, Interactions
from bundlegym.recommenders.registry import RECOMMENDERS, load_recommender, make_recommender

__all__ = [
    "RECOMMENDERS",
    "Content",
    "Interactions",
    "PersonalFrequency",
    "Recommender",
    "category_synergy",
    "load_recommender",
    "make_recommender",
    "synergy_embeddings",
]
