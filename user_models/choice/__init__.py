"""`ChoiceShopper`, a file for each idea: `whole` puts the stages of a fit in order, `utility`, `tail` and
`enough` say in torch what is bought, and the `kernels` say the same compiled for the CPU."""

from bundlegym.user_models.choice.model import ChoiceShopper

__all__ = ["ChoiceShopper"]
