"""Fitted parameters: frozen dataclasses of tensors that know their shapes, symbols and sources.

A component of a user model is a dataclass of `parameter` fields; a model's parameters are a dataclass of
components. Names of fields are unique in a model, so that files, compiled code and docs know each tensor by
one name. What is read from a disk is held to its shapes and codes once, since compiled code looks up codes
unasked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self, get_type_hints

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Spec:
    """What a tensor must be.

    Attributes:
        shape: its dimensions, apart by blanks: a letter, of one size wherever it stands in a model; a letter
            and one more, `G+1`; or a number. Empty where any shape is right.
        doc: what it is, with its unit; the docstring of the component names the paper.
        symbol: in the equations of docs/model.md, as LaTeX.
        codes: from which number on, and below which size, whole numbers must lie: a letter, a letter and one
            more, a letter by another, `Q/W`, or a number.
        ascending: in the last dimension. rising: the same, without equals.
        with_error: an estimate and its standard error, which is infinite where there is no estimate.
    """

    shape: str
    doc: str
    symbol: str = ""
    codes: tuple[int, str] | None = None
    ascending: bool = False
    rising: bool = False
    with_error: bool = False


def parameter(shape: str, doc: str, symbol: str = "", **more: Any) -> Any:
    """A field of `Parameters`, described by a `Spec`."""
    return field(metadata={"spec": Spec(shape, doc, symbol, **more)})


@dataclass(frozen=True)
class Parameters:
    """A component's tensors, or a model's components; see the module's docstring."""

    @classmethod
    def specs(cls) -> Iterator[tuple[str, str, Spec]]:
        """Component, name and `Spec` of each tensor; the component is empty for tensors of the model's
        own."""
        hints = get_type_hints(cls)
        for part in fields(cls):
            if "spec" in part.metadata:
                yield "", part.name, part.metadata["spec"]
            else:
                for _, name, spec in hints[part.name].specs():
                    yield part.name, name, spec

    def leaves(self) -> Iterator[tuple[str, Tensor]]:
        """Name and content of each tensor, in the order of `specs`."""
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, Parameters):
                yield from value.leaves()
            else:
                yield part.name, value

    @classmethod
    def of(cls, leaves: Mapping[str, Any]) -> Self:
        """Parameters of tensors, or arrays, by name; more than are needed may be given.

        Raises:
            KeyError: one is missing.
        """
        hints = get_type_hints(cls)
        return cls(
            **{
                part.name: as_tensor(leaves[part.name])
                if "spec" in part.metadata
                else hints[part.name].of(leaves)
                for part in fields(cls)
            }
        )

    def changed(self, **leaves: Tensor) -> Self:
        """The same parameters with other tensors in place of those named.

        Raises:
            TypeError: there is none of a name.
        """
        unknown = leaves.keys() - dict(self.leaves()).keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        new: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, Parameters):
                mine = {name: leaves[name] for name, _ in value.leaves() if name in leaves}
                if mine:
                    new[part.name] = value.changed(**mine)
            elif part.name in leaves:
                new[part.name] = leaves[part.name]
        return dataclasses.replace(self, **new)

    def to(self, device: torch.device) -> Self:
        """The same parameters on a device."""
        return self.changed(**{name: value.to(device) for name, value in self.leaves()})

    def sizes(self) -> dict[str, int]:
        """What each letter of the shapes stands for, as the first tensors that have it say."""
        sizes: dict[str, int] = {}
        for (*_, spec), (_, value) in zip(self.specs(), self.leaves(), strict=True):
            for part, size in zip(spec.shape.split(), value.shape, strict=False):
                letter, _, more = part.partition("+")
                if letter.isalpha():
                    sizes.setdefault(letter, size - int(more or 0))
        return sizes

    def faults(self) -> Iterator[str]:
        """What does not fit together, in plain words."""
        sizes = self.sizes()
        for (_, name, spec), (_, value) in zip(self.specs(), self.leaves(), strict=True):
            yield from _faults(name, spec, value, sizes)


def as_tensor(value: Any) -> Tensor:
    """A tensor of a tensor, an array or a number, of one dimension at least, laid out in order."""
    tensor = value if isinstance(value, Tensor) else torch.from_numpy(np.ascontiguousarray(value))
    return torch.atleast_1d(tensor.detach()).contiguous()


def _faults(name: str, spec: Spec, value: Tensor, sizes: Mapping[str, int]) -> Iterator[str]:
    right = tuple(_size(part, sizes) for part in spec.shape.split())
    if spec.shape and tuple(value.shape) != right:
        yield f"{name} has shape {tuple(value.shape)}; must be {right}"
    known = value[:1] if spec.with_error else value
    if value.dtype.is_floating_point and not bool(torch.isfinite(known).all() & ~value.isnan().any()):
        yield f"{name} is not finite"
    if spec.codes and value.numel():
        least, most = spec.codes[0], _size(spec.codes[1], sizes) - 1
        if value.dtype.is_floating_point or value.min() < least or value.max() > most:
            yield f"{name} holds {value.min().item()}..{value.max().item()}; must be {least}..{most}"
    if (spec.ascending or spec.rising) and bool((value.diff() < spec.rising).any()):
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
