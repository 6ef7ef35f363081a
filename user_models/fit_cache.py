"""A fit in stages, each kept as soon as it is done: an interrupted fit goes on after the last of them, and a
finished one is put together again in seconds."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch

import bundlegym
from bundlegym.data import Dataset
from bundlegym.data.files import private_files, private_folder, replacing
from bundlegym.data.fingerprint import behaviour_digest
from bundlegym.data.lock import sole_user
from bundlegym.errors import UserError
from bundlegym.user_models.parameters import Parameters
from bundlegym.user_models.persistence import read_tensors, write_tensors

P = TypeVar("P", bound=Parameters)

#: Seconds that one who keeps a stage waits for others who keep one of the same fit.
_PATIENCE = 600.0


class FitCache:
    """Gives a stage's parameters, from their file where there is one, else by making and keeping them.

    Args:
        folder: of the files, `NAME.safetensors` each; None keeps nothing.
        progress: told of every stage: how long it took, or where it is from.
        skip: names of stages that are not made: they are asked for `neutral` parameters.
        kept: stage -> name -> tensor, of stages that are those of an earlier fit.
        begun: the same of stages that are made with those of an earlier fit to begin with.
    """

    def __init__(
        self,
        folder: Path | None,
        progress: Callable[[str], None],
        skip: Collection[str] = (),
        kept: Mapping[str, Mapping[str, torch.Tensor]] = MappingProxyType({}),
        begun: Mapping[str, Mapping[str, torch.Tensor]] = MappingProxyType({}),
    ) -> None:
        self.folder, self.progress, self.skip = folder, progress, skip
        self.kept, self.begun = kept, begun

    def __call__(
        self, name: str, kind: type[P], make: Callable[[], P], neutral: Callable[[], P] | None = None
    ) -> P:
        """The parameters of a stage.

        Raises:
            UserError: a number is not finite, in which case nothing is kept; or the folder cannot be written.
        """
        if name in self.skip:
            assert neutral is not None, name
            return neutral()
        if name in self.kept:
            return kind.of(self.kept[name])
        if self.folder is None:
            return self._timed(name, make)
        path = self.folder / f"{name}.safetensors"
        if path.exists():
            try:
                kept = kind.of(read_tensors(path)[0])
                self.progress(f"user model: {name} from {self.folder}")
                return kept
            except (OSError, KeyError, ValueError) as error:
                self.progress(f"user model: {name} anew, {path} is damaged ({error})")
        made = self._timed(name, make)
        try:
            private_folder(self.folder)
            # Fits may run side by side.
            with sole_user(self.folder, _PATIENCE), private_files(), replacing(path) as part:
                write_tensors(part, {leaf: value.contiguous() for leaf, value in made.leaves()}, {})
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror or error}); give --cache-dir, or the "
                "environment variable BUNDLEGYM_CACHE, a folder that can be written"
            ) from error
        return made

    def _timed(self, name: str, make: Callable[[], P]) -> P:
        start = time.monotonic()
        made = check_finite(name, make())
        self.progress(f"user model: {name} fitted in {time.monotonic() - start:.1f} s")
        return made


def check_finite(stage: str, parameters: P) -> P:
    """Parameters of a stage of a fit, themselves.

    Raises:
        UserError: one holds a number that is not finite; the message names the stage and the tensor.
    """
    for (*_, spec), (name, value) in zip(parameters.specs(), parameters.leaves(), strict=True):
        if not value.dtype.is_floating_point:
            continue
        bad = ~torch.isfinite(value)
        if spec.with_error:
            bad[1] = torch.isnan(value[1])
        if bad.any():
            raise UserError(
                f"user model: the fit failed at the stage '{stage}': {int(bad.sum()):,} of {bad.numel():,} "
                f"numbers of {name} are not finite, and nothing of it is kept; look for prices and "
                "quantities in the log that are far from all others, or too large or small for a price"
            )
    return parameters


def fit_folder(cache: Path, dataset: Dataset, **settings: Any) -> Path:
    """A folder below `cache` for the stages of one fit: named by a hash of the log's content, of the settings
    (JSON's types and arrays) and of the code that fits."""
    digest = hashlib.sha256(behaviour_digest(dataset))
    for name, value in sorted(settings.items()):
        text = value.tobytes().hex() if isinstance(value, np.ndarray) else value
        digest.update(json.dumps([name, text]).encode())
    package = Path(bundlegym.__file__).parent
    for folder in ("data", "recommenders", "user_models"):
        for source in sorted((package / folder).rglob("*.py")):
            digest.update(source.read_bytes())
    return cache / "fits" / digest.hexdigest()[:16]
