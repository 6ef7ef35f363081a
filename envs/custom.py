"""Rewards and observation blocks by name, and how to bring one's own.

A reward is a function of the named components of the visits that just ended; an observation block is a
function of the core. Either may be given as an object, or as `module:name` where a name is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from torch import Tensor

from bundlegym.envs.base import COMPONENTS, FEATURE_LIMIT, EnvConfig, Reward
from bundlegym.errors import UserError
from bundlegym.plugins import load

if TYPE_CHECKING:
    from bundlegym.envs.core import BundleCore

#: `block(core) -> (N, width)` float; only what a shop would know may stand in it.
Block = Callable[["BundleCore"], Tensor]


def _profile(core: BundleCore) -> Tensor:
    return _within_limits(core.market.profile[core.records.shopper])


# No lambdas: a core can be pickled.
_OWN: dict[str, Block] = {
    "shopper": attrgetter("shopper_block"),
    "context": attrgetter("context"),
    "candidates": attrgetter("flat_features"),
    "picked": attrgetter("picked"),
    "profile": _profile,
}


def check_names(config: EnvConfig) -> None:
    """That each reward and block is one of ours or of the form `module:name`; nothing is imported.

    Raises:
        UserError: one is neither.
    """
    _check_name("reward", config.reward, COMPONENTS)
    for name in config.observation:
        _check_name("observation", name, _OWN)


def _check_name(what: str, name: str, known: Iterable[str]) -> None:
    if ":" not in name and name not in known:
        raise UserError(f"{what} {name!r}: is none of {', '.join(known)}, nor of the form module:name")


def reward_of(name: str) -> Reward:
    """The reward called `name`: a component, or `module:name` of a function over all of them.

    Raises:
        UserError: there is none.
    """
    _check_name("reward", name, COMPONENTS)
    return load(name, "reward") if ":" in name else itemgetter(name)


def blocks_of(config: EnvConfig, further: Mapping[str, Block] | None) -> dict[str, Block]:
    """Observation blocks by name: those that `config.observation` names, then `further` ones.

    Raises:
        UserError: a name is not known.
    """
    blocks = {}
    for name in config.observation:
        _check_name("observation", name, _OWN)
        if ":" in name:
            blocks[name.rpartition(":")[2]] = _bounded(load(name, "observation"))
        else:
            blocks[name] = _OWN[name]
    return blocks | {name: _bounded(block) for name, block in (further or {}).items()}


def _bounded(block: Block) -> Block:
    return partial(_block_within_limits, block)


def _block_within_limits(block: Block, core: BundleCore) -> Tensor:
    return _within_limits(block(core))


def _within_limits(block: Tensor) -> Tensor:
    return block.float().clamp(-FEATURE_LIMIT, FEATURE_LIMIT)
