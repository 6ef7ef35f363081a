"""Where tensors are computed on, by name."""

from __future__ import annotations

import torch

from bundlegym.errors import UserError


def device_of(name: torch.device | str, what: str = "device") -> torch.device:
    """The device called `name`; `auto` takes a GPU where there is one.

    Args:
        what: which option it was given for, for the error.

    Raises:
        UserError: torch knows no such device, or sees none here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"{what} {name!r}: is none of auto, cpu, cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"{what} {name}: torch sees no GPU here; use auto or cpu")
    return device
