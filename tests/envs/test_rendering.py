"""What a person sees: names, the bundle, the response, the margin against the twin."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from bundlegym.envs.base import LIFT
from bundlegym.envs.rendering.picture import picture_of
from bundlegym.envs.rendering.scene import Outcome, scene_of
from bundlegym.envs.rendering.words import in_words


@pytest.fixture
def make(dataset, user_model):
    return lambda mode, **options: gym.make(
        "bundlegym/Bundle-v0", render_mode=mode, dataset=dataset, user_model=user_model, **options
    )


def test_ansi_tells_the_visit(make, dataset):
    env = make("ansi")
    env.reset(seed=0)
    core = env.unwrapped.core
    first, second = (dataset.items["name"][int(core.candidates[0, slot])] for slot in (4, 11))
    env.step(4)
    env.step(11)
    assert f"Bundle: {first} + {second}" in env.render()
    *_, info = env.step(32 + 3)
    text = env.render()
    assert f"Last visit: {first} + {second} at 20% off: " in text
    assert f"{info['incremental_margin_per_visit']:+.2f}" in text and "visit 2 of 8" in text
    assert "Bundle: empty" in text
    env.reset(seed=1)
    assert "Last visit" not in env.render()


def test_pictures_change_with_what_is_picked_and_answered(make):
    env = make("rgb_array", visits=2)
    env.reset(seed=0)
    frames = [env.render()]
    for action in (3, 5, 32 + 2, 0, 1, 2, 3, 32 + 1):
        env.step(action)
        frames.append(env.render())
    assert all(frame.shape == (544, 960, 3) and frame.dtype == np.uint8 for frame in frames)
    assert all((a != b).any() for a, b in zip(frames, frames[1:], strict=False))


@pytest.mark.parametrize("choice", [0, 1, 2])
def test_any_scene_is_drawn_and_told(make_core, choice):
    core = make_core(n=2, n_candidates=3, min_size=1, max_size=3)
    core.features[1, 0, LIFT] = 5.0
    past = [Outcome(("a" * 200, "b"), 0.3, choice, -1.5, 2.0, 4), Outcome((), 0.0, 0, 0.0, 0.0, 0)]
    for outcomes in ([], past[:1], past):
        scene = scene_of(core, 1, outcomes)
        assert picture_of(scene).std() > 0
        assert "Candidates, the 3" in in_words(scene)
    assert past[0].gain == -3.5 and "Nothing was offered" in in_words(scene_of(core, 1, past))


def test_human_prints_as_it_goes(make, capsys):
    env = make("human")
    env.reset(seed=0)
    env.step(0)
    assert capsys.readouterr().out.count("Shopper ") == 2
