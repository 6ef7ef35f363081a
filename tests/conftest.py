"""One small fitted world that the tests of several folders share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bundlegym.data import Dataset, synthetic_dataset
from bundlegym.envs import BundleCore, EnvConfig, Market, build_market
from bundlegym.user_models import ChoiceShopper

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return synthetic_dataset()


@pytest.fixture(scope="session")
def user_model(dataset: Dataset) -> ChoiceShopper:
    return ChoiceShopper.fit(dataset, epochs=2, progress=lambda _: None)


@pytest.fixture(scope="session")
def market(dataset: Dataset) -> Market:
    return build_market(dataset)


@pytest.fixture
def make_core(dataset: Dataset, user_model: ChoiceShopper, market: Market):
    def make(n: int = 16, seed: int = 0, **options) -> BundleCore:
        shoppers = np.flatnonzero(~dataset.split.held_out)
        core = BundleCore(
            market, user_model, EnvConfig(**options), n=n, shoppers=shoppers,
            weeks=dataset.split.train_weeks, seed=seed,
        )  # fmt: skip
        core.reset()
        return core

    return make


#: Folders and files whose tests need nothing, or hardly anything, that numba compiles.
_NOTHING_COMPILED = (
    "data", "recommenders", "test_anywhere.py", "test_compiling.py", "test_imports.py", "test_packaging.py",
    "evaluation/test_config.py", "evaluation/test_parallel.py", "user_models/choice/test_known_answers.py",
    "user_models/choice/test_timed_promotions.py", "user_models/components/test_incidence.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need nothing compiled begin the second half.

    xdist's `worksteal` gives each process an even part of the list: on two cores the first compiles, while
    the second goes through what needs nothing compiled, and finds the compiled code on disk after that.
    """
    without = [Path(__file__).parent / name for name in _NOTHING_COMPILED]
    quiet = [item for item in items if any(path in (item.path, *item.path.parents) for path in without)]
    kept = set(quiet)
    others = [item for item in items if item not in kept]
    half = len(items) // 2
    items[:] = others[:half] + quiet + others[half:]
