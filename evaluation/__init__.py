"""How we know: scoring policies on shoppers and weeks that no fit has seen, and telling it."""

from bundlegym.evaluation.rollout import estimate, play
from bundlegym.evaluation.table import example_offers, format_table, read_results

__all__ = ["estimate", "example_offers", "format_table", "play", "read_results"]
