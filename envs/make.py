"""One place where an environment is put together from keywords; what is costly is made once a process."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any

import numpy as np
import torch

from bundlegym.data import DataConfig, Dataset, build_dataset, prepare
from bundlegym.data.built_in import BUILT_IN, check_mapping
from bundlegym.data.checked import Count, check, plain
from bundlegym.data.prepare import read_log
from bundlegym.devices import device_of
from bundlegym.envs.base import BLOCKS, Reward
from bundlegym.envs.config import EnvConfig
from bundlegym.envs.core import BundleCore
from bundlegym.envs.market import CandidateSource, Market, build_market
from bundlegym.envs.observations import Block
from bundlegym.errors import UserError
from bundlegym.plugins import load
from bundlegym.user_models import UserModel, build_user_model
from bundlegym.user_models.registry import FAMILIES

#: Of the small shops whose shoppers are stated (`data.planted`): every item is a candidate at every visit.
_PLANTED: dict[str, Any] = {
    "min_purchases": 1,
    "n_candidates": 10,
    "visits": 8,
    "discounts": (0.0, 0.1, 0.2, 0.3),
}
#: Keywords by name; those that are given beside a preset win over its own.
PRESETS: dict[str, dict[str, Any]] = {
    "synthetic": {"log": "synthetic-year", "min_purchases": 10},
    "complete-journey": {"log": "complete-journey"},
    "quick": {"log": "synthetic", "min_purchases": 10, "n_candidates": 8, "visits": 2, "max_size": 3},
    "known-optimum": _PLANTED | {"log": "known-optimum", "max_size": 3},
    "planning": _PLANTED | {"log": "planning", "max_size": 2, "observation": (*BLOCKS, "offers_lately")},
}
WEEKS = ("train", "validation", "test")
SHOPPERS = ("training", "held_out")
_DATA = {f.name for f in dataclasses.fields(DataConfig)}
_ENV = {f.name for f in dataclasses.fields(EnvConfig)}


class UnknownOption(UserError, TypeError):
    """A `TypeError` too, as Python has it: clients that try keywords of their own (TorchRL) go by that."""


def make_core(
    n: int,
    *,
    preset: str = "synthetic",
    dataset: Dataset | None = None,
    user_model: Any = "choice",
    user_model_args: Mapping[str, Any] | None = None,
    candidates: CandidateSource | str | None = None,
    embeddings: np.ndarray | None = None,
    shopper_embeddings: np.ndarray | None = None,
    shoppers: str | Sequence[int] | np.ndarray = "training",
    weeks: str | tuple[int, int] = "train",
    reward: Reward | str | None = None,
    blocks: Mapping[str, Block] | None = None,
    device: torch.device | str = "cpu",
    config: EnvConfig | None = None,
    **options: Any,
) -> BundleCore:
    """A simulator of n shoppers; everything that is a name or a number goes into a specification as JSON.

    Args:
        preset: a name in `PRESETS`.
        dataset: a prepared log, instead of the one that the options name.
        user_model: see `build_user_model`; by default a `ChoiceShopper`.
        user_model_args: keywords of the user model's fit or constructor.
        candidates: see `market.CandidateSource`; also as `module:name`.
        embeddings: (I, EMBEDDING_SIZE) float32 of the items, such as `recommenders.item_vectors`; see
            `build_market`.
        shopper_embeddings: (S, V) float32 of the shoppers, for the block `shopper_embedding`; see
            `recommenders.ShopperVectors`.
        shoppers: 'training', 'held_out', or codes.
        weeks: 'train', 'validation', 'test', or a half-open range.
        reward: a component's name, `module:name`, or a function; by default the incremental margin.
        blocks: further observation blocks by name.
        device: auto, cpu, cuda, or one of torch's.
        config: the offers; instead of options.
        options: fields of `EnvConfig` (n_candidates, visits, ...) and of `DataConfig` (log, map, ...).

    Raises:
        UserError: an option is unknown or out of range.
    """
    check("n", plain(n), Count)
    if not isinstance(preset, str) or preset not in PRESETS:
        raise UserError(f"preset {preset!r}: is none of {', '.join(PRESETS)}")
    chosen = PRESETS[preset] | options
    for name in chosen:
        if name not in _DATA | _ENV:
            known = ", ".join(sorted(_DATA | _ENV))
            raise UnknownOption(f"got an unexpected keyword argument {name!r}; known options are {known}")
    if isinstance(reward, str):
        chosen["reward"], reward = reward, None
    if config is None:
        config = EnvConfig(**{k: v for k, v in chosen.items() if k in _ENV})
    if dataset is None:
        data: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in chosen.items()
            if name in _DATA
        }
        dataset = _prepared(DataConfig(**data))
    source = load(candidates, "source") if isinstance(candidates, str) else candidates
    model = shared_user_model(user_model, dataset, user_model_args, device_of(device))
    if embeddings is None and shopper_embeddings is None:
        market = shared_market(dataset, model.device, source)
    else:
        market = build_market(
            dataset, device=model.device, candidates=source, embeddings=embeddings,
            shopper_embeddings=shopper_embeddings,
        )  # fmt: skip
    return BundleCore(
        market,
        model,
        config,
        n=n,
        shoppers=_shoppers(shoppers, dataset),
        weeks=_weeks(weeks, dataset),
        reward=reward,
        blocks=blocks,
    )


@lru_cache(maxsize=8)
def _prepared(config: DataConfig) -> Dataset:
    """The log; a made-up one is drawn faster than a cache on disk is read."""
    check_mapping(config)
    if config.log in BUILT_IN:
        return build_dataset(read_log(config), config)
    return prepare(config, progress=False)


#: What was made of a data set in this process: id -> (the data set, {key: user model or market}).
_made: dict[int, tuple[Dataset, dict[Any, Any]]] = {}


def _shared(dataset: Dataset, key: Any, make: Any) -> Any:
    while len(_made) >= 8 and id(dataset) not in _made:
        _made.pop(next(iter(_made)))
    shelf = _made.setdefault(id(dataset), (dataset, {}))[1]
    if key not in shelf:
        shelf[key] = make()
    return shelf[key]


def shared_user_model(
    spec: Any, dataset: Dataset, arguments: Mapping[str, Any] | None, device: torch.device | str
) -> UserModel:
    """`build_user_model`, once a process for each name, data set and arguments."""
    if not isinstance(spec, str | type):
        return build_user_model(spec, dataset, arguments, device)
    given = dict(arguments or {})
    family = FAMILIES.get(spec, spec) if isinstance(spec, str) else spec
    if "progress" in inspect.signature(getattr(family, "fit", _silent)).parameters:
        given = {"progress": _silent, **given}
    key = (spec, json.dumps(given, sort_keys=True, default=repr), str(device))
    return _shared(dataset, key, lambda: build_user_model(spec, dataset, given, device))


def shared_market(dataset: Dataset, device: torch.device | str, source: CandidateSource | None) -> Market:
    """`build_market`, once a process for each data set and source."""
    return _shared(
        dataset, (source, str(device)), lambda: build_market(dataset, device=device, candidates=source)
    )


def _silent(text: str) -> None:
    pass


def _shoppers(choice: str | Sequence[int] | np.ndarray, dataset: Dataset) -> np.ndarray:
    if not isinstance(choice, str):
        codes = np.asarray(choice)
        whole = codes.ndim == 1 and codes.dtype.kind in "iu"
        if not whole or (len(codes) and not 0 <= codes.min() <= codes.max() < dataset.n_shoppers):
            raise UserError(f"shoppers: codes must be whole numbers in 0..{dataset.n_shoppers - 1}")
        return codes
    if choice not in SHOPPERS:
        raise UserError(f"shoppers {choice!r}: is none of {', '.join(SHOPPERS)}, nor a list of codes")
    return np.flatnonzero(dataset.split.held_out == (choice == "held_out"))


def _weeks(choice: str | tuple[int, int], dataset: Dataset) -> tuple[int, int]:
    if isinstance(choice, str):
        if choice not in WEEKS:
            raise UserError(f"weeks {choice!r}: is none of {', '.join(WEEKS)}, nor a range")
        return getattr(dataset.split, f"{choice}_weeks")
    pair = isinstance(choice, tuple | list) and len(choice) == 2
    first, end = choice if pair else (-1, -1)
    whole = isinstance(first, Integral) and isinstance(end, Integral)
    if not whole or not 0 <= first < end <= dataset.n_weeks:
        given = f"({first}, {end})" if pair else repr(choice)
        raise UserError(
            f"weeks {given}: must be a pair of whole numbers, 0 <= first < end <= {dataset.n_weeks}"
        )
    return first, end
