"""Learning curves: what each agent earned on validation weeks while it trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bundlegym.envs.base import GAIN
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.report import pictures
from bundlegym.evaluation.report.document import Heading, Paragraph, Part, Picture, Section
from bundlegym.evaluation.report.words import PER, Money, assumed

_GAIN = f"eval/{GAIN}"


def learning_section(folder: Path, jobs: Sequence[Job], money: Money) -> Section:
    """A picture an agent and assumption, a line a seed."""
    parts: list[Part] = [
        Paragraph(
            "Each point is the gain on weeks that the agent did not train in. A curve that still rises says"
            " that longer training may pay; one that falls, that it learned what does not last."
        )
    ]
    for exposure in dict.fromkeys(job.exposure for job in jobs):
        lines = []
        for job in jobs:
            if job.exposure == exposure:
                steps, gains = curve(folder / job.folder)
                if len(steps):
                    lines.append((job.agent.upper(), steps, gains))
        parts.append(Heading(f"Trained on shoppers for whom {assumed(exposure)}"))
        if lines:
            several = len(lines) > len({name for name, _, _ in lines})
            each = "a line for each seed" if several else "one agent of each kind"
            parts.append(
                Picture(pictures.curves(lines, money.unit), f"Gain in {PER:,} visits while training; {each}.")
            )
        else:
            parts.append(Paragraph("No curve was kept."))
    return Section("learning", "How the agents learned", parts)


def curve(folder: Path) -> tuple[list[float], list[float]]:
    """Steps and gains a visit of an agent's evaluations, in all parts of its training: from its TensorBoard
    files, which know at which step each was made."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    if _GAIN not in events.Tags()["scalars"]:
        return [], []
    found = {float(event.step): event.value for event in events.Scalars(_GAIN)}
    steps = sorted(found)
    return steps, [found[step] for step in steps]
