"""Damage what is kept on disk, one bit or one cut at a time: is each damage told, or the number unchanged?

Each kind of artefact is made once on the synthetic log. Then, `--times` times, one bit of one of its files is
flipped, or the file is cut short, and it is loaded. A good end is a `UserError` of one line, or, of a cache,
that it is made anew with the same numbers. All else is counted: another error, and damage that nobody tells.
The exit code is 1 where there is any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bundlegym.agents.imitation import Demonstrations
from bundlegym.data import DataConfig, prepare, save_dataset, synthetic_dataset
from bundlegym.data.store import load_dataset
from bundlegym.errors import UserError
from bundlegym.recommenders import Interactions, load_recommender, make_recommender
from bundlegym.user_models.fit_cache import FitCache
from bundlegym.user_models.lookalike import LookalikeShopper
from bundlegym.user_models.persistence import read_tensors, write_tensors

#: What loads an artefact; of a cache it gives True where the numbers are those that were kept.
Load = Callable[[], object]
#: Makes an artefact in an empty folder.
Maker = Callable[[Path], Load]


def silent(text: str) -> None:
    pass


def prepared_data(folder: Path) -> Load:
    save_dataset(synthetic_dataset(), folder / "data")
    return lambda: load_dataset(folder / "data")


def cached_data(folder: Path) -> Load:
    """As `prepare` uses it: a log of one's own would be read again."""
    config = DataConfig(log="synthetic", min_purchases=10, cache_dir=folder)
    first = prepare(config, progress=False)

    def load() -> bool:
        again = prepare(config, progress=False)
        return again.purchases.equals(first.purchases) and np.array_equal(
            again.shelf_price, first.shelf_price
        )

    return load


def fit_stage(folder: Path) -> Load:
    model = LookalikeShopper.fit(synthetic_dataset(), progress=silent)
    made = model.params

    def load() -> bool:
        kept = FitCache(folder, silent)("stage", type(made), lambda: made)
        return all(
            torch.equal(one, two) for (_, one), (_, two) in zip(kept.leaves(), made.leaves(), strict=True)
        )

    load()
    return load


def user_model(folder: Path) -> Load:
    LookalikeShopper.fit(synthetic_dataset(), progress=silent).save(folder)
    return lambda: LookalikeShopper.load(folder)


def recommender(folder: Path) -> Load:
    dataset = synthetic_dataset()
    log = Interactions.from_dataset(dataset, dataset.split.train_weeks)
    make_recommender("item-knn").fit(log).save(folder)
    return lambda: load_recommender(folder)


def demonstrations(folder: Path) -> Load:
    rng = np.random.default_rng(0)
    shown = Demonstrations(rng.integers(-1, 32, (8, 16, 4)), rng.integers(-1, 5, (8, 16)))
    shown.save(folder / "shown.safetensors")
    return lambda: Demonstrations.load(folder / "shown.safetensors")


def tensors(folder: Path) -> Load:
    """The file of a checkpoint, a sealed file of tensors."""
    path = folder / "checkpoint.safetensors"
    write_tensors(path, {f"policy.{i}": torch.randn(64, 64) for i in range(8)}, {"num_timesteps": 5})

    def load() -> None:
        try:
            read_tensors(path)
        except (OSError, ValueError) as error:  # which `load_checkpoint` turns into a sentence
            raise UserError(str(error)) from error

    return load


#: Kind -> what makes it, and whether damage is mended rather than told.
KINDS: dict[str, tuple[Maker, bool]] = {
    "prepared data": (prepared_data, False),
    "prepared data, as a cache": (cached_data, True),
    "fit stage": (fit_stage, True),
    "user model": (user_model, False),
    "recommender": (recommender, False),
    "demonstrations": (demonstrations, False),
    "checkpoint": (tensors, False),
}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """With one bit flipped, or in one case of four cut short."""
    if rng.random() < 0.25:
        return content[: rng.integers(len(content))]
    changed = bytearray(content)
    changed[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def outcome(load: Load, mended: bool) -> str:
    """In a word or two, what came of loading what is damaged."""
    try:
        same = load()
    except UserError as error:
        if mended:
            return "told, not made anew"
        return "told" if len(str(error).splitlines()) == 1 else "told, not in one line"
    except Exception as error:
        return f"other error ({type(error).__name__})"
    return "made anew" if mended and same is True else "NOT TOLD"


def attack(make: Maker, mended: bool, times: int, seed: int) -> Counter[str]:
    """How `times` damages of an artefact ended."""
    rng, ends = np.random.default_rng(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load = make(folder)
        whole = {path: path.read_bytes() for path in sorted(folder.rglob("[!.]*")) if path.is_file()}
        for _ in range(times):
            path = list(whole)[rng.integers(len(whole))]
            path.write_bytes(damaged(whole[path], rng))
            ends[outcome(load, mended)] += 1
            for each, content in whole.items():
                each.write_bytes(content)
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=400, help="damages of each kind (400)")
    parser.add_argument("--seed", type=int, default=0, help="of the places (0)")
    options = parser.parse_args()
    wrong = 0
    for kind, (make, mended) in KINDS.items():
        ends = attack(make, mended, options.times, options.seed)
        wrong += sum(count for end, count in ends.items() if end not in ("told", "made anew"))
        print(f"{kind:28}{', '.join(f'{count} {end}' for end, count in sorted(ends.items()))}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
