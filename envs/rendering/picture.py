"""A scene as a picture, drawn with Pillow, and its colours: render mode `rgb_array`, a frame of a film."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bundlegym.envs.rendering.scene import Outcome, Scene

WIDTH, HEIGHT = 960, 544
_INK, _SOFT, _PAPER, _LINE = (28, 32, 40), (120, 128, 140), (250, 250, 247), (222, 222, 216)
_BLUE, _GREEN, _RED, _SAND = (43, 108, 176), (34, 132, 84), (190, 60, 50), (236, 231, 218)
#: Of the bar that names the response: ignored, cherry-picked, taken.
_RESPONSE_COLOURS = (_SOFT, (176, 112, 24), _GREEN)
_TITLES = ("IGNORED", "CHERRY-PICKED", "TAKEN WHOLE")


def picture_of(scene: Scene) -> np.ndarray:
    """(544, 960, 3) uint8: candidates on the left; bundle, response and earnings on the right."""
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    pen = ImageDraw.Draw(image)
    _text(pen, (24, 16), f"Shopper {scene.shopper}", 26, _INK)
    _text(
        pen, (WIDTH - 24, 22), f"visit {scene.visit} of {scene.visits}   week {scene.week}", 18, _SOFT, "ra"
    )
    pen.line((24, 56, WIDTH - 24, 56), _LINE, 2)
    _candidates(pen, scene)
    _bundle(pen, scene)
    if scene.last is not None:
        _response(pen, scene.last)
    _earnings(pen, scene)
    return np.asarray(image)


def _text(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int,
    colour: tuple[int, int, int], anchor: str = "la", width: float = WIDTH,
) -> None:  # fmt: skip
    """Text cut to a width in pixels."""
    font = ImageFont.load_default(size)
    while text and pen.textlength(text, font) > width:
        text = text[:-2].rstrip(" .") + "."
    pen.text(at, text, colour, font, anchor)


def _candidates(pen: ImageDraw.ImageDraw, scene: Scene, most: int = 14) -> None:
    _text(pen, (24, 66), "Candidates, most bought by this shopper first", 15, _SOFT)
    _text(pen, (484, 66), "goes with bundle", 13, _SOFT, "ra")
    for i, line in enumerate(scene.candidates[:most]):
        y = 92 + i * 31
        if line.place >= 0:
            pen.rounded_rectangle((20, y - 3, 488, y + 25), 5, _SAND)
            _text(pen, (30, y + 2), str(line.place + 1), 16, _BLUE)
        pen.rectangle((50, y + 18, 50 + 240 * line.often, y + 21), _BLUE)
        _text(pen, (50, y - 2), line.name, 15, _INK, width=290)
        _text(pen, (400, y + 2), f"{line.price:.2f}", 15, _INK, "ra")
        end = 446 + max(-36, min(36, 24 * line.lift))
        if abs(end - 446) > 1:
            colour = _GREEN if line.lift > 0 else _RED
            pen.rectangle((min(446, end), y + 5, max(446, end), y + 15), colour)
        pen.line((446, y, 446, y + 21), _LINE)
    if len(scene.candidates) > most:
        _text(pen, (50, 92 + most * 31 - 3), f"and {len(scene.candidates) - most} more", 13, _SOFT)


def _bundle(pen: ImageDraw.ImageDraw, scene: Scene) -> None:
    _text(pen, (516, 66), "Bundle so far", 15, _SOFT)
    for i, line in enumerate(scene.bundle[:5]):
        y = 90 + i * 24
        _text(pen, (516, y), line.name, 16, _INK, width=330)
        _text(pen, (WIDTH - 24, y), f"{line.price:.2f}", 16, _INK, "ra")
    if not scene.bundle:
        _text(pen, (516, 90), "empty", 16, _SOFT)
    elif len(scene.bundle) > 5:
        _text(pen, (516, 210), f"and {len(scene.bundle) - 5} more", 13, _SOFT)
    pen.line((516, 230, WIDTH - 24, 230), _LINE, 2)


def _response(pen: ImageDraw.ImageDraw, last: Outcome) -> None:
    _text(pen, (516, 240), "The visit before", 15, _SOFT)
    if not last.offer:
        _text(pen, (516, 264), "Nothing was offered.", 16, _INK)
    else:
        pen.rounded_rectangle((516, 264, 700, 290), 5, _RESPONSE_COLOURS[last.choice])
        _text(pen, (608, 277), _TITLES[last.choice], 15, _PAPER, "mm")
        _text(pen, (WIDTH - 24, 268), f"at {last.discount:.0%} off", 16, _INK, "ra")
        for i, name in enumerate(last.offer[:4]):
            _text(pen, (516, 298 + i * 19), name, 14, _INK, width=418)
    colour = _GREEN if last.gain >= 0 else _RED
    _text(pen, (516, 382), f"margin {last.margin:.2f}, the twin's {last.twin_margin:.2f}", 16, _INK)
    _text(pen, (WIDTH - 24, 382), f"{last.gain:+.2f}", 20, colour, "ra")


def _earnings(pen: ImageDraw.ImageDraw, scene: Scene) -> None:
    """A bar a visit around a line of zero."""
    pen.line((516, 412, WIDTH - 24, 412), _LINE, 2)
    _text(pen, (516, 420), "Incremental margin by visit", 15, _SOFT)
    _text(pen, (WIDTH - 24, 420), f"so far {sum(scene.gains):+.2f}", 18, _INK, "ra")
    zero, reach = 490, 36
    pen.line((516, zero, WIDTH - 24, zero), _SOFT)
    step = (WIDTH - 540) / max(scene.visits, 1)
    most = max((abs(gain) for gain in scene.gains), default=0.0) or 1.0
    for i, gain in enumerate(scene.gains):
        left, top = 516 + i * step, zero - reach * gain / most
        box = (left + step * 0.15, min(zero, top), left + step * 0.85, max(zero, top))
        pen.rectangle(box, _GREEN if gain >= 0 else _RED)
