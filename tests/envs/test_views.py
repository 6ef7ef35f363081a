"""Gymnasium's and Stable-Baselines3's own checks, warnings as errors; the views agree with each other."""

from __future__ import annotations

import copy
import json
import multiprocessing
import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import bundlegym
from bundlegym.envs import BundleVecEnv
from bundlegym.errors import UserError

IDS = [name for name in gym.registry if name.startswith("bundlegym/")]
FITTED = {"bundlegym/Bundle-v0", "bundlegym/Slate-v0"}


@pytest.fixture
def given(dataset, user_model) -> dict:
    return {"dataset": dataset, "user_model": user_model}


@pytest.fixture
def env(given):
    return gym.make("bundlegym/Bundle-v0", **given)


def test_all_ids_are_registered():
    assert set(IDS) == FITTED | {"bundlegym/KnownOptimum-v0", "bundlegym/Planning-v0"}


@pytest.fixture
def of_id(given):
    """Options of an id: those with stated shoppers have a log of their own."""
    return lambda name: given if name in FITTED else {}


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_check_env(name, of_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(name, render_mode="ansi", **of_id(name)).unwrapped)


@pytest.mark.parametrize("name", IDS)
def test_stable_baselines3_check_env(name, of_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_check_env(gym.make(name, **of_id(name)).unwrapped)


def random_legal(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])


def test_same_seed_same_episode(env):
    def play(seed: int) -> list[float]:
        observation, info = env.reset(seed=seed)
        rng, out, over = np.random.default_rng(0), [], False
        while not over:
            observation, reward, terminated, truncated, info = env.step(
                rng.choice(np.flatnonzero(info["action_mask"]))
            )
            out += [reward, float(observation["candidates"].sum())]
            over = terminated or truncated
        return out

    assert play(3) == play(3) != play(4)


def assert_same(ours, theirs, path: str = "") -> None:
    """Equal to the last bit, through dicts and arrays of objects."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), path
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{path}/{key}")
    elif isinstance(theirs, tuple) or getattr(theirs, "dtype", None) == np.dtype(object):
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{path}/{i}")
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=path)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_native_batch_is_the_single_environments_side_by_side(given, mode):
    options = {**given, "visits": 2, "n_candidates": 12}
    ours = gym.make_vec("bundlegym/Bundle-v0", num_envs=5, autoreset_mode=mode, **options)
    singles = [lambda: gym.make("bundlegym/Bundle-v0", **options)] * 5
    theirs = SyncVectorEnv(singles, autoreset_mode=mode)
    assert ours.metadata["autoreset_mode"] is mode
    assert_same(ours.reset(seed=11), theirs.reset(seed=11))
    rng, info, ends = np.random.default_rng(0), ours.reset(seed=11)[1], 0
    for _ in range(40):
        action = random_legal(info["action_mask"], rng)
        mine = ours.step(action)
        info, ends = mine[4], ends + mine[3].sum()
        assert_same(mine, theirs.step(action))
    assert ends >= 10


def test_disabled_autoreset_waits_for_the_reset_mask(given):
    env = gym.make_vec(
        "bundlegym/Bundle-v0", num_envs=3, autoreset_mode=AutoresetMode.DISABLED, visits=1, **given
    )
    first, info = env.reset(seed=0)
    nothing = np.full(3, info["action_mask"].shape[1] - 5)
    *_, truncated, info = env.step(nothing)
    assert truncated.all()
    with pytest.raises(ValueError, match="environment 0: its episode has ended"):
        env.step(nothing)
    after, _ = env.reset(options={"reset_mask": np.array([True, True, False])})
    assert (after["context"][:2, 0] == 1).all() and after["context"][2, 0] == 0


@pytest.mark.parametrize("id", ["bundlegym/Bundle-v0", "bundlegym/Slate-v0"])
def test_what_is_no_action_is_an_error_and_so_is_a_step_after_the_end(id, given):
    env = gym.make(id, **given).unwrapped
    env.reset(seed=0)
    size = len(np.atleast_1d(env.action_space.sample()))
    for wrong in (-1, 10**6, 0.5, "all", None, float("nan"), True if size > 1 else 2**70):
        with pytest.raises(ValueError, match="must be"):
            env.step(wrong if size == 1 else [wrong] * size)
    nothing = env.core.k if size == 1 else [env.core.k] * (size - 1) + [0]
    ended = False
    while not ended:
        _, _, terminated, truncated, _ = env.step(nothing)
        ended = terminated or truncated
    with pytest.raises(ValueError, match="the episode has ended; call reset"):
        env.step(nothing)
    env.reset()
    env.step(nothing)


def test_what_is_no_action_is_an_error_where_there_are_many(given, make_core):
    vector = gym.make_vec("bundlegym/Bundle-v0", 3, **given)
    vector.reset(seed=0)
    sb3 = BundleVecEnv(make_core(3))
    sb3.reset()
    for step in (vector.step, sb3.step):
        for wrong in (np.full(3, -1), np.array([0, 0, 10**6]), np.full(3, 0.5), np.zeros(2, int), ["a"] * 3):
            with pytest.raises(ValueError, match="must be"):
                step(wrong)  # type: ignore[arg-type]


def test_masked_actions_make_the_first_legal_offer(env):
    _, info = env.reset(seed=0)
    k = env.unwrapped.core.k
    assert not info["action_mask"][k + 2]
    _, _, _, _, info = env.step(k + 2)
    assert "size" in info and np.isnan(info["size"])  # nothing was offered


def test_slate_is_the_bundle_in_one_action(given):
    slate, single = (gym.make(f"bundlegym/{name}-v0", **given) for name in ("Slate", "Bundle"))
    slate.reset(seed=2), single.reset(seed=2)
    for action in (5, 9, 3):
        single.step(action)
    one = single.step(32 + 2)
    two = slate.step(np.array([5, 9, 9, 3, 2]))
    assert one[1] == two[1] and one[4]["size"] == two[4]["size"] == 3
    assert_same(one[0], two[0])


def test_specification_goes_through_json_and_pickle(few_steps):
    env = gym.make("bundlegym/Bundle-v0", preset="quick", discounts=[0.0, 0.5], visits=3)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    pickled = pickle.loads(pickle.dumps(env.unwrapped))
    first = env.reset(seed=5)[0]
    assert json.loads(env.spec.to_json())["kwargs"]["visits"] == 3
    assert_same(again.reset(seed=5)[0], first)
    assert_same(pickled.reset(seed=5)[0], first)


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_from_where_it_was_made(name, copied, few_steps):
    env = gym.make(name, **({"preset": "quick"} if name in FITTED else {}))  # type: ignore[arg-type]
    env.reset(seed=3)
    env.action_space.seed(0)
    for _ in range(3):
        _, _, *ended, _ = env.step(env.action_space.sample())
        if any(ended):
            env.reset()
    twin = copied(env)
    for _ in range(30):
        action = env.action_space.sample()
        one, two = env.step(action), twin.step(action)
        assert_same(one[0], two[0])
        assert one[1:4] == two[1:4]
        if one[2] or one[3]:
            assert_same(env.reset()[0], twin.reset()[0])


def test_a_copy_of_many_environments_lives_apart(given):
    env = gym.make_vec("bundlegym/Bundle-v0", 3, **given)
    env.reset(seed=1)
    twin = copy.deepcopy(env)
    before = twin.core.features.clone()
    for _ in range(5):
        env.step(np.full(3, env.core.k))  # offer nothing: the visit ends
    assert twin.core.features.equal(before) and not env.core.features.equal(before)
    assert twin.core.market is env.core.market and twin.core.user_model is env.core.user_model


@pytest.mark.parametrize("weeks", [(np.int64(3), np.int64(3)), (np.int64(-1), np.int64(2))])
def test_no_numpy_in_messages(weeks):
    with pytest.raises(UserError) as told:
        gym.make("bundlegym/Bundle-v0", preset="quick", weeks=weeks)
    assert "np." not in str(told.value)
    with pytest.raises(UserError, match=r"discounts: must be in \[0, 1\), not 1\.5"):
        gym.make("bundlegym/Bundle-v0", preset="quick", discounts=(np.float64(0.1), np.float64(1.5)))


def play_in_worker(seed: int) -> float:
    # In a process of its own, in which nothing is fitted yet.
    env = gym.make("bundlegym:bundlegym/Bundle-v0", preset="quick", user_model="replay")
    observation, _ = env.reset(seed=seed)
    return float(observation["candidates"].sum())


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_play_the_same(method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map(play_in_worker, [3, 4]) == [play_in_worker(3), play_in_worker(4)]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"preset": "other"}, "preset 'other': is none of synthetic"),
        ({"visitz": 3}, "unexpected keyword argument 'visitz'; known options are "),
        ({"reward": "profit"}, "reward 'profit': is none of incremental_margin"),
        ({"observation": ["shopper", "soul"]}, "observation 'soul'"),
        ({"weeks": "next"}, "weeks 'next'"),
        ({"shoppers": [10_000]}, "shoppers: codes"),
        ({"user_model": "oracle"}, "unknown user model 'oracle'"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(bundlegym.UserError, match=words):
        gym.make("bundlegym/Bundle-v0", **{"user_model": "replay"} | options)


def test_vec_env_reports_terminal_observation_and_time_limit(make_core):
    env = BundleVecEnv(make_core(n=4, visits=1))
    env.reset()
    observation, reward, done, infos = env.step(np.full(4, env.core.k))
    assert done.all()
    for slot, info in enumerate(infos):
        assert info["TimeLimit.truncated"] is True  # nobody leaves for good in the synthetic log
        assert info["terminal_observation"]["context"][0] == 0.0
        assert observation["context"][slot, 0] == 1.0  # type: ignore[call-overload]
    assert env.env_method("action_masks").shape == (4, env.action_space.n)
