"""A visit of a `ChoiceShopper` in torch, for any device; `compiled` says the same for a CPU."""
