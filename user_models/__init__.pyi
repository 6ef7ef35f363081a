"""The types of what `__init__.py` loads when it is asked for."""

from bundlegym.user_models.base import Offer as Offer
from bundlegym.user_models.base import Response as Response
from bundlegym.user_models.base import State as State
from bundlegym.user_models.base import UserModel as UserModel
from bundlegym.user_models.choice import ChoiceShopper as ChoiceShopper
from bundlegym.user_models.lookalike import LookalikeShopper as LookalikeShopper
from bundlegym.user_models.registry import build_user_model as build_user_model
from bundlegym.user_models.replay import ReplayShopper as ReplayShopper
from bundlegym.user_models.rng.counter import Draws as Draws
from bundlegym.user_models.sequence import SequenceShopper as SequenceShopper
from bundlegym.user_models.single import Answer as Answer
from bundlegym.user_models.single import PlainShopper as PlainShopper
from bundlegym.user_models.single import PlainShoppers as PlainShoppers
from bundlegym.user_models.single import Visit as Visit

__all__: list[str]
