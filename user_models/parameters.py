"""How the tensors of a user model fit together: their shapes, and what their codes count.

Compiled code looks up codes unasked, so a model on disk is held to its layout once, when it is loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Tensors that are not named must only be finite.

    Attributes:
        shapes: a tensor's dimensions, apart by blanks: a letter, of one size wherever it stands; a letter and
            one more, `G+1`; or a number. S, I and W are the log's shoppers, items and weeks.
        codes: from which number on, and below which size, whole numbers must lie: a letter, a letter and one
            more, or a letter by another, `Q/W`.
        ascending: in the last dimension; where that is in `rising`, without equals.
        with_error: an estimate and its standard error, which is infinite where there is no estimate.
    """

    shapes: Mapping[str, str]
    codes: Mapping[str, tuple[int, str]]
    ascending: Collection[str] = ()
    rising: Collection[str] = ()
    with_error: Collection[str] = field(default=())

    def sizes(self, tensors: Mapping[str, Tensor]) -> dict[str, int]:
        """What each letter stands for, as the first tensors that have it say."""
        sizes: dict[str, int] = {}
        for name, shape in self.shapes.items():
            for part, size in zip(shape.split(), tensors[name].shape, strict=False):
                letter, _, more = part.partition("+")
                if letter.isalpha():
                    sizes.setdefault(letter, size - int(more or 0))
        return sizes

    def faults(self, tensors: Mapping[str, Tensor]) -> Iterator[str]:
        """What does not fit, in plain words."""
        sizes = self.sizes(tensors)
        for name, shape in self.shapes.items():
            found, right = tuple(tensors[name].shape), tuple(_size(p, sizes) for p in shape.split())
            if found != right:
                yield f"{name} has shape {found}; must be {right}"
        for name, value in tensors.items():
            known = value[:1] if name in self.with_error else value
            if value.dtype.is_floating_point and not bool(torch.isfinite(known).all() & ~value.isnan().any()):
                yield f"{name} is not finite"
        for name, (least, end) in self.codes.items():
            if (value := tensors[name]).numel():
                most = _size(end, sizes) - 1
                if value.dtype.is_floating_point or value.min() < least or value.max() > most:
                    yield f"{name} holds {value.min().item()}..{value.max().item()}; must be {least}..{most}"
        for name in (*self.ascending, *self.rising):
            if bool((tensors[name].diff() < (name in self.rising)).any()):
                yield f"{name} does not ascend"


def _size(part: str, sizes: Mapping[str, int]) -> int:
    """The size that a part of a shape stands for."""
    if part.isdigit():
        return int(part)
    if "/" in part:
        whole, by = part.split("/")
        return sizes.get(whole, 0) // max(sizes.get(by, 0), 1)
    letter, _, more = part.partition("+")
    return sizes.get(letter, 0) + int(more or 0)
