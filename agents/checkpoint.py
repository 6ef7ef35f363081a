"""Checkpoints of an agent, without pickle: what one holds, how it is written and read.

A checkpoint is one safetensors file: `policy.*`, the weights of the policy; `optimizer.I.*`, what the
optimiser keeps of parameter I; and `steps` in the header, environment steps so far. It has no replay buffer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from bundlegym.errors import UserError


def save_checkpoint(model: Any, path: Path) -> None:
    """Write the policy and optimiser of a Stable-Baselines3 model, renamed into place."""
    tensors = {f"policy.{k}": v.detach().cpu().clone() for k, v in model.policy.state_dict().items()}
    for i, state in model.policy.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": torch.as_tensor(v).cpu().clone() for k, v in state.items()}
    part = path.with_name(path.name + ".part")
    save_file(tensors, str(part), metadata={"steps": str(model.num_timesteps)})
    os.replace(part, path)


def load_checkpoint(model: Any, path: Path) -> None:
    """Put what `save_checkpoint` wrote into a fresh model of the same shape.

    Raises:
        UserError: unreadable, or of another shape.
    """
    try:
        with safe_open(str(path), "pt") as file:
            model.num_timesteps = int(file.metadata()["steps"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        weights = {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
        model.policy.load_state_dict(weights)
        if hasattr(model, "learning_starts"):  # a replay buffer is not kept: fill it again before learning
            model.learning_starts += model.num_timesteps
    except Exception as error:
        raise UserError(f"{path}: not a checkpoint of this agent ({error})") from error
    optimizer = model.policy.optimizer.state_dict()
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            optimizer["state"].setdefault(int(index), {})[key] = value
    model.policy.optimizer.load_state_dict(optimizer)
