"""Checkpoints of an agent that learns, without pickle: whoever goes on from one ends with the same weights,
bit for bit, as if nothing had come between.

A checkpoint is one safetensors file, renamed into place, so that its parts always belong together:

- `policy.*`, the weights, a target network among them;
- `optimizer.I.*`, what the optimiser keeps of parameter I;
- `last.*`, the observation and the like that the agent acts on next;
- `env.*` and `monitor.*`, the simulated shoppers in the midst of their episodes;
- `random.*`, the states of the random generators of Python, numpy and torch;
- `replay.*`, what an agent with a replay buffer remembers, until it has learned all that it was to learn.

The header holds counters as JSON, and the file is sealed (`bundlegym.data.sealed`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecMonitor
from torch import Tensor

from bundlegym.data.files import replacing
from bundlegym.errors import UserError
from bundlegym.user_models.persistence import read_tensors, write_tensors

#: Attributes of Stable-Baselines3 algorithms, of which each has some.
_COUNTERS = ("num_timesteps", "_episode_num", "_n_updates", "_n_calls", "_current_progress_remaining",
             "exploration_rate")  # fmt: skip
_ARRAYS = ("_last_episode_starts", "_chosen")
_OF_MONITOR = ("episode_returns", "episode_lengths")

Tensors = dict[str, Tensor]


def save_checkpoint(model: Any, path: Path, *, finished: bool = False) -> None:
    """Write all that a Stable-Baselines3 model needs to go on.

    Args:
        model: between two roll-outs, or after the last.
        finished: nothing is to be learned any more; a replay buffer, which is large, is left out.
    """
    parts: dict[str, Mapping[str, Any]] = {
        "policy": model.policy.state_dict(),
        "optimizer": _of_optimizer(model.policy),
        "last": _last(model),
        "env": model.get_env().unwrapped.snapshot(),
        "random": _random_states(),
    }
    if isinstance(model.get_env(), VecMonitor):
        parts["monitor"] = {name: getattr(model.get_env(), name) for name in _OF_MONITOR}
    if getattr(model, "replay_buffer", None) is not None and not finished:
        parts["replay"] = model.replay_buffer.snapshot()
    tensors = {
        f"{part}.{name}": torch.as_tensor(value).detach().cpu().contiguous()
        for part, values in parts.items()
        for name, value in values.items()
    }
    counters = {name: getattr(model, name) for name in _COUNTERS if hasattr(model, name)}
    _write(path, tensors, counters)


def load_checkpoint(model: Any, path: Path) -> None:
    """Put what `save_checkpoint` wrote into a fresh model of the same shape, which then goes on with
    `learn(..., reset_num_timesteps=False)`.

    The random generators of this process are set, too.

    Raises:
        UserError: unreadable, damaged, or of another shape.
    """
    tensors, counters = _read(path)
    with _told(path):
        _put_weights(model, tensors, counters)
        _into_optimizer(model.policy, _part(tensors, "optimizer"))
        for name, value in counters.items():
            setattr(model, name, value)
        last = {name: value.numpy() for name, value in _part(tensors, "last").items()}
        for name in _ARRAYS:
            if name in last:
                setattr(model, name, last.pop(name))
        model._last_obs = last or None
        env = model.get_env()
        env.unwrapped.restore(_part(tensors, "env"))
        for name, value in _part(tensors, "monitor").items():
            setattr(env, name, value.numpy())
        if replay := _part(tensors, "replay"):
            model.replay_buffer.restore({name: value.numpy() for name, value in replay.items()})
        _set_random_states(_part(tensors, "random"))


def load_weights(model: Any, path: Path) -> None:
    """Put the weights, and how many steps they have learned from, into a fresh model of the same shape.

    Raises:
        UserError: unreadable, damaged, or of another shape.
    """
    tensors, counters = _read(path, "policy.")
    with _told(path):
        _put_weights(model, tensors, counters)


def read_weights(path: Path) -> Tensors:
    """The weights of a checkpoint alone, by their names in the policy.

    Raises:
        UserError: unreadable or damaged.
    """
    return _part(_read(path, "policy.")[0], "policy")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns any error of what is inside into a `UserError` about the checkpoint at `path`."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{path}: not a checkpoint of this agent ({error})") from error


def _put_weights(model: Any, tensors: Tensors, counters: dict[str, Any]) -> None:
    model.policy.load_state_dict(_part(tensors, "policy"))
    model.num_timesteps = counters["num_timesteps"]


def _part(tensors: Tensors, part: str) -> Tensors:
    """The tensors of one part, under their own names."""
    return {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}


def _last(model: Any) -> dict[str, Any]:
    """What the agent acts on next: the observation, by block, and `_ARRAYS`; nothing before it has begun."""
    held = {name: getattr(model, name, None) for name in _ARRAYS} | (model._last_obs or {})
    return {name: value for name, value in held.items() if value is not None}


def _of_optimizer(policy: Any) -> dict[str, Any]:
    """What the optimiser keeps, as `I.name`; tables of values have none."""
    optimizer = getattr(policy, "optimizer", None)
    state = optimizer.state_dict()["state"] if optimizer else {}
    return {f"{i}.{name}": value for i, kept in state.items() for name, value in kept.items()}


def _into_optimizer(policy: Any, kept: Tensors) -> None:
    if not kept:
        return
    content = policy.optimizer.state_dict()
    for name, value in kept.items():
        index, _, key = name.partition(".")
        content["state"].setdefault(int(index), {})[key] = value
    policy.optimizer.load_state_dict(content)


# --- random generators ----------------------------------------------------------------------------------


def _random_states() -> dict[str, Any]:
    """The states of all generators that agents draw from, as arrays of numbers."""
    _, words, gauss = random.getstate()
    _, keys, at, has_gauss, numpy_gauss = np.random.get_state(legacy=True)
    states = {
        "python": np.array(words, dtype=np.int64),
        "python_gauss": np.array([] if gauss is None else [gauss]),
        "numpy": np.array([*keys, at, has_gauss], dtype=np.int64),
        "numpy_gauss": np.array([numpy_gauss]),
        "torch": torch.get_rng_state(),
    }
    for i in range(torch.cuda.device_count()):
        states[f"cuda.{i}"] = torch.cuda.get_rng_state(i)
    return states


def _set_random_states(states: Tensors) -> None:
    gauss = states["python_gauss"].tolist()
    version = random.getstate()[0]
    random.setstate((version, tuple(states["python"].tolist()), gauss[0] if gauss else None))
    *keys, at, has_gauss = states["numpy"].tolist()
    numpy_state = ("MT19937", np.array(keys, dtype=np.uint32), at, has_gauss, states["numpy_gauss"].item())
    np.random.set_state(numpy_state)
    torch.set_rng_state(states["torch"])
    for name, state in states.items():
        if name.startswith("cuda.") and int(name[5:]) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, int(name[5:]))


# --- the file ---------------------------------------------------------------------------------------------


def _write(path: Path, tensors: Tensors, counters: dict[str, Any]) -> None:
    """Under a temporary name, with its SHA-256, then renamed; what was there before stays until then."""
    with replacing(path) as part:
        write_tensors(part, tensors, counters)


def _read(path: Path, only: str = "") -> tuple[Tensors, dict[str, Any]]:
    """The tensors whose names begin with `only`, and the counters, of an undamaged file.

    Raises:
        UserError: it is missing, damaged, or no checkpoint.
    """
    try:
        return read_tensors(path, only)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(
            f"{path}: damaged, or of an earlier version ({error}); remove it to train this agent anew; the "
            "other parts of the run stay as they are"
        ) from error
