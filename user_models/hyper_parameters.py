"""All hyper-parameters as a table; `python -m bundlegym.user_models.hyper_parameters` prints that of
docs/model.md.

It is read off the configuration's fields and the line of doc below each.
"""

from __future__ import annotations

from bundlegym.terminal import say
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.config import Config, fields_of

_HEAD = ("field of `ChoiceConfig`", "default", "meaning")


def table(config: Config = ChoiceConfig()) -> str:
    """A table in Markdown of all fields of a configuration, and of those nested in it."""
    rows = ((f"`{name}`", f"{value}", doc) for name, value, doc in fields_of(config))
    return "\n".join(f"| {' | '.join(row)} |" for row in (_HEAD, ("---",) * len(_HEAD), *rows))


if __name__ == "__main__":
    say(table())
