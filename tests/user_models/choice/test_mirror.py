"""What is said twice, in torch and compiled, goes by one name."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

import pytest

from bundlegym.user_models.choice import compiled

#: How arrays are laid out, and what all parts are made with.
ONLY_COMPILED = {"layout", "parts", "prefetch"}
MODULES = sorted({module.name for module in iter_modules(compiled.__path__)} - ONLY_COMPILED)
#: Where the torch of a compiled module may be: of the visit itself, or of a component that others share.
PLACES = ("choice.reference", "components", "")
#: Compiled functions without a counterpart, and why.
WITHOUT = {
    ("utility", "needed"): "in torch an item's luck is `Draws.gumbel`; this is exp of less that",
    ("utility", "pull_by"): "two loops over `pull_effect` that are fast together",
}


def counterpart(name: str) -> ModuleType:
    places = [".".join(filter(None, ("bundlegym.user_models", place, name))) for place in PLACES]
    found = [place for place in places if find_spec(place)]
    assert len(found) == 1, f"compiled.{name} has {found} as its counterpart"
    return import_module(found[0])


def functions(module: ModuleType) -> set[str]:
    """The public ones that are the module's own."""
    found = {name: getattr(value, "py_func", value) for name, value in vars(module).items()}
    return {
        name
        for name, value in found.items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
    }


@pytest.mark.parametrize("name", MODULES)
def test_every_compiled_function_has_a_counterpart_of_its_name(name):
    mine, other = functions(import_module(f"{compiled.__name__}.{name}")), functions(counterpart(name))
    assert mine, f"compiled.{name} has no function that others call"
    assert mine - other == {function for module, function in WITHOUT if module == name}
