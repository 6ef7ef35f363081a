"""How we know: scoring policies on shoppers and weeks that no fit has seen, and telling it."""

from bundlegym.lazy import loaded_when_asked

#: name -> the module that has it; `__init__.pyi` gives their types.
_MODULES = {
    "estimate": "bundlegym.evaluation.rollout",
    "example_offers": "bundlegym.evaluation.table",
    "format_table": "bundlegym.evaluation.table",
    "play": "bundlegym.evaluation.rollout",
    "read_results": "bundlegym.evaluation.table",
}
__all__ = list(_MODULES)
__getattr__, __dir__ = loaded_when_asked(__name__, _MODULES)
