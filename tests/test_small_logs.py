"""Whole runs on a few of the small random logs of `benchmarks/small_logs.py`: never a traceback."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Log, build_dataset
from bundlegym.errors import UserError
from bundlegym.user_models.registry import FAMILIES
from bundlegym.user_models.requirements import cannot_learn, lacking

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "small_logs.py"


@pytest.fixture(scope="module")
def small_logs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_small_logs", BENCHMARK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_same_seed_gives_the_same_log(small_logs):
    (one, told), (two, again) = small_logs.random_log(5), small_logs.random_log(5)
    assert one.equals(two) and told == again
    assert 1 <= told["shoppers"] <= 60 and 1 <= told["items"] <= 40 and 1 <= told["weeks"] <= 30


def test_what_a_log_lacks_is_said_of_every_small_log(small_logs):
    for seed in range(40):
        table, told = small_logs.random_log(seed)
        table["time"] = pd.to_datetime(table["time"])
        try:
            dataset = build_dataset(Log("small", table), DataConfig(min_purchases=1))
        except UserError:
            continue
        weeks, everyone = dataset.split.train_weeks, np.ones(dataset.n_shoppers, dtype=bool)
        assert all(isinstance(lacking(name, dataset, weeks, everyone), str) for name in FAMILIES), told
        said = cannot_learn(dataset, weeks, everyone)
        assert any("no price moves" in one for one in said) or "constant prices" not in told["odd"], told


# A late shopper and large quantities; one line a visit; one category without repeats; one busy shopper.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", [3084, 3069, 3050, 3035])
def test_a_run_on_a_small_log_ends_in_a_table_or_in_a_sentence(small_logs, few_steps, seed):
    row = small_logs.outcome(seed)
    assert row["end"] in ("a sentence", "a table and fidelity"), row
    assert row["table"], row
