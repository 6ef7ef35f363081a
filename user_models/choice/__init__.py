"""`ChoiceShopper`, a file for each idea: `estimation` fits it, `reference` says in torch what is bought, and
`compiled` says the same for a CPU."""

from bundlegym.user_models.choice.model import ChoiceShopper

__all__ = ["ChoiceShopper"]
