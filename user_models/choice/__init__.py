"""`ChoiceShopper`, a file for each idea: `fit` estimates, `tables` puts together what is looked up, `utility`
and `tail` say in torch what an item is worth, and the `kernels` say the same compiled for the CPU."""

from bundlegym.user_models.choice.shopper import ChoiceShopper

__all__ = ["ChoiceShopper"]
