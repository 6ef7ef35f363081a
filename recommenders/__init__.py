"""Supervised models of what a shopper buys: candidates, embeddings, baselines."""

from bundlegym.recommenders.copurchase import category_synergy, synergy_embeddings
from bundlegym.recommenders.frequency import PersonalFrequency

__all__ = ["PersonalFrequency", "category_synergy", "synergy_embeddings"]
