"""How charts on the documentation's pages look; the same figures give the same bytes."""

from __future__ import annotations

import io
from typing import Any

INK, GREY, BLUE, ORANGE, GREEN, GROUND = "#1f2933", "#5a6675", "#1b6ca8", "#c2570c", "#2f6b39", "#fbfaf7"
#: For matplotlib's `rc_context`.
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bundlegym",
    "font.family": "sans-serif",
    "font.size": 11,
}


def svg_of(figure: Any) -> str:
    """A figure of matplotlib as SVG."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", facecolor=GROUND, metadata={"Date": None})
    return stream.getvalue()
