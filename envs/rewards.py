"""The reward of a visit by name, and how to bring one's own.

A reward is a function of the named components of the visits that just ended, `base.COMPONENTS`. It is given
as an object, or as `module:name` where a name is expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from bundlegym.envs.base import COMPONENTS, Reward
from bundlegym.errors import UserError
from bundlegym.plugins import load


def check_name(what: str, name: str, known: Iterable[str]) -> None:
    """That a name is among the known ones, or of the form `module:name`; nothing is imported.

    Raises:
        UserError: it is neither; the message begins with `what`.
    """
    if ":" not in name and name not in known:
        raise UserError(f"{what} {name!r}: is none of {', '.join(known)}, nor of the form module:name")


def reward_of(name: str) -> Reward:
    """The reward called `name`: a component, or `module:name` of a function over all of them.

    Raises:
        UserError: there is none.
    """
    check_name("reward", name, COMPONENTS)
    return load(name, "reward") if ":" in name else itemgetter(name)
