"""`SequenceShopper`: `net` is the network, `fit` trains it, `tables` puts together what is looked up."""

from bundlegym.user_models.sequence.model import SequenceShopper

__all__ = ["SequenceShopper"]
