"""The types of what `__init__.py` loads when it is asked for."""

from bundlegym.evaluation.rollout import estimate as estimate
from bundlegym.evaluation.rollout import play as play
from bundlegym.evaluation.table import example_offers as example_offers
from bundlegym.evaluation.table import format_table as format_table
from bundlegym.evaluation.table import read_results as read_results

__all__: list[str]
