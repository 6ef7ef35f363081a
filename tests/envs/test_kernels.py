"""The compiled parts whose answers the comparison with torch does not settle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundlegym.envs import kernels
from bundlegym.envs.base import METRICS
from bundlegym.envs.views import figures_of


@pytest.mark.parametrize("levels", [3, 40, 1 << 22])
def test_least_are_those_of_a_stable_sort_however_many_are_alike(levels):
    rng, slots = np.random.default_rng(levels), np.empty(12, dtype=np.int64)
    for length in (12, 13, 50, 160):
        rank = rng.integers(0, levels, length).astype(np.float32) * np.float32(1e30)
        kernels._least(rank, np.empty(length + 1, dtype=np.int64), slots)
        assert slots.tolist() == np.argsort(rank, kind="stable")[:12].tolist()


def test_figures_are_the_metrics_of_the_visits_that_ended(make_core):
    core = make_core(n=40)
    for step in range(3):
        action = core.masks().float().argmax(1)
        action[::3] = -1
        action[1::3] = core.k if step != 1 else -1
        result = core.step(action)
        if step == 1:
            assert result.record is None and not figures_of(result.record, core.n)[1].any()
    result = core.step(torch.full((core.n,), core.k + 1).where(core.masks()[:, core.k + 1], core.k))
    record = result.record
    figures, known = figures_of(record, core.n)
    assert known.nonzero()[0].tolist() == record.slot.tolist() and not figures[:, ~known].any()
    for name, row in zip(METRICS, figures, strict=True):
        np.testing.assert_array_equal(row[known], record.metrics()[name].numpy(), err_msg=name)
