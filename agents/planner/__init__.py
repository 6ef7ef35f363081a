"""The planner: at each visit the offer with the greatest expected incremental margin under a fitted model.

`policy` says how it goes about; `search` finds a few offers that are worth a full simulation, by
`direct_gains` in closed form where the model allows it; `simulated_gains` simulates the whole visit; `ties`
says what stands first of equals.
"""

from bundlegym.agents.planner.policy import Plan, Planner, items_of
from bundlegym.envs.open_visits import OpenVisits

__all__ = ["OpenVisits", "Plan", "Planner", "items_of"]
