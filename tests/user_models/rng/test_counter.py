"""Draws: both paths give the same bits, and a seed of one's own is an episode of seed 0."""

from __future__ import annotations

import pytest
import torch

from bundlegym.user_models import Draws
from bundlegym.user_models.rng.counter import first_episode


@pytest.mark.parametrize("seed", [0, 3, -5, 2**62])
def test_compiled_and_torch_draws_are_the_same_bits(seed):
    episode = torch.arange(6) * (1 << 32) - 3
    draws = Draws(seed, episode, torch.arange(6))
    index = torch.arange(900).reshape(6, 150) - 1
    for stream in (0, 7, 102):
        for table in (None, index, index[0]):
            assert torch.equal(draws.uniform(stream, table), draws._uniform(stream, table))


def test_first_episode_carries_the_seed():
    visit = torch.zeros(1, dtype=torch.int64)
    for seed in (0, 1, 77, 2**40, -9):
        own = Draws(seed, torch.tensor([0]), visit)
        other = Draws(0, torch.tensor([first_episode(seed)]), visit)
        assert torch.equal(own.uniform(4, torch.arange(50)), other.uniform(4, torch.arange(50)))
