"""Every symbol of a model as a table; `python -m bundlegym.user_models.symbols` prints that of docs/model.md.

It is read off the `Spec` of each field and the docstring of each component, so that equations, docs and code
speak of one thing by one name.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

from bundlegym.terminal import say
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.parameters import Parameters

_HEAD = ("symbol", "field of `params`", "shape", "meaning", "file below `user_models/`")
_PACKAGE = Path(__file__).resolve().parent


def table(model: type[Parameters] = ChoiceParameters) -> str:
    """A table in Markdown of the fields of a model's parameters, below a legend of the letters and numbers of
    their shapes."""
    rows = "\n".join(f"| {' | '.join(row)} |" for row in (_HEAD, ("---",) * len(_HEAD), *_rows(model)))
    return f"{legend(model)}\n\n{rows}"


def legend(model: type[Parameters]) -> str:
    """What the docstring of a model's module says of letters and numbers in shapes: all but its first and
    last paragraph."""
    paragraphs = inspect.cleandoc(inspect.getmodule(model).__doc__ or "").split("\n\n")
    return "\n\n".join(paragraphs[1:-1])


def _rows(model: type[Parameters]) -> Iterator[tuple[str, ...]]:
    kinds, last = get_type_hints(model), ""
    for part, name, spec in model.specs():
        kind = kinds[part]
        file = f"`{mechanism_file(kind)}`"
        if part != last:
            yield "", f"**{part}**", "", f"**{_about(kind)}**", file
        symbol = f"${spec.symbol}$" if spec.symbol else ""
        yield symbol, f"`{part}.{name}`", spec.shape, spec.doc, file
        last = part


def _about(kind: type[Parameters]) -> str:
    """The first sentence of a component's docstring, without what it says where to read on."""
    text = " ".join((inspect.getdoc(kind) or "").split())
    return re.split(r"[,:;] see (?:`|the module)|\. ", text)[0].rstrip(".")


def mechanism_file(kind: type[Parameters]) -> str:
    """The file, below `user_models/`, that a component's docstring says to see, else its own."""
    own = Path(inspect.getfile(kind)).resolve()
    named = re.search(r"see\s+`([a-z_.]+)`", inspect.getdoc(kind) or "")
    if named is None:
        return own.relative_to(_PACKAGE).as_posix()
    path = Path(*named[1].split(".")).with_suffix(".py")
    found = own.parent / path if (own.parent / path).exists() else _PACKAGE / path
    return found.relative_to(_PACKAGE).as_posix()


if __name__ == "__main__":
    say(table())
