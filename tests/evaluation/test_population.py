"""Who a run's user models are fitted on."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.population import judge_lacks, sample


def test_a_fit_takes_all_shoppers_or_a_sample_that_the_seed_draws() -> None:
    known = np.arange(50) % 5 > 0
    assert (sample(known, TrainConfig()) == known).all()
    assert (sample(known, TrainConfig(fit_shoppers=1_000)) == known).all()
    some, again, other = (sample(known, TrainConfig(fit_shoppers=12, seed=seed)) for seed in (3, 3, 4))
    assert some.sum() == 12 and not (some & ~known).any()
    assert (some == again).all() and (some != other).any()


def test_a_judge_must_find_enough_among_the_shoppers_that_it_is_fitted_on(dataset: Dataset) -> None:
    assert judge_lacks("choice", TrainConfig(), dataset) == ""
    assert "visits of 2 shoppers" in judge_lacks("choice", TrainConfig(fit_shoppers=2), dataset)
