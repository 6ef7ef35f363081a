"""The model card: from what log, with what settings, seeds and versions, and on what assumptions."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path
from typing import Any

from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import Dataset
from bundlegym.data.fingerprint import fingerprint
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.report.document import Bullets, Heading, Paragraph, Part, Section, Table
from bundlegym.evaluation.report.words import from_log

#: Paths of the machine that a run was made on are nobody's concern.
_LEFT_OUT = ("name", "runs", "cache_dir", "log", "columns", "items_file", "later", "known")


def card_section(folder: Path, config: TrainConfig, dataset: Dataset, notes: list[str]) -> Section:
    """Everything that somebody needs who makes the run again, or doubts it."""
    split = dataset.split
    seeds = config.all_seeds
    facts = {
        "Log": from_log(dataset.name),
        "Hash of the log": fingerprint(dataset),
        "Size": (
            f"{len(dataset.purchases):,} purchases, {len(dataset.visits):,} visits, {dataset.n_shoppers:,}"
            f" shoppers, {dataset.n_items:,} items, {dataset.n_weeks} weeks"
        ),
        "Learned from": f"weeks {_weeks(split.train_weeks)} of {int((~split.held_out).sum()):,} shoppers",
        "Curves and fidelity": f"weeks {_weeks(split.validation_weeks)}",
        "Tables": f"weeks {_weeks(split.test_weeks)} of {int(split.held_out.sum()):,} held-out shoppers",
        "Shoppers to train on": config.user_model,
        "Judges": ", ".join(config.judges) or "none",
        "Agents": ", ".join(f"{agent.upper()}, {config.steps_of(agent):,} steps" for agent in config.agents),
        "Seeds": f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}",
        "Offers": (
            f"{config.env.min_size} to {config.env.max_size} of {config.env.n_candidates} candidates, at "
            + ", ".join(f"{level:.0%}" for level in config.env.discounts)
            + " off, where the log supports it"
        ),
        "Finished": date.fromtimestamp((folder / "results.json").stat().st_mtime).isoformat(),
    }
    parts: list[Part] = [
        Table(["What", "Is"], [[what, told] for what, told in facts.items()]),
        Heading("What the log is, and what it may be used for"),
        Bullets([from_log(note) for note in notes] or ["The log says nothing of its terms: ask its owner."]),
    ]
    if assumed := dataset.report.get("assumptions", {}):
        parts += [
            Heading("What stands in for facts that the log does not state"),
            Bullets([from_log(f"{name}: {sentence}") for name, sentence in assumed.items()]),
        ]
    parts += [Heading("Settings that differ from the defaults"), _settings(config)]
    parts += [Heading("Versions"), _versions(folder)]
    return Section("card", "Where this comes from", parts)


def _weeks(weeks: tuple[int, int]) -> str:
    return f"{weeks[0] + 1} to {weeks[1]}"


def _settings(config: TrainConfig) -> Part:
    """Options that were given, as the command line calls them."""
    rows = [[f"--{name.replace('_', '-')}", from_log(value)] for name, value in _given(config, TrainConfig())]
    return Table(["Option", "Value"], rows) if rows else Paragraph("None.")


def _given(config: Any, default: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Names, as the command line has them, and values that differ from the defaults."""
    found: list[tuple[str, Any]] = []
    for field in dataclasses.fields(config):
        mine, usual = getattr(config, field.name), getattr(default, field.name)
        if field.name in _LEFT_OUT or mine == usual:
            continue
        if dataclasses.is_dataclass(mine):
            found += _given(mine, usual, f"{field.name}." if isinstance(config, AgentConfigs) else "")
        else:
            found.append((prefix + field.name, " ".join(map(str, mine)) if isinstance(mine, tuple) else mine))
    return found


def _versions(folder: Path) -> Part:
    path = folder / "versions.json"
    if not path.exists():
        return Paragraph("An earlier version made this run and kept none.")
    found = json.loads(path.read_text(encoding="utf-8"))
    return Paragraph(", ".join(f"{name} {number}" for name, number in found.items()))
