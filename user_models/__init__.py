"""Who reacts: the `UserModel` contract and the models fitted from logs."""

from bundlegym.lazy import loaded_when_asked

#: name -> the module that has it; `__init__.pyi` gives their types. What is compiled needs no torch.
_MODULES = {
    "Answer": "bundlegym.user_models.single",
    "ChoiceShopper": "bundlegym.user_models.choice",
    "Draws": "bundlegym.user_models.rng.counter",
    "LookalikeShopper": "bundlegym.user_models.lookalike",
    "Offer": "bundlegym.user_models.base",
    "PlainShopper": "bundlegym.user_models.single",
    "PlainShoppers": "bundlegym.user_models.single",
    "ReplayShopper": "bundlegym.user_models.replay",
    "Response": "bundlegym.user_models.base",
    "SequenceShopper": "bundlegym.user_models.sequence",
    "State": "bundlegym.user_models.base",
    "UserModel": "bundlegym.user_models.base",
    "Visit": "bundlegym.user_models.single",
    "build_user_model": "bundlegym.user_models.registry",
}
__all__ = list(_MODULES)
__getattr__, __dir__ = loaded_when_asked(__name__, _MODULES)
