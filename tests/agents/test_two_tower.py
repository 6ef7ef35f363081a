from __future__ import annotations

import pytest
import torch as th
from gymnasium import spaces

from bundlegym.agents.two_tower import TwoTowerScorer, space_sizes
from tests.agents.conftest import FB, FC, FS, D, TinyShop, box


def an_obs(n: int, k: int, seed: int = 0) -> dict[str, th.Tensor]:
    g = th.Generator().manual_seed(seed)
    return {
        "shopper": th.randn(n, FS, generator=g),
        "context": th.randn(n, FB, generator=g),
        "candidates": th.randn(n, k * FC, generator=g),
        "picked": (th.rand(n, k, generator=g) < 0.4).float(),
    }


@pytest.fixture
def scorer() -> TwoTowerScorer:
    th.manual_seed(0)
    return TwoTowerScorer({"shopper": FS, "context": FB}, FC, D)


def test_a_permutation_of_the_candidates_permutes_the_scores(scorer: TwoTowerScorer) -> None:
    obs, k = an_obs(5, 7), 7
    order = th.tensor([3, 0, 6, 1, 5, 2, 4])
    moved = dict(obs)
    moved["picked"] = obs["picked"][:, order]
    moved["candidates"] = obs["candidates"].reshape(5, k, FC)[:, order].reshape(5, -1)
    scores, values = scorer(obs)
    scores_moved, values_moved = scorer(moved)
    th.testing.assert_close(scores_moved[:, :k], scores[:, order])
    th.testing.assert_close(scores_moved[:, k:], scores[:, k:])
    th.testing.assert_close(values_moved, values)
    assert scores[:, :k].std() > 1e-3


@pytest.mark.parametrize("k", [1, 4, 50])
def test_one_set_of_weights_serves_any_k(scorer: TwoTowerScorer, k: int) -> None:
    scores, values = scorer(an_obs(3, k))
    assert scores.shape == (3, k + D) and values.shape == (3,)
    shop = TinyShop(k=k)
    other = TwoTowerScorer.from_spaces(shop.observation_space, shop.action_space)
    other.load_state_dict(scorer.state_dict())


def test_extreme_features_are_clamped(scorer: TwoTowerScorer) -> None:
    obs = an_obs(3, 4)
    big = {**obs, "candidates": th.full_like(obs["candidates"], 1e9)}
    ten = {**obs, "candidates": th.full_like(obs["candidates"], 10.0)}
    th.testing.assert_close(scorer(big)[0], scorer(ten)[0])


def test_a_further_block_counts(scorer: TwoTowerScorer) -> None:
    k = 4
    sizes = {"profile": 6, "shopper": FS, "context": FB, "candidates": k * FC, "picked": k}
    obs: dict[str, spaces.Space] = {key: box(size) for key, size in sizes.items()}
    wider = TwoTowerScorer.from_spaces(spaces.Dict(obs), spaces.Discrete(k + D))
    seen = an_obs(3, k)
    scores, values = wider({**seen, "profile": th.zeros(3, 6)})
    moved_scores, moved_values = wider({**seen, "profile": th.ones(3, 6)})
    assert (scores - moved_scores).abs().max() > 1e-4 and (values - moved_values).abs().max() > 1e-4


def test_spaces_that_do_not_fit_are_refused() -> None:
    obs: dict[str, spaces.Space] = {
        "shopper": box(2),
        "context": box(2),
        "candidates": box(7),
        "picked": box(3),
    }
    with pytest.raises(ValueError, match="do not fit"):
        space_sizes(spaces.Dict(obs), spaces.Discrete(5))
    with pytest.raises(ValueError, match="keys"):
        space_sizes(box(3), spaces.Discrete(5))


def test_forecasts_join_their_candidates_and_the_state() -> None:
    th.manual_seed(0)
    n, k, width = 4, 5, 3
    sizes = {"shopper": FS, "context": FB, "candidates": k * FC, "picked": k, "forecasts": (k + 1) * width}
    space = spaces.Dict({key: box(size) for key, size in sizes.items()})
    scorer = TwoTowerScorer.from_spaces(space, spaces.Discrete(k + D))
    obs = an_obs(n, k) | {"forecasts": th.randn(n, (k + 1) * width)}
    scores, values = scorer(obs)
    order = th.tensor([3, 0, 1, 4, 2])
    moved = dict(obs, picked=obs["picked"][:, order])
    for key, rows in (("candidates", order), ("forecasts", th.cat([order, th.tensor([k])]))):
        moved[key] = obs[key].reshape(n, len(rows), -1)[:, rows].flatten(1)
    th.testing.assert_close(scorer(moved)[0][:, :k], scores[:, order])
    th.testing.assert_close(scorer(moved)[1], values)
    other = dict(obs, forecasts=obs["forecasts"].clone())
    other["forecasts"][:, k * width :] += 1  # the row of the bundle
    assert (scorer(other)[0] - scores)[:, k:].abs().max() > 1e-3
    with pytest.raises(ValueError, match="no whole number"):
        space_sizes(spaces.Dict({**space.spaces, "forecasts": box(7)}), spaces.Discrete(k + D))
