"""Who reacts: the `UserModel` contract and the models fitted from logs."""

from bundlegym.user_models.base import Offer, Response, State, UserModel
from bundlegym.user_models.build import build_user_model
from bundlegym.user_models.choice import ChoiceShopper
from bundlegym.user_models.draws import Draws
from bundlegym.user_models.plain import Answer, PlainShopper, PlainShoppers, Visit

__all__ = [
    "Answer", "ChoiceShopper", "Draws", "Offer", "PlainShopper", "PlainShoppers", "Response", "State",
    "UserModel", "Visit", "build_user_model",
]  # fmt: skip
