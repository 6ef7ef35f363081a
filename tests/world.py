"""One small fitted world that the tests of several folders share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from bundlegym.data import Dataset, synthetic_dataset
from bundlegym.envs import BundleCore, EnvConfig, Market, build_market
from bundlegym.evaluation.fidelity import two_sample
from bundlegym.user_models import ChoiceShopper, lookalike
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.choice.estimation.coefficients import CoefficientsConfig, fit_coefficients

torch.set_num_threads(1)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the test processes makes for all of them; the others wait for it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done = folder / "done"
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session", autouse=True)
def few_trees() -> Iterator[None]:
    """Every run ends with its fidelity, of which the classifiers take most of the time. Where it is tested
    what they find, there are as many trees as there are for a user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_sample, "TREES", two_sample.TREES // 10)
        yield


@contextmanager
def quick_fits() -> Iterator[None]:
    """Fits inside stop long before coefficients are found, where it is not tested what they are."""
    few = CoefficientsConfig(steps=40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ChoiceShopper.fit.__wrapped__.__kwdefaults__, "config", ChoiceConfig(coefficients=few))
        patch.setattr(lookalike, "fit_coefficients", partial(fit_coefficients, config=few))
        yield


@pytest.fixture(scope="module")
def few_steps() -> Iterator[None]:
    """All fits of a module are `quick_fits`."""
    with quick_fits():
        yield


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return synthetic_dataset()


@pytest.fixture(scope="session")
def user_model(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> ChoiceShopper:
    def make(folder: Path) -> None:
        config = ChoiceConfig()  # whole, also where a module asks for `few_steps`
        ChoiceShopper.fit(dataset, epochs=2, config=config, progress=lambda _: None).save(folder)

    return ChoiceShopper.load(made_once(tmp_path_factory, "user-model", make))


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
