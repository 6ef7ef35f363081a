"""PPO on one screen over `gym.make_vec`, in the manner of CleanRL: `python examples/cleanrl_ppo.py`.

Masked actions have no probability; a truncated episode is valued by its last observation (`final_obs`).
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

import bundlegym  # noqa: F401  (registers)

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=200_000, help="environment steps")
parser.add_argument("--n", type=int, default=256, help="environments")
parser.add_argument("--preset", default="synthetic", help="synthetic, complete-journey or quick")
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
LENGTH, EPOCHS, BATCHES, GAMMA, LAMBDA, CLIP, ENTROPY = 32, 2, 4, 0.95, 0.95, 0.2, 0.005

torch.manual_seed(args.seed)
torch.set_num_threads(1)
envs = gym.make_vec("bundlegym/Bundle-v0", num_envs=args.n, preset=args.preset)
actions = int(envs.single_action_space.n)
width = gym.spaces.flatdim(envs.single_observation_space)


def flat(observation: dict[str, np.ndarray]) -> torch.Tensor:
    """(N, width), the blocks side by side."""
    return torch.from_numpy(np.concatenate([observation[name] for name in sorted(observation)], axis=-1))


def network(outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs)
    )


actor, critic = network(actions), network(1)
optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=1e-3, eps=1e-5)


def policy(seen: torch.Tensor, mask: torch.Tensor) -> Categorical:
    return Categorical(logits=actor(seen).masked_fill(~mask, -1e9))


observation, info = envs.reset(seed=args.seed)
for update in range(args.steps // (args.n * LENGTH)):
    seen, masks = torch.zeros(LENGTH, args.n, width), torch.zeros(LENGTH, args.n, actions, dtype=torch.bool)
    taken = torch.zeros(LENGTH, args.n, dtype=torch.int64)
    rewards, values, logs, ended = (torch.zeros(LENGTH, args.n) for _ in range(4))
    gains = []
    for t in range(LENGTH):
        seen[t], masks[t] = flat(observation), torch.from_numpy(info["action_mask"])
        with torch.no_grad():
            choice = policy(seen[t], masks[t])
            taken[t] = choice.sample()
            logs[t], values[t] = choice.log_prob(taken[t]), critic(seen[t])[:, 0]
        observation, reward, terminated, truncated, info = envs.step(taken[t].numpy())
        rewards[t] = torch.from_numpy(reward).float()
        ended[t] = torch.from_numpy(terminated | truncated).float()
        for slot in np.flatnonzero(truncated):
            with torch.no_grad():
                rewards[t, slot] += GAMMA * critic(flat(info["final_obs"][slot]))[0]
        for place in (info, info.get("final_info", {})):
            known = place.get("_incremental_margin_per_visit", np.zeros(args.n, dtype=bool))
            gains += place["incremental_margin_per_visit"][known].tolist() if known.any() else []
    with torch.no_grad():
        following, advantage = critic(flat(observation))[:, 0], torch.zeros(args.n)
        advantages = torch.zeros_like(rewards)
        for t in reversed(range(LENGTH)):
            live = 1 - ended[t]
            delta = rewards[t] + GAMMA * following * live - values[t]
            advantage = delta + GAMMA * LAMBDA * live * advantage
            advantages[t], following = advantage, values[t]
    returns = (advantages + values).flatten()
    batch = [x.flatten(0, 1) for x in (seen, masks)] + [x.flatten() for x in (taken, logs, advantages)]
    for _ in range(EPOCHS):
        for rows in torch.randperm(args.n * LENGTH).chunk(BATCHES):
            s, m, a, old, gain = (x[rows] for x in batch)
            choice = policy(s, m)
            ratio = (choice.log_prob(a) - old).exp()
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            actor_loss = -torch.min(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean()
            critic_loss = (critic(s)[:, 0] - returns[rows]).square().mean()
            loss = actor_loss + 0.5 * critic_loss - ENTROPY * choice.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*actor.parameters(), *critic.parameters()], 0.5)
            optimizer.step()
    if gains:
        print(f"{(update + 1) * args.n * LENGTH:9,} steps  {np.mean(gains):+.4f} incremental margin a visit")
