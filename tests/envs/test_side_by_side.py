"""Several shops in one training live as each would alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bundlegym.envs import BundleVecEnv
from bundlegym.envs.side_by_side import SideBySide
from bundlegym.errors import UserError

SIZES = (3, 5)
OPTIONS = {"n_candidates": 8, "visits": 2}


def legal(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(masks, rng.random(masks.shape), -1.0).argmax(1)


def test_each_shop_lives_as_it_would_alone(make_core):
    alone = [BundleVecEnv(make_core(n, seed=n, **OPTIONS)) for n in SIZES]
    both = SideBySide([BundleVecEnv(make_core(n, seed=n, **OPTIONS)) for n in SIZES])
    rng, ended = np.random.default_rng(0), 0
    seen: Any = both.reset()
    first: list[Any] = [shop.reset() for shop in alone]
    assert both.num_envs == 8
    for _ in range(30):
        for name, block in seen.items():
            assert np.array_equal(block, np.concatenate([part[name] for part in first]))
        masks = both.env_method("action_masks")
        actions = legal(masks, rng)
        assert masks[np.arange(8), actions].all()
        seen, reward, done, infos = both.step(actions)
        parts = [shop.step(some) for shop, some in zip(alone, np.split(actions, [3]), strict=True)]
        first = [part[0] for part in parts]
        assert np.array_equal(reward, np.concatenate([part[1] for part in parts]))
        assert np.array_equal(done, np.concatenate([part[2] for part in parts]))
        assert [info.keys() for info in infos] == [info.keys() for part in parts for info in part[3]]
        ended += int(done.sum())
    assert ended > 8


def test_what_it_kept_goes_on(make_core):
    def fresh(seed: int) -> SideBySide:
        env = SideBySide([BundleVecEnv(make_core(n, seed=seed, **OPTIONS)) for n in SIZES])
        env.reset()
        return env

    one, other = fresh(1), fresh(2)
    rng = np.random.default_rng(1)
    for _ in range(5):
        one.step(legal(one.env_method("action_masks"), rng))
    other.restore(one.snapshot())
    for _ in range(5):
        actions = legal(one.env_method("action_masks"), rng)
        mine, theirs = one.step(actions), other.step(actions)
        assert np.array_equal(mine[1], theirs[1])
        assert all(np.array_equal(mine[0][name], theirs[0][name]) for name in mine[0])


def test_shops_that_show_other_shapes_are_refused(make_core):
    with pytest.raises(UserError, match="candidates is .* in the first shop"):
        SideBySide([BundleVecEnv(make_core(2, n_candidates=k, visits=2)) for k in (8, 12)])
    with pytest.raises(UserError, match="actions is"):
        levels = ((0.0,), (0.0, 0.1))
        SideBySide([BundleVecEnv(make_core(2, discounts=some, **OPTIONS)) for some in levels])
