"""How a `ChoiceShopper` is fitted to a log."""
