"""The benchmark's row `plain`: what is compiled, executed by plain Python, is the same simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from bundlegym.data import synthetic_dataset
from bundlegym.envs import BundleCore, EnvConfig, build_market
from bundlegym.user_models import ChoiceShopper

VISITS = 12


def rewards(folder: Path) -> list[float]:
    """Of the first visits of one shopper of the user model in a folder, each offered three items."""
    dataset, model = synthetic_dataset(), ChoiceShopper.load(folder)
    core = BundleCore(
        build_market(dataset), model, EnvConfig(), n=1,
        shoppers=np.flatnonzero(~dataset.split.held_out), weeks=dataset.split.train_weeks,
    )  # fmt: skip
    core.reset()
    earned = []
    for visit in range(VISITS):
        for action in (0, 1, 2, core.k + visit % core.levels):
            result = core.step(torch.tensor([action]))
        core.restart(result.terminated | result.truncated)
        earned.append(float(result.reward[0]))
    return earned


def test_plain_python_lives_the_same_visits(user_model, tmp_path):
    user_model.save(tmp_path)
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-W", "ignore", __file__, str(tmp_path)]
    plain = json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)
    assert np.any(plain)
    np.testing.assert_allclose(plain, rewards(tmp_path), atol=1e-4)


if __name__ == "__main__":
    print(json.dumps(rewards(Path(sys.argv[1]))))
