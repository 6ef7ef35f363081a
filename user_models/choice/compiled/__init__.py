"""A visit of a `ChoiceShopper` compiled for a CPU; `reference` says the same in torch."""
