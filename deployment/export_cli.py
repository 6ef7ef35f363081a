"""The command line of `bundlegym export`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from bundlegym.data.checked import NotNegative, Options, Seed, check_folder
from bundlegym.data.config import default_cache_dir
from bundlegym.deployment.export import export_policy
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.options import parsed
from bundlegym.terminal import say


@dataclass(frozen=True)
class ExportConfig(Options):
    """Write an agent of a run as a folder that answers without torch, for `bundlegym serve` and others."""

    run: tyro.conf.Positional[Path]
    """Folder of a finished run, such as runs/NAME."""

    folder: tyro.conf.Positional[Path]
    """Where the agent is written."""

    policy: str = ""
    """An agent of the run, such as ppo; by default the run's first."""

    agent_seed: Seed | None = None
    """Seed of the agent where the run trained several of a kind; by default the first."""

    offer_exposure: NotNegative | None = None
    """Assumption on what being offered does by itself, one of the run's; by default the first."""

    seed: Seed = 0
    """Seed of the luck among candidates."""

    trust_code: bool = False
    """Import the modules that the run names; give it only if you trust whoever made the run."""

    cache_dir: Path = field(default_factory=default_cache_dir)
    """Where logs are kept."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_folder("FOLDER", self.folder)


def export() -> None:
    """`bundlegym export runs/NAME FOLDER [options]`."""
    config = parsed(ExportConfig)
    policy = BundlePolicy.load(
        config.run,
        config.policy or None,
        agent_seed=config.agent_seed,
        exposure=config.offer_exposure,
        seed=config.seed,
        trust_code=config.trust_code,
        cache_dir=config.cache_dir,
    )
    export_policy(policy, config.folder)
    size = sum(file.stat().st_size for file in config.folder.iterdir() if file.is_file())
    say(f"{policy.name} of {config.run} is in {config.folder}, {size / 1e6:.1f} MB")
