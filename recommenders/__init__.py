"""Supervised models of what a shopper buys: candidates, embeddings, baselines."""

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.copurchase import category_synergy, synergy_embeddings
from bundlegym.recommenders.dirichlet_shares import PersonalFrequency
from bundlegym.recommenders.interactions import Content, Interactions
from bundlegym.recommenders.profile import ShopperProfile, shopper_profile
from bundlegym.recommenders.registry import RECOMMENDERS, check_installed, load_recommender, make_recommender
from bundlegym.recommenders.retrieval import item_vectors, shortlist
from bundlegym.recommenders.shopper_vectors import ShopperVectors, check_shopper_vectors

__all__ = [
    "RECOMMENDERS",
    "Content",
    "Interactions",
    "PersonalFrequency",
    "Recommender",
    "ShopperProfile",
    "ShopperVectors",
    "category_synergy",
    "check_installed",
    "check_shopper_vectors",
    "item_vectors",
    "load_recommender",
    "make_recommender",
    "shopper_profile",
    "shortlist",
    "synergy_embeddings",
]
