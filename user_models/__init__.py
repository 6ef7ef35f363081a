"""Who reacts: the `UserModel` contract and the models fitted from logs."""

from bundlegym.user_models.base import Offer, Response, State, UserModel
from bundlegym.user_models.choice import ChoiceShopper
from bundlegym.user_models.draws import Draws

__all__ = ["ChoiceShopper", "Draws", "Offer", "Response", "State", "UserModel"]
