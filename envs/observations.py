"""The blocks of an observation by name, and how to bring one's own.

A block is a function of the core. It is given as an object, or as `module:name` where a name is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from torch import Tensor

from bundlegym.envs.base import FEATURE_LIMIT, SHOPPER_EMBEDDING
from bundlegym.envs.rewards import check_name
from bundlegym.errors import UserError
from bundlegym.plugins import load

#: `block(core) -> (N, width)` float; only what a shop would know may stand in it. The core is a `BundleCore`,
#: which builds on this module and is therefore not named here.
Block = Callable[[Any], Tensor]


def _profile(core: Any) -> Tensor:
    """(N, P) what `shopper_profile` says of the shoppers at the door."""
    return _within_limits(core.market.profile[core.records.shopper])


def _shopper_embedding(core: Any) -> Tensor:
    """(N, V) the vectors that a recommender gives the shoppers at the door for what they bought.

    Raises:
        UserError: the market has none.
    """
    vectors = core.market.shopper_vectors
    if not vectors.shape[1]:
        raise UserError(
            "observation shopper_embedding: no vectors of shoppers are given; give --shopper-embeddings to "
            "bundlegym train, or shopper_embeddings to make_core"
        )
    return vectors[core.records.shopper]


def _forecasts(core: Any) -> Tensor:
    """(N, (K + 1) F), see `Forecasts.block`."""
    return core.forecasts.block


def _offers_lately(core: Any) -> Tensor:
    """(N, 1) how many offers `PlantedShopper`s still remember: the shop's own doing, which it knows.

    Raises:
        UserError: the user model that reacts is another one, and counts no offers.
    """
    if "offers" not in core.state:
        name = type(core.user_model).__name__
        raise UserError(f"observation offers_lately: {name} counts no offers; leave the block out")
    return core.state["offers"][: core.n, None].float()


#: No lambdas: a core can be pickled.
NAMED_BLOCKS: dict[str, Block] = {
    "shopper": attrgetter("shopper_block"),
    "context": attrgetter("context"),
    "candidates": attrgetter("flat_features"),
    "picked": attrgetter("picked"),
    "profile": _profile,
    SHOPPER_EMBEDDING: _shopper_embedding,
    "forecasts": _forecasts,
    "offers_lately": _offers_lately,
}


def in_place(block: Block) -> bool:
    """Whether a block is a tensor that the core goes on writing into, always the same one."""
    return isinstance(block, attrgetter)


def blocks_of(names: Sequence[str], further: Mapping[str, Block] | None = None) -> dict[str, Block]:
    """Observation blocks by name: those of `EnvConfig.observation`, then `further` ones.

    Raises:
        UserError: a name is not known.
    """
    blocks = {}
    for name in names:
        check_name("observation", name, NAMED_BLOCKS)
        if ":" in name:
            blocks[name.rpartition(":")[2]] = _bounded(load(name, "observation"))
        else:
            blocks[name] = NAMED_BLOCKS[name]
    return blocks | {name: _bounded(block) for name, block in (further or {}).items()}


def _bounded(block: Block) -> Block:
    return partial(_block_within_limits, block)


def _block_within_limits(block: Block, core: Any) -> Tensor:
    return _within_limits(block(core))


def _within_limits(block: Tensor) -> Tensor:
    return block.float().clamp(-FEATURE_LIMIT, FEATURE_LIMIT)
