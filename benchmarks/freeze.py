"""Hashes of what user models are and do, to hold a change of structure to the same behaviour:

    python benchmarks/freeze.py before.json
    python benchmarks/freeze.py after.json --against before.json

For each model: a hash of every fitted array, by content; of draws of all streams; and of the purchases of
some hundred shoppers and their twins over six visits with offers. `--against` names what differs, and exits
with 1 where anything does. Fitted arrays are compared by content alone, whatever they are called. Hashes hold
for one machine and one set of libraries: sums of floats are not the same on others.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bundlegym.data import DataConfig, Dataset, prepare
from bundlegym.data.files import write_json
from bundlegym.threads import one_thread
from bundlegym.user_models import Draws, Offer, UserModel
from bundlegym.user_models.registry import fit_family

#: Log -> user models that are fitted to it.
_MODELS = {"synthetic": ("choice", "lookalike", "replay", "sequence"), "complete-journey": ("choice",)}
_SHOPPERS, _VISITS, _BUNDLE, _STREAMS = 400, 6, 4, 60


def hash_of(*arrays: Any) -> str:
    """Of arrays' types, shapes and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        value = np.ascontiguousarray(array)
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    return digest.hexdigest()[:16]


def arrays_in(thing: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Name and content of every array in a model's parameters."""
    if isinstance(thing, torch.Tensor | np.ndarray):
        yield name, np.atleast_1d(np.asarray(thing))
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from arrays_in(value, f"{name}.{key}".strip("."))
    elif dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            yield from arrays_in(getattr(thing, field.name), f"{name}.{field.name}".strip("."))
    elif isinstance(thing, torch.nn.Module):
        yield from arrays_in(dict(thing.state_dict()), name)


def parameters_of(model: UserModel) -> dict[str, str]:
    """Name -> hash of every fitted array of a model."""
    parts = [getattr(model, name) for name in ("tensors", "params", "net") if hasattr(model, name)]
    return {name: hash_of(value) for part in parts for name, value in arrays_in(part)}


def trajectories(model: UserModel, dataset: Dataset, method: str = "respond") -> list[str]:
    """A hash of what a `method` of the model answers at each of some visits, and of what it thinks the items
    are worth; the second half are twins, offered nothing."""
    generator = torch.Generator().manual_seed(0)
    shopper = (torch.arange(_SHOPPERS) % dataset.n_shoppers).repeat(2)
    episode = torch.arange(_SHOPPERS).repeat(2)
    state = model.reset(shopper, torch.full_like(shopper, 7 * dataset.split.train_weeks[1]))
    hashes = []
    for visit in range(_VISITS):
        items = torch.randint(dataset.n_items, (_SHOPPERS, _BUNDLE), generator=generator)
        items = torch.where(torch.rand(items.shape, generator=generator) < 0.2, -1, items)
        # No item twice in a bundle.
        for column in range(1, _BUNDLE):
            again = (items[:, column, None] == items[:, :column]).any(1)
            items[again, column] = -1
        discount = torch.rand(_SHOPPERS, generator=generator) * 0.5
        offer = Offer(torch.cat([items, torch.full_like(items, -1)]), torch.cat([discount, 0 * discount]))
        draws = Draws(3, episode, torch.full_like(episode, visit))
        worth = model.appraise(state, torch.cat([items.clamp(min=0)] * 2)[:, :1], draws)
        appraised = [] if worth is None else list(vars(worth).values())
        response, state = getattr(model, method)(state, offer, draws)
        order = np.lexsort((response.item.numpy(), response.row.numpy()))
        lines = [getattr(response, name).numpy()[order] for name in ("row", "item", "quantity", "price")]
        hashes.append(hash_of(*lines, response.choice, response.days, response.left, *appraised))
    return hashes


def draws() -> str:
    """A hash of draws of every stream."""
    some = Draws(5, torch.arange(7), torch.arange(7) % 3)
    return hash_of(*(some.uniform(stream, torch.arange(11)) for stream in range(_STREAMS)))


def frozen(log: str, family: str) -> dict[str, Any]:
    """Hashes of one model, fitted anew."""
    dataset = prepare(DataConfig(log=log))
    model = fit_family(family, dataset, seed=0, epochs=3, progress=lambda text: print(text, file=sys.stderr))
    content: dict[str, Any] = {
        "parameters": parameters_of(model),
        "trajectories": trajectories(model, dataset),
    }
    if family == "choice":
        offered = model.under(offer_exposure=1.0, bundle_pull=0.5)
        content["trajectories with exposure and pull"] = trajectories(offered, dataset)
        content["reference"] = trajectories(offered, dataset, "_reference")
    return content


def differences(now: dict[str, Any], before: dict[str, Any]) -> Iterator[str]:
    """What differs, a line each."""
    if now["draws"] != before["draws"]:
        yield "draws"
    for name, was in before["models"].items():
        if name not in now["models"]:
            continue
        found = now["models"][name]
        counts = [Counter(content["parameters"].values()) for content in (was, found)]
        for content, lost in ((was, counts[0] - counts[1]), (found, counts[1] - counts[0])):
            which = "before" if content is was else "now"
            for array, hashed in content["parameters"].items():
                if hashed in lost:
                    yield f"{name}: parameter {array}, only {which}"
        for part in found.keys() - {"parameters"}:
            for visit, (one, other) in enumerate(zip(was[part], found[part], strict=True)):
                if one != other:
                    yield f"{name}: {part}, visit {visit}"
                    break


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="JSON file for the hashes")
    parser.add_argument("--against", type=Path, help="JSON file of other hashes to compare with")
    parser.add_argument("--logs", nargs="*", choices=_MODELS, default=list(_MODELS), help="(all)")
    options = parser.parse_args()
    models = {f"{log} {family}": frozen(log, family) for log in options.logs for family in _MODELS[log]}
    content = {"draws": draws(), "models": models}
    write_json(options.file, content)
    if options.against is not None:
        differ = list(differences(content, json.loads(options.against.read_text(encoding="utf-8"))))
        print("\n".join(differ) or "nothing differs")
        sys.exit(bool(differ))


if __name__ == "__main__":
    main()
