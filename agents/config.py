"""What the hyper-parameters of all agents have in common: a line of doc each, and a range that is checked."""

from __future__ import annotations

from dataclasses import dataclass

from bundlegym.user_models.config import Config, Whole


@dataclass(frozen=True)
class AgentConfig(Config):
    """The base of an agent's configuration, which stands in the file of the agent.

    `learning_rate` of an agent called `ppo` is `--ppo.learning-rate` on the command line, and so in errors.
    """

    #: The agent's name in the registry; it has no annotation, and is therefore no field.
    agent = ""

    #: Visits of the planner that the agent imitates at first; an agent that can has a field of this name.
    imitate = 0

    steps: Whole = 100_000
    """Environment steps (picks and offers) to learn from; 0 leaves the agent as it begins."""

    @classmethod
    def label(cls, field: str) -> str:
        return f"--{cls.agent}.{field.replace('_', '-')}"
