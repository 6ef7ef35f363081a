"""Which agent is trained in a process: its kind, its seed, and whom it learns from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """An agent to train: its kind, its seed, and the `offer_exposure` of the shoppers that it learns from."""

    agent: str
    seed: int
    exposure: float

    @property
    def folder(self) -> str:
        """Where it is kept in its run."""
        return f"{self.agent}-{self.seed}-exposure-{self.exposure:g}"

    def __str__(self) -> str:
        return f"{self.agent}, seed {self.seed}, exposure {self.exposure:g}"
