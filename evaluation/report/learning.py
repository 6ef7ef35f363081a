"""Learning curves: what each agent earned on validation weeks while it trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bundlegym.errors import UserError
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.report import pictures
from bundlegym.evaluation.report.document import Heading, Paragraph, Part, Picture, Section
from bundlegym.evaluation.report.words import Money, assumed

_STEPS, _GAIN = "time/total_timesteps", "eval/incremental_margin_per_visit"


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
            parts.append(Picture(pictures.curves(lines, money.unit), f"Gain while training; {each}."))
        else:
            parts.append(Paragraph("No curve was kept."))
    return Section("learning", "How the agents learned", parts)


def curve(folder: Path) -> tuple[list[float], list[float]]:
    """Steps and gains a visit of an agent's evaluations, in all parts of its training.

    Raises:
        UserError: a file is damaged.
    """
    found: dict[float, float] = {}
    for path in sorted(folder.glob("progress*.csv")):
        try:
            table = pd.read_csv(path)
        except pd.errors.EmptyDataError:
            continue
        except (ValueError, OSError) as error:
            raise UserError(f"{path}: not readable as CSV ({error}); remove it") from error
        if {_STEPS, _GAIN} <= set(table.columns):
            known = table[[_STEPS, _GAIN]].apply(pd.to_numeric, errors="coerce").dropna()
            found |= dict(zip(known[_STEPS], known[_GAIN], strict=True))
    steps = sorted(found)
    return steps, [found[step] for step in steps]
