"""Pictures of the page as inline SVG, drawn by matplotlib; text stays text, so that it is read and scaled."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from markupsafe import Markup

from bundlegym.evaluation.fidelity.plots import draw
from bundlegym.evaluation.fidelity.samples import Samples
from bundlegym.evaluation.report.words import PER, Figure

_WIDTH = 4.6  # inches: at 350 pixels, a phone's width, 11 points are read without zooming
_COLOURS = ("#1b6ca8", "#e07a1f", "#3a7d44", "#8e3b8e", "#a63d40", "#5a6675")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bundlegym",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,
    "savefig.transparent": True,
}


def intervals(rows: Sequence[tuple[str, Figure, bool]], unit: str) -> Markup:
    """Gains with their intervals, one below the other.

    Args:
        rows: a name, a figure with mean, low and high a visit, and whether it stands out.
    """
    with _axis(0.7 + 0.5 * len(rows)) as (axis, markup):
        for place, (name, figure, marked) in enumerate(rows):
            mean, low, high = (PER * figure[end] for end in ("mean", "low", "high"))
            colour = _COLOURS[1] if marked else _COLOURS[0]
            axis.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
            axis.plot(mean, place, "o", color=colour, markersize=7)
            axis.text(
                0.0,
                place - 0.36,
                name,
                transform=axis.get_yaxis_transform(),
                fontsize=10,
                va="center",
                backgroundcolor="white",
            ).get_bbox_patch().set_boxstyle("square", pad=0.1)
        axis.axvline(0, color="black", linewidth=1)
        axis.set_ylim(len(rows) - 0.5, -0.7)
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
        axis.set_xlabel(f"{unit} more than without offers, in {PER:,} visits", fontsize=10)
    return markup()


def curves(lines: Sequence[tuple[str, Sequence[float], Sequence[float]]], unit: str) -> Markup:
    """Learning curves: a name, steps and gains a visit each; lines of one name have one colour."""
    names = list(dict.fromkeys(name for name, _, _ in lines))
    with _axis(3.2) as (axis, markup):
        for name, steps, gains in lines:
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            label = name if name not in axis.get_legend_handles_labels()[1] else None
            axis.plot(steps, [PER * gain for gain in gains], "o-", color=colour, label=label, markersize=4)
        axis.axhline(0, color="black", linewidth=1)
        axis.set_xlabel("steps of training", fontsize=10)
        axis.set_ylabel(unit, fontsize=10)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.locator_params(axis="x", nbins=4)
        axis.legend(fontsize=9, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22))
    return markup()


def fidelity(name: str, content: Figure, samples: Samples, title: str, across: str) -> Markup:
    """One of the plots of fidelity under a title in plain words; `across` names what runs to the right."""
    from matplotlib.ticker import NullFormatter

    with _axis(3.0) as (axis, markup):
        draw(axis, name, content, samples)
        axis.set_title(title, fontsize=11)
        axis.set_xlabel(across, fontsize=10)
        if axis.get_legend_handles_labels()[1]:
            axis.set_ylabel("share", fontsize=10)
            axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
            axis.yaxis.set_minor_formatter(NullFormatter())
            axis.legend(fontsize=9, frameon=False)
    return markup()


@contextmanager
def _axis(height: float) -> Iterator[tuple[Any, Callable[[], Markup]]]:
    """An axis to draw on, and what gives the SVG after it was drawn."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Sheet

    drawn: list[Markup] = []
    with matplotlib.rc_context(_STYLE):
        sheet = Sheet(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasSVG(sheet)
        yield sheet.subplots(), lambda: drawn[0]
        text = io.StringIO()
        sheet.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, dpi=120)
    svg = text.getvalue()
    drawn.append(Markup(svg[svg.index("<svg") :].strip()))
