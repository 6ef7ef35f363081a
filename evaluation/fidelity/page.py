"""A page of plots, real against simulated: an HTML file with a PNG beside it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from bundlegym.data.files import write_text
from bundlegym.evaluation.fidelity.plots import PLOTS, draw
from bundlegym.evaluation.fidelity.samples import Samples


def write_page(folder: Path, content: dict[str, Any], samples: Samples, text: str) -> Path:
    """Write `fidelity.html` and `fidelity.png` into `folder`; the page's path. `samples` are of known
    shoppers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(4, 4, figsize=(18, 15), constrained_layout=True)
    for name, axis in zip(PLOTS, axes.flat, strict=True):
        draw(axis, name, content, samples)
    axes.flat[0].legend()
    figure.savefig(folder / "fidelity.png", dpi=80)
    plt.close(figure)
    page = folder / "fidelity.html"
    title = f"Fidelity of {content['user_model']} on {content['log']}"
    write_text(
        page,
        f"<!doctype html><meta charset='utf-8'><title>{html.escape(title)}</title>\n"
        f"<h1>{html.escape(title)}</h1>\n<img src='fidelity.png' style='max-width:100%'>\n"
        f"<pre style='white-space: pre-wrap'>{html.escape(text)}</pre>\n",
    )
    return page
