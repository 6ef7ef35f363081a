"""Who reacts: the `UserModel` contract and the models fitted from logs."""

from bundlegym.user_models.base import Offer, Response, State, UserModel
from bundlegym.user_models.choice import ChoiceShopper
from bundlegym.user_models.lookalike import LookalikeShopper
from bundlegym.user_models.registry import build_user_model
from bundlegym.user_models.replay import ReplayShopper
from bundlegym.user_models.rng.counter import Draws
from bundlegym.user_models.sequence import SequenceShopper
from bundlegym.user_models.single import Answer, PlainShopper, PlainShoppers, Visit

__all__ = [
    "Answer", "ChoiceShopper", "Draws", "LookalikeShopper", "Offer", "PlainShopper", "PlainShoppers",
    "ReplayShopper", "Response", "SequenceShopper", "State",
    "UserModel", "Visit", "build_user_model",
]  # fmt: skip
