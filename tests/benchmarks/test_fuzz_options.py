"""Configurations are made, or refused in a sentence: no value of any field ends in another error."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bundlegym.data import DataConfig, prepare
from bundlegym.data.built_in import BUILT_IN_LOGS
from bundlegym.envs import make_core
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.fidelity.command import FidelityConfig
from bundlegym.evaluation.field_test.command import PlanConfig
from tests.benchmarks.test_bundles import script

fuzzing = script("fuzz_options")
NAN, INF = float("nan"), float("inf")


every_configuration = pytest.mark.parametrize(
    "make", fuzzing.CONFIGURATIONS.values(), ids=fuzzing.CONFIGURATIONS
)


@every_configuration
def test_strange_values_of_any_field_are_taken_or_refused_in_a_sentence(make):
    kind = type(make())
    some = [NAN, INF, -1, 10**400, "a\0b", "x" * 300, Path("a\0b"), None, (NAN,), ["x"], object()]
    tried, faults = fuzzing.fuzz(make, fuzzing.field_cases(kind, some))
    assert tried == len(some) * len(dataclasses.fields(kind)) and not faults
    assert fuzzing.fuzz(make, fuzzing.random_cases(kind, 40, seed=0)) == (40, [])


@every_configuration
def test_a_number_is_refused_by_its_name_where_it_is_none(make):
    config = make()
    numbers = [f.name for f in dataclasses.fields(config) if type(getattr(config, f.name)) in (int, float)]
    for field in numbers:
        for value in (NAN, INF, "many", None, True):
            with pytest.raises(UserError, match=f"{field.replace('_', '.')}: must be .*, not {value!r}"):
                dataclasses.replace(config, **{field: value})


@pytest.mark.parametrize("option", ["map", "table"])
@pytest.mark.parametrize("log", BUILT_IN_LOGS)
def test_a_mapping_of_a_log_that_is_built_in_is_refused(log, option):
    words = f"--{option}: --log {log} is built in and takes none"
    given: dict[str, Any] = {option: ("shopper=CUST",)}
    config = DataConfig(log=log, **given)
    with pytest.raises(UserError, match=words):
        TrainConfig(data=config)
    with pytest.raises(UserError, match=words):
        prepare(config)
    with pytest.raises(UserError, match=words):
        make_core(1, log=log, **given)


def test_paths_that_cannot_be_written_are_refused_before_any_work(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match="--runs: .*file is a file; must be a folder"):
        TrainConfig(runs=file)
    with pytest.raises(UserError, match="--cache-dir: .*file is a file"):
        DataConfig(cache_dir=file / "cache")
    with pytest.raises(UserError, match="--json: .* is a folder; give a file"):
        FidelityConfig(json=tmp_path)
    with pytest.raises(UserError, match="--assignment: .*file is a file; must be a folder"):
        PlanConfig(assignment=file / "arms.csv")
    with pytest.raises(UserError, match="--json: xxxx.* is longer than 255 bytes"):
        FidelityConfig(json=tmp_path / ("x" * 300))
    with pytest.raises(UserError, match="--log: 'a.x00b' holds a zero byte"):
        DataConfig(log="a\0b")
    assert file.read_text() == "" and list(tmp_path.iterdir()) == [file]
