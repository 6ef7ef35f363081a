"""One small fitted world that the tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from bundlegym.data import Dataset, synthetic_dataset
from bundlegym.envs import BundleCore, EnvConfig, Market, build_market
from bundlegym.evaluation.fidelity import two_sample
from bundlegym.user_models import ChoiceShopper

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def few_trees() -> Iterator[None]:
    """Every run ends with its fidelity, of which the classifiers take most of the time. Where it is tested
    what they find, there are as many trees as there are for a user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_sample, "TREES", two_sample.TREES // 10)
        yield


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
