"""The families of user models by the name that `--user-model` takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.user_models.base import UserModel
from bundlegym.user_models.choice import ChoiceShopper
from bundlegym.user_models.lookalike import LookalikeShopper
from bundlegym.user_models.replay import ReplayShopper

USER_MODELS: dict[str, Any] = {
    "choice": ChoiceShopper,
    "lookalike": LookalikeShopper,
    "replay": ReplayShopper,
}


def fit_user_model(
    name: str,
    dataset: Dataset,
    *,
    weeks: tuple[int, int] | None = None,
    shoppers: np.ndarray | None = None,
    progress: Callable[[str], None] = print,
    **options: Any,
) -> UserModel:
    """Fit a family on `weeks` (by default the training weeks) and `shoppers` (mask; by default those not held out).

    Raises:
        UserError: no family has this name.
    """
    return _family(name).fit(dataset, weeks=weeks, shoppers=shoppers, progress=progress, **options)


def load_user_model(name: str, folder: Path, device: Any = "cpu") -> UserModel:
    """Read what a family's `save` wrote.

    Raises:
        UserError: no family has this name, or the folder holds no such model.
    """
    return _family(name).load(folder, device)


def _family(name: str) -> Any:
    if name not in USER_MODELS:
        raise UserError(f"--user-model: unknown user model {name!r}; known are {', '.join(USER_MODELS)}")
    return USER_MODELS[name]


def halves(n_shoppers: int, among: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint masks (n_shoppers,) over the mask `among`: one to train policies on, the other to judge them."""
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(among))
    first, second = np.zeros(n_shoppers, dtype=bool), np.zeros(n_shoppers, dtype=bool)
    first[chosen[: len(chosen) // 2]] = True
    second[chosen[len(chosen) // 2 :]] = True
    return first, second
