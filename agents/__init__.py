"""Who builds bundles: agents that learn, rules, the planner, and one registry of them."""
