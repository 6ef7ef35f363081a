"""Every agent that can be trained: its name, its hyper-parameters, and what makes it.

A further one is a file with a configuration and a maker, a line in `AGENTS`, and a field of `AgentConfigs`;
the command line, `--agents` and the contract test of all agents follow from these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bundlegym.agents.a2c import A2CConfig, make_a2c
from bundlegym.agents.config import AgentConfig
from bundlegym.agents.dqn import DQNConfig, make_dqn
from bundlegym.agents.ppo import PPOConfig, make_ppo
from bundlegym.agents.ppo_fast import PPOFastConfig, make_ppo_fast
from bundlegym.agents.tabular import QLearningConfig, SarsaConfig, make_q_learning, make_sarsa

#: Name -> `make(env, config, *, gamma, seed, device)`, which gives a Stable-Baselines3 algorithm: a fresh
#: agent on a `VecEnv` of `envs.sb3_vec_env`, which learns with `learn` and acts with `predict`.
AGENTS: dict[str, Callable[..., Any]] = {
    "ppo": make_ppo,
    "dqn": make_dqn,
    "a2c": make_a2c,
    "q-learning": make_q_learning,
    "sarsa": make_sarsa,
    "ppo-fast": make_ppo_fast,
}


@dataclass(frozen=True)
class AgentConfigs:
    """Hyper-parameters of every agent; a field has the agent's name."""

    ppo: PPOConfig = PPOConfig()
    dqn: DQNConfig = DQNConfig()
    a2c: A2CConfig = A2CConfig()
    q_learning: QLearningConfig = QLearningConfig()
    sarsa: SarsaConfig = SarsaConfig()
    ppo_fast: PPOFastConfig = PPOFastConfig()

    def of(self, agent: str) -> AgentConfig:
        """Those of the agent of that name."""
        return getattr(self, field_of(agent))


def field_of(agent: str) -> str:
    """The field of `AgentConfigs` of an agent: its name, as Python spells names."""
    return agent.replace("-", "_")
