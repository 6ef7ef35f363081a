"""One small fitted world that the tests of several folders share."""

from __future__ import annotations

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
