"""Fits as jobs: each is made once, and kept where the run looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundlegym.data import DataConfig
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.fitting import fit, refit
from bundlegym.evaluation.run import Run
from tests.engines import Backwards


def run_in(folder: Path, **options) -> Run:
    data = DataConfig(log="synthetic", min_purchases=10, cache_dir=folder / "cache")
    return Run(TrainConfig(device="cpu", runs=folder, name="run", data=data, **options))


def test_user_model_judges_and_halves_are_fitted_once(few_steps, tmp_path):
    run, engine = run_in(tmp_path, user_model="lookalike", judges=("lookalike", "replay")), Backwards()
    fit(run, engine, judges=False)
    assert engine.done == 1
    fit(run, engine, judges=True)
    refit(run, 2, engine)
    assert engine.done == 5
    assert not population.missing(run.folder, run.config, run.dataset)
    fit(run, engine, judges=True)
    refit(run, 3, engine)
    assert engine.done == 6
    one, other = (
        population.refitted(run.folder, half, run.config, run.dataset, run.device) for half in (0, 1)
    )
    assert {name for name, _ in one.params.leaves()} == {name for name, _ in other.params.leaves()}


def test_shoppers_of_ones_own_are_not_fitted(tmp_path):
    config = TrainConfig(user_model="my_shoppers:Careful")
    with pytest.raises(UserError, match="--refits: my_shoppers:Careful is not fitted by bundlegym; give 0"):
        population.missing_halves(tmp_path, 2, config)
