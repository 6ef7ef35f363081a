"""Fidelity: how well a user model reproduces logs that it was not fitted on."""

from bundlegym.evaluation.fidelity.measure import Fidelity, measure

__all__ = ["Fidelity", "measure"]
